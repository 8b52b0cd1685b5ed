// Packs directories into OCI image archives (https://github.com/opencontainers/image-spec), without a registry and
// without another image builder: layers and the archive are GNU tar's, the JSON is written here.
//
// Invariant: the same directories give the same bytes. Names are sorted, times fixed, owners root, modes as they are.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { runProgramChecked } from '../src/machine/system/spawn.ts';

export type Architecture = 'amd64' | 'arm64';

/** The image config's "config" object, in OCI's spelling. */
export type ImageSettings = {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
};

export type ImageContent = {
  readonly architecture: Architecture;
  /** The archive of an image of the same architecture: its layers, as they are, lie below. */
  readonly base?: string | undefined;
  /** Root directories, lowest first; one layer each. */
  readonly layers: readonly string[];
  readonly settings: ImageSettings;
};

type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };
type PackedLayer = { readonly diffId: string; readonly descriptor: Descriptor };

const TAR_ALWAYS_THE_SAME = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

/** The machine's architecture in OCI's (Go's) words. */
export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/**
 * Writes the archive `out` with the image under `name` ("localhost/podwright/busybox:1"): one image, or an image index
 * when there are several architectures. The file appears whole or not at all.
 */
export async function packOciArchive(
  name: string,
  images: readonly [ImageContent, ...ImageContent[]],
  out: string,
): Promise<void> {
  const layout = await mkdtemp(join(tmpdir(), 'podwright-oci-'));
  try {
    await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
    const manifests = [];
    for (const image of images) {
      const manifest = await writeImage(layout, image);
      manifests.push({ ...manifest, platform: { architecture: image.architecture, os: 'linux' } });
    }
    const [first, ...others] = manifests;
    const top =
      others.length === 0
        ? first
        : await writeJson(layout, 'application/vnd.oci.image.index.v1+json', { schemaVersion: 2, manifests });
    const annotations = { 'org.opencontainers.image.ref.name': name };
    await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(
      join(layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...top, annotations }] }),
    );
    await packLayout(layout, out);
  } finally {
    await rm(layout, { recursive: true, force: true });
  }
}

async function writeImage(layout: string, image: ImageContent): Promise<Descriptor> {
  const packed = image.base === undefined ? [] : await takeLayers(layout, image.base);
  for (const root of image.layers) packed.push(await writeLayer(layout, root));
  const config = await writeJson(layout, 'application/vnd.oci.image.config.v1+json', {
    architecture: image.architecture,
    os: 'linux',
    config: image.settings,
    rootfs: { type: 'layers', diff_ids: packed.map(({ diffId }) => diffId) },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const layers = packed.map(({ descriptor }) => descriptor);
  return writeJson(layout, mediaType, { schemaVersion: 2, mediaType, config, layers });
}

/** Puts the layers of an archive that was written here into the layout; nothing else of it. */
async function takeLayers(layout: string, archive: string): Promise<PackedLayer[]> {
  await runProgramChecked('tar', ['-C', layout, '-xf', archive, 'index.json', 'blobs']);
  const blob = ({ digest }: Descriptor): string => join(layout, 'blobs', digest.replace(':', '/'));
  const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
  const { manifests } = (await readJson(join(layout, 'index.json'))) as { manifests: [Descriptor] };
  const { config, layers } = (await readJson(blob(manifests[0]))) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  const { rootfs } = (await readJson(blob(config))) as { rootfs: { diff_ids: string[] } };
  for (const descriptor of [manifests[0], config]) await rm(blob(descriptor));
  return layers.map((descriptor, index) => ({ descriptor, diffId: rootfs.diff_ids[index] ?? '' }));
}

/**
 * gzip, quick rather than small: zstd is quicker still, but its stream in Node depends on how the input was cut into
 * pieces, so that the same directory would not give the same bytes.
 */
async function writeLayer(layout: string, root: string): Promise<PackedLayer> {
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  const partial = join(layout, 'layer.partial');
  const tar = spawn('tar', ['-C', root, ...TAR_ALWAYS_THE_SAME, '--format=gnu', '-b1', '-cf', '-', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => tar.on('error', reject).on('close', resolve));
  await pipeline(tar.stdout, tee(plain), createGzip({ level: 1 }), tee(packed), createWriteStream(partial));
  const exitCode = await ended;
  if (exitCode !== 0) throw new Error(`pack layer ${root}: tar ended with exit code ${exitCode}`);
  const hex = packed.digest('hex');
  await rename(partial, join(layout, 'blobs/sha256', hex));
  const { size } = await stat(join(layout, 'blobs/sha256', hex));
  return {
    diffId: `sha256:${plain.digest('hex')}`,
    descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${hex}`, size },
  };
}

/** Passes a stream on and feeds the hash with it. */
function tee(hash: ReturnType<typeof createHash>) {
  return async function* (source: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

async function writeJson(layout: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const text = JSON.stringify(value);
  const hex = createHash('sha256').update(text).digest('hex');
  await writeFile(join(layout, 'blobs/sha256', hex), text);
  return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
}

/** `-b1`: no padding beyond tar's two closing blocks. Directories are left out: readers make them. */
async function packLayout(layout: string, out: string): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const partial = join(dirname(out), `.${basename(out)}.${process.pid}.partial`);
  const members = ['oci-layout', 'index.json'];
  const { stdout } = await runProgramChecked('find', ['blobs', '-type', 'f'], { cwd: layout });
  members.push(...stdout.trim().split('\n').sort());
  try {
    await runProgramChecked('tar', [
      '-C',
      layout,
      ...TAR_ALWAYS_THE_SAME,
      '--mode=0644',
      '--format=ustar',
      '-b1',
      '-cf',
      partial,
      ...members,
    ]);
    await rename(partial, out);
  } finally {
    await rm(partial, { force: true });
  }
}
