// Builds the images of tests and examples as OCI archives, from Debian packages alone:
//
//   node scripts/build-images.ts [name...] [--out DIR]
//
// An archive is built again only when its recipe, this machine's release or its architecture has changed; remove the
// directory (.podwright/images) to get newer packages. A build that is cut off leaves no archive and can be repeated.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { readIfExists } from '../src/base/files.ts';
import { hostArchitecture, packOciArchive } from './build-oci.ts';
import { RECIPES, type Recipe } from './build-recipes.ts';

const ROOT = join(import.meta.dirname, '..');
const RECIPE_SCRIPTS = ['build-oci.ts', 'build-debs.ts', 'build-recipes.ts'].map((name) =>
  join('scripts', name),
);

export type BuildOptions = { readonly outDir?: string; readonly say?: (line: string) => void };

/** Builds the image unless it is there; returns the archive's path: <outDir>/<name>.tar. */
export async function buildImage(name: string, options: BuildOptions = {}): Promise<string> {
  const { outDir = join(ROOT, '.podwright/images'), say = () => {} } = options;
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`no image ${name}; there are ${Object.keys(RECIPES).join(', ')}`);
  const archive = join(outDir, `${name}.tar`);
  const keyFile = join(outDir, `${name}.key`);
  const key = await contentKey(name);
  if ((await readIfExists(keyFile)) === key && (await exists(archive))) return archive;
  await mkdir(outDir, { recursive: true });
  // First the old key goes, last the new one comes: an archive with its key is whole.
  await rm(keyFile, { force: true });
  const startedMs = performance.now();
  const base = recipe.base === undefined ? undefined : await buildImage(recipe.base, options);
  say(`${recipe.image}: building`);
  await build(recipe, { base, archive, say: (line) => say(`${recipe.image}: ${line}`) });
  await writeFile(keyFile, key);
  const { size } = await stat(archive);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  say(`${recipe.image}: built in ${seconds} s, ${(size / 1e6).toFixed(1)} MB`);
  return archive;
}

type Building = {
  readonly base: string | undefined;
  readonly archive: string;
  readonly say: (line: string) => void;
};

async function build(recipe: Recipe, { base, archive, say }: Building): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'podwright-image-'));
  try {
    // Not the temporary directory itself: only root may enter that, and the layer's root keeps its mode.
    const root = join(scratch, 'root');
    await mkdir(root);
    await recipe.layer(root, { packageCache: join(ROOT, '.podwright/packages'), say });
    say('packing');
    const { image, settings } = recipe;
    await packOciArchive(
      image,
      [{ architecture: hostArchitecture(), base, layers: [root], settings }],
      archive,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Changes with everything the image is made of, but for the versions of the packages. */
async function contentKey(name: string): Promise<string> {
  const hash = createHash('sha256').update(`${name} ${hostArchitecture()}\n`);
  hash.update(await readFile('/etc/os-release'));
  for (const file of await recipeSources()) hash.update(file).update(await readFile(join(ROOT, file)));
  return hash.digest('hex');
}

/** The scripts, and what the images' directories hold but for what was built there. */
async function recipeSources(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'images'), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
  return [
    ...RECIPE_SCRIPTS,
    ...files.filter((file) => !file.startsWith('images/build/') && !file.endsWith('.md')).sort(),
  ];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
  const names = positionals.length === 0 ? Object.keys(RECIPES) : positionals;
  for (const name of names) {
    const options = values.out === undefined ? {} : { outDir: values.out };
    console.log(await buildImage(name, { ...options, say: console.log }));
  }
}
