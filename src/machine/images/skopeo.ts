// skopeo, as far as the image store needs it: copy something into the store, delete an image. The store belongs to one
// engine; its lock files let several skopeos write at once.
//
// Invariant: nothing of a run stays behind, even of one that was killed: its temporary files live in a scratch
// directory below the store, and the first run of the next process clears what a killed one left.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../../base/bounds.ts';
import { type MachineDirs, storageDir } from '../layout.ts';
import type { RegistryAuth } from '../model/image.ts';
import { PROGRAM_PATH, type ProgramResult, runProgram, runProgramChecked } from '../system/spawn.ts';

/** Signature policy of this machine's administrator (containers-policy.json(5)); without one every image is accepted. */
const POLICY_FILE = '/etc/containers/policy.json';

/** What skopeo may know of the engine's environment: where credentials and proxies are. */
const PASSED_ON = [
  'HOME',
  'XDG_RUNTIME_DIR',
  'REGISTRY_AUTH_FILE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
] as const;

export type CopyOptions = {
  /** In skopeo's words: "docker://quay.io/a/b:1", "oci:/dir". */
  readonly source: string;
  /** The normalised name it gets in the store. */
  readonly name: string;
  readonly scratch: string;
  readonly args?: readonly string[];
  readonly signal: AbortSignal;
};

export type Skopeo = {
  /** A failed copy is a result: what it means depends on the source. Aborting kills it. */
  copy(options: CopyOptions): Promise<ProgramResult>;
  /** Takes the image away with all its names and the layers that no other image uses. */
  deleteImage(id: string): Promise<void>;
  /** Runs `work` with an empty directory for temporary files, which is gone afterwards. */
  withScratch<T>(work: (scratch: string) => Promise<T>): Promise<T>;
};

export function createSkopeo(dirs: MachineDirs): Skopeo {
  const root = storageDir(dirs);
  const scratchRoot = join(root, 'podwright-tmp');
  // skip_mount_home: else a bind mount of the store on itself stays behind.
  const store = `containers-storage:[overlay@${root}+${join(dirs.runDir, 'storage')}:overlay.skip_mount_home=true]`;
  const policy = existsSync(POLICY_FILE) ? ['--policy', POLICY_FILE] : ['--insecure-policy'];
  let cleared: Promise<void> | undefined;
  const withScratch: Skopeo['withScratch'] = async (work) => {
    cleared ??= clear(scratchRoot);
    await cleared;
    const scratch = await mkdtemp(join(scratchRoot, `${process.pid}-`));
    try {
      return await work(scratch);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };
  return {
    withScratch,
    copy: ({ source, name, scratch, args = [], signal }) =>
      runProgram('skopeo', [...policy, 'copy', '--quiet', ...args, source, `${store}${name}`], {
        env: skopeoEnv(scratch),
        timeoutMs: BOUNDS.pullTimeoutMs,
        signal,
      }),
    // skopeo leaves an empty temporary directory behind here.
    deleteImage: (id) =>
      withScratch(async (scratch) => {
        await runProgramChecked('skopeo', [...policy, 'delete', `${store}@${id}`], {
          env: skopeoEnv(scratch),
        });
      }),
  };
}

/** Directories are called after the process they belong to; the command line may use the store beside an engine. */
async function clear(scratchRoot: string): Promise<void> {
  await mkdir(scratchRoot, { recursive: true, mode: 0o700 });
  for (const name of await readdir(scratchRoot)) {
    const isAlive = existsSync(`/proc/${name.split('-')[0]}`);
    if (!isAlive) await rm(join(scratchRoot, name), { recursive: true, force: true });
  }
}

function skopeoEnv(scratch: string): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(passed), PATH: PROGRAM_PATH, TMPDIR: scratch };
}

/** containers-auth.json(5) for one registry, readable by root alone; returns its path. */
export async function writeAuthFile(scratch: string, registry: string, auth: RegistryAuth): Promise<string> {
  const path = join(scratch, 'auth.json');
  const token = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  await writeFile(path, JSON.stringify({ auths: { [registry]: { auth: token } } }), { mode: 0o600 });
  return path;
}
