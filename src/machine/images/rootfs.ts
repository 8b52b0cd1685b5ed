// A container's root file system: the image's layers below, the instance's own layer above, one overlay mount by
// mount(2), without starting a program.
//
// Invariant: every directory is handed to the kernel as an open descriptor (/proc/self/fd/N). So an image may have as
// many layers as overlayfs takes (500) although mount(2) reads one page of options, and a path with a colon or a comma
// needs no escaping.
import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { MS, mountAside, unmountAside } from '../system/libc.ts';

/** The parts of the OCI image config that a container inherits. https://github.com/opencontainers/image-spec config.md */
export type OciImageConfig = {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly StopSignal?: string;
};

export type RootfsSource = {
  /** Throws ImageNotFound. */
  config(imageId: string): Promise<OciImageConfig>;
  /** Read-only layer directories, topmost first. Throws ImageNotFound. */
  layers(imageId: string): Promise<readonly string[]>;
};

export type RootfsMount = {
  /** Read-only layer directories, topmost first. */
  readonly layers: readonly string[];
  /** The instance's own layer; kept when it exists. On the same file system as workDir. */
  readonly upperDir: string;
  /** overlayfs' scratch space; emptied. */
  readonly workDir: string;
  readonly target: string;
};

/**
 * Makes the directories that are missing and mounts the overlay; replaces a mount that is already there, as a crash in
 * the middle may leave one. Throws MountFailed and leaves nothing mounted then.
 *
 * `volatile`: the kernel does not wait for the disk at unmount. A container's own layer never outlives a reboot of its
 * machine, and the wait would be the dearest part of removing a pod. Overlayfs refuses a second volatile mount over the
 * same work directory unless that is made anew.
 */
export async function mountRootfs({ layers, upperDir, workDir, target }: RootfsMount): Promise<void> {
  try {
    await unmountRootfs(target);
    rmSync(workDir, { recursive: true, force: true });
    makeUpperDir(upperDir, layers[0]);
    for (const dir of [workDir, target]) mkdirSync(dir, { recursive: true });
    await withDescriptors((through) => {
      const options = `lowerdir=${layers.map(through).join(':')},upperdir=${through(upperDir)},workdir=${through(workDir)},volatile`;
      return mountAside('overlay', target, 'overlay', 0, options);
    });
  } catch (error) {
    throw new PodwrightError('MountFailed', `mount root file system ${target}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** The image's content alone, which nobody can write. Throws SystemCall. */
export async function mountReadOnly(layers: readonly string[], target: string): Promise<void> {
  await unmountRootfs(target);
  mkdirSync(target, { recursive: true });
  await withDescriptors((through) => {
    // overlayfs wants two lower directories where there is no upper one: the empty mount point is always the second.
    const lower = [...layers, target].map(through).join(':');
    return mountAside('overlay', target, 'overlay', MS.RDONLY | MS.NOSUID | MS.NODEV, `lowerdir=${lower}`);
  });
}

/** Calls with a function that opens a directory and names it by its descriptor; all are closed at the end. */
async function withDescriptors(use: (through: (path: string) => string) => Promise<void>): Promise<void> {
  const opened: number[] = [];
  const through = (path: string): string => {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    opened.push(descriptor);
    return `/proc/self/fd/${descriptor}`;
  };
  try {
    await use(through);
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/** The upper directory's owner and mode are those of "/" in the container: the image's, not what the umask leaves. */
function makeUpperDir(upperDir: string, topLayer: string | undefined): void {
  const made = mkdirSync(upperDir, { recursive: true });
  if (made === undefined || topLayer === undefined) return;
  const { uid, gid, mode } = statSync(topLayer);
  chownSync(upperDir, uid, gid);
  chmodSync(upperDir, mode & 0o7777);
}

/** The undo of mountRootfs; harmless where nothing is mounted. The directories and their content stay. */
export async function unmountRootfs(target: string): Promise<void> {
  while (await unmountAside(target));
}
