// Image archives and layouts on disk: which kind a file is, which images it holds and under which names.
// https://github.com/opencontainers/image-spec image-layout.md; the Docker archive is what `docker save` writes.
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import { runProgram, runProgramChecked } from '../system/spawn.ts';

/** One image of an archive: where skopeo finds it and what the archive calls it. */
export type ArchivedImage = { readonly source: string; readonly names: readonly string[] };

type OciDescriptor = { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> };

/** Looks into an OCI archive, Docker archive or OCI layout directory. Throws InvalidInput. */
export async function readArchive(
  path: string,
  scratch: string,
  signal: AbortSignal,
): Promise<ArchivedImage[]> {
  if (await isDirectory(path)) return readLayout(path, scratch);
  const { exitCode, stdout, stderr } = await runProgram('tar', ['-tf', path], { signal });
  if (exitCode !== 0) throw invalid(path, `not a tar archive: ${stderr.trim().split('\n').at(-1)}`);
  const members = stdout.split('\n').map((name) => ({ name, plain: name.replace(/^\.\//, '') }));
  const find = (plain: string): string | undefined => members.find((member) => member.plain === plain)?.name;
  // Docker 25 and later write both; its names stand in manifest.json.
  const manifest = find('manifest.json');
  if (manifest !== undefined) return readDockerArchive(path, { member: manifest, scratch, signal });
  if (find('index.json') === undefined) throw invalid(path, 'neither an OCI nor a Docker image archive');
  const layout = join(scratch, 'layout');
  await mkdir(layout);
  const extracted = await runProgram('tar', ['-xf', path, '-C', layout, '--no-same-owner'], { signal });
  if (extracted.exitCode !== 0) throw invalid(path, extracted.stderr.trim().split('\n').slice(-2).join(' '));
  await checkLayout(layout, path);
  return readLayout(layout, scratch);
}

/**
 * What was unpacked holds files and directories alone, as far as it is read: a link could lead to a file of the host, a fifo
 * or a device has no end. GNU tar itself writes nothing outside its directory.
 */
async function checkLayout(layout: string, path: string): Promise<void> {
  const check = async (name: string, kind: 'isFile' | 'isDirectory'): Promise<void> => {
    const found = await lstat(join(layout, name)).catch(() => undefined);
    if (found?.[kind]() === true) return;
    throw invalid(path, `${name} is no ${kind === 'isFile' ? 'regular file' : 'directory'}`);
  };
  await check('index.json', 'isFile');
  const { size } = await lstat(join(layout, 'index.json'));
  if (size > BOUNDS.imageIndexBytes)
    throw invalid(path, `index.json is larger than ${BOUNDS.imageIndexBytes} bytes`);
  await check('blobs', 'isDirectory');
  for (const algorithm of await readdir(join(layout, 'blobs'))) {
    await check(`blobs/${algorithm}`, 'isDirectory');
    for (const blob of await readdir(join(layout, 'blobs', algorithm)))
      await check(`blobs/${algorithm}/${blob}`, 'isFile');
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw invalid(path, 'no such file or directory');
    throw error;
  }
}

type DockerArchive = { readonly member: string; readonly scratch: string; readonly signal: AbortSignal };

async function readDockerArchive(path: string, archive: DockerArchive): Promise<ArchivedImage[]> {
  const { stdout } = await runProgramChecked('tar', ['-xOf', path, archive.member], {
    signal: archive.signal,
  });
  const manifest = parseJson<{ readonly RepoTags?: readonly string[] | null }[]>(path, stdout);
  if (!Array.isArray(manifest)) throw invalid(path, 'its manifest.json lists no images');
  // Through a link, because a colon in the path would end it in skopeo's syntax.
  const link = join(archive.scratch, 'archive.tar');
  await symlink(path, link);
  return manifest.map(({ RepoTags }, index) => ({
    source: `docker-archive:${link}:@${index}`,
    names: RepoTags ?? [],
  }));
}

/** Gives each image of the index a layout of its own over the same blobs: skopeo can only name one that has a name. */
async function readLayout(path: string, scratch: string): Promise<ArchivedImage[]> {
  const text = await readFile(join(path, 'index.json'), 'utf8').catch(() => {
    throw invalid(path, 'not an OCI image layout: it has no index.json');
  });
  const listed = parseJson<{ readonly manifests?: readonly OciDescriptor[] } | null>(path, text);
  if (!Array.isArray(listed?.manifests)) throw invalid(path, 'its index.json lists no images');
  const images: ArchivedImage[] = [];
  for (const [index, { annotations = {}, ...descriptor }] of listed.manifests.entries()) {
    const layout = join(scratch, `image-${index}`);
    await mkdir(layout);
    await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(
      join(layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
    );
    await symlink(join(path, 'blobs'), join(layout, 'blobs'));
    images.push({ source: `oci:${layout}`, names: ociName(annotations) });
  }
  return images;
}

/**
 * containerd writes the full name beside the reference name; Podman, Buildah and Podwright write the full name as the
 * reference name; others only a tag there, which names nothing.
 */
function ociName(annotations: Readonly<Record<string, string>>): readonly string[] {
  const full = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  return full !== undefined && /[/:]/.test(full) ? [full] : [];
}

function parseJson<T>(path: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw invalid(path, `damaged: ${String(error)}`);
  }
}

function invalid(path: string, why: string): PodwrightError {
  return new PodwrightError('InvalidInput', `load images from ${path}: ${why}`);
}
