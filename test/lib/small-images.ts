// Images of a few bytes for tests of the store, made in place.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostArchitecture, type ImageSettings, packOciArchive } from '../../scripts/build-oci.ts';

/** One layer: path to content. ".wh.x" hides x of the layers below, as OCI says. */
export type SmallLayer = Readonly<Record<string, string>>;

export async function makeArchive(
  name: string,
  layers: readonly SmallLayer[],
  options: { readonly out: string; readonly settings?: ImageSettings },
): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'podwright-small-'));
  try {
    const roots = layers.map((layer, index) => {
      const root = join(scratch, String(index));
      mkdirSync(root);
      for (const [path, content] of Object.entries(layer)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), content);
      }
      return root;
    });
    const settings = options.settings ?? {};
    await packOciArchive(name, [{ architecture: hostArchitecture(), layers: roots, settings }], options.out);
    return options.out;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
