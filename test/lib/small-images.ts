// Images of a few bytes for tests of the store, made in place.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
      fill(root, layer);
      return root;
    });
    const settings = options.settings ?? {};
    await packOciArchive(name, [{ architecture: hostArchitecture(), layers: roots, settings }], options.out);
    return options.out;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function fill(root: string, layer: SmallLayer): void {
  mkdirSync(root);
  for (const [path, content] of Object.entries(layer)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** What `docker save` writes: plain layers, configs, and manifest.json that names them. */
export function makeDockerArchive(
  out: string,
  images: readonly { readonly tags: readonly string[]; readonly layer: SmallLayer }[],
): void {
  const scratch = mkdtempSync(join(tmpdir(), 'podwright-small-'));
  const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  try {
    const archive = join(scratch, 'archive');
    mkdirSync(archive);
    const manifest = images.map(({ tags, layer }, index) => {
      fill(join(scratch, String(index)), layer);
      execFileSync('tar', [
        '-cf',
        join(archive, `layer-${index}.tar`),
        '-C',
        join(scratch, String(index)),
        '.',
      ]);
      const diffId = `sha256:${sha256(readFileSync(join(archive, `layer-${index}.tar`)))}`;
      const rootfs = { type: 'layers', diff_ids: [diffId] };
      const config = JSON.stringify({ architecture: hostArchitecture(), os: 'linux', config: {}, rootfs });
      writeFileSync(join(archive, `${sha256(config)}.json`), config);
      return { Config: `${sha256(config)}.json`, RepoTags: tags, Layers: [`layer-${index}.tar`] };
    });
    writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest));
    execFileSync('tar', ['-cf', out, '-C', archive, ...readdirSync(archive)]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
