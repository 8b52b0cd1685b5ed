// Assembles the pause program and packs it as the image podwright.dev/pause:1, for every architecture whose assembler
// is installed: `node scripts/build-pause.ts`. Needs binutils; binutils-aarch64-linux-gnu or -x86-64-linux-gnu for the
// other architecture.
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPodwrightError } from '../src/base/errors.ts';
import { runProgramChecked } from '../src/machine/system/spawn.ts';
import { type Architecture, hostArchitecture, type ImageContent, packOciArchive } from './build-oci.ts';

const PAUSE_IMAGE = 'podwright.dev/pause:1';
const SOURCE_DIR = join(import.meta.dirname, '../images/pause');
export const PAUSE_ARCHIVE = join(import.meta.dirname, '../images/build/pause.oci.tar');

const MACHINES: Record<Architecture, string> = { amd64: 'x86_64', arm64: 'aarch64' };

/** Assembles one architecture's program; the binutils of the host or the cross ones. Throws ProgramMissing. */
export async function assemblePause(architecture: Architecture, out: string): Promise<void> {
  const machine = MACHINES[architecture];
  const tools = `${machine}-linux-gnu-`;
  const object = `${out}.o`;
  await runProgramChecked(`${tools}as`, ['-o', object, join(SOURCE_DIR, `pause-${machine}.s`)]);
  // One segment for headers and code: the file is not padded to a page. -s: no symbols.
  const link = ['-static', '-z', 'noseparate-code', '--build-id=none', '-s', '-o', out, object];
  await runProgramChecked(`${tools}ld`, link);
  await rm(object);
}

/** The container's root: the program and the mount points an OCI runtime wants. */
async function pauseRoot(architecture: Architecture, scratch: string): Promise<ImageContent> {
  const root = join(scratch, architecture);
  for (const dir of ['dev', 'proc', 'sys']) await mkdir(join(root, dir), { recursive: true });
  await assemblePause(architecture, join(root, 'pause'));
  return { architecture, layers: [root], settings: { Entrypoint: ['/pause'] } };
}

/** Writes the archive; returns the architectures it holds, the host's first. */
export async function buildPause(out: string): Promise<readonly Architecture[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'podwright-pause-'));
  try {
    const host = hostArchitecture();
    const other: Architecture = host === 'amd64' ? 'arm64' : 'amd64';
    const images: [ImageContent, ...ImageContent[]] = [await pauseRoot(host, scratch)];
    try {
      images.push(await pauseRoot(other, scratch));
    } catch (error) {
      if (!isPodwrightError(error, 'ProgramMissing')) throw error;
    }
    await packOciArchive(PAUSE_IMAGE, images, out);
    return images.map((image) => image.architecture);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const architectures = await buildPause(PAUSE_ARCHIVE);
  const { size } = await stat(PAUSE_ARCHIVE);
  console.log(`${PAUSE_IMAGE} (${architectures.join(', ')}): ${size} bytes in ${PAUSE_ARCHIVE}`);
}
