// The OCI runtime: crun, else runc; the one that works here, found out by running a container with each.
import { renameSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { readIfExists, writeFileAtomic } from '../../base/files.ts';
import { quotedMessage } from '../system/go-quoted.ts';
import type { Stdio } from '../system/launch.ts';
import { exitWithin, findProgram, runProgram, runProgramChecked, startProgram } from '../system/spawn.ts';
import type { OciSpec } from './oci-spec.ts';

export type RuntimeName = 'crun' | 'runc';

export type Runtime = {
  readonly name: RuntimeName;
  /** Absolute. */
  readonly path: string;
  /** Its --root: the engine's own, so that two engines never see each other's containers. */
  readonly root: string;
};

export const runtimeArgs = (runtime: Runtime): readonly string[] => [`--root=${runtime.root}`];

/** crun first: it starts a container two to three times faster. */
export const runtimeNames: readonly RuntimeName[] = ['crun', 'runc'];

export type RuntimeChoice = {
  readonly runtime: Runtime;
  /** Why a preferred one was not taken: "crun: ...". */
  readonly refused: readonly string[];
};

export type ChooseOptions = {
  readonly root: string;
  /** Only this one; throws where it does not work. */
  readonly wanted?: RuntimeName | undefined;
  /** A scratch directory; removed afterwards. */
  readonly probeDir: string;
  /** The container that is created and deleted: needs no network and never starts. */
  readonly probeSpec: OciSpec;
};

/** The runtimes' JSON or plain error text as one line, without their time stamps. */
export function runtimeErrorText(text: string): string {
  const lines = text.trim().split('\n');
  const last = lines.at(-1) ?? '';
  const quoted = /\blevel=error msg=/.test(last) ? quotedMessage(last) : undefined;
  if (quoted !== undefined) return quoted;
  return last.replace(/^\S+Z: /, '').replace(/^time="[^"]*" level=\w+ msg=/, '');
}

export type CreateRequest = {
  readonly id: string;
  /** Holds config.json; gets the runtime's log and the pid file. */
  readonly bundle: string;
  /** What the container's PID 1 gets as its output. The runtime's own words go to its log. */
  readonly output: Stdio;
  readonly signal?: AbortSignal | undefined;
};

export const pidFileOf = (bundle: string): string => join(bundle, 'pid');

/**
 * `create` without a monitor; `run` also starts it, which saves a program. Throws CreateFailed with the runtime's message,
 * ProgramTimeout.
 */
export async function runtimeCreate(
  runtime: Runtime,
  verb: 'create' | 'run',
  { id, bundle, output, signal }: CreateRequest,
): Promise<void> {
  const log = join(bundle, 'create.log');
  const command = verb === 'run' ? ['run', '--detach'] : ['create'];
  const files = ['--bundle', bundle, '--pid-file', pidFileOf(bundle)];
  const args = [...runtimeArgs(runtime), `--log=${log}`, ...command, ...files, id];
  const launched = await startProgram(runtime.path, args, { stdio: ['null', output, output] });
  if ((await exitWithin(launched, `${runtime.name} ${verb} ${id}`, { signal })) === 0) return;
  throw new PodwrightError(
    'CreateFailed',
    runtimeErrorText((await readIfExists(log)) ?? 'the runtime said nothing'),
  );
}

/** One per engine: what an engine left that was killed while it tried is found under the same name. */
export const PROBE_ID = 'probe';

/** Creates and deletes a container. Throws the runtime's reason. */
export async function tryRuntime(
  runtime: Runtime,
  { probeDir, probeSpec }: Pick<ChooseOptions, 'probeDir' | 'probeSpec'>,
): Promise<void> {
  await mkdir(probeDir, { recursive: true });
  await writeFileAtomic(join(probeDir, 'config.json'), JSON.stringify(probeSpec));
  try {
    await runtimeCreate(runtime, 'create', { id: PROBE_ID, bundle: probeDir, output: 'null' });
  } finally {
    await runProgram(runtime.path, [...runtimeArgs(runtime), 'delete', '--force', PROBE_ID]).catch(() => {});
    await rm(probeDir, { recursive: true, force: true });
  }
}

/** Throws RuntimeRefused, with the reason of each, when none works. */
export async function chooseRuntime(options: ChooseOptions): Promise<RuntimeChoice> {
  await mkdir(options.root, { recursive: true, mode: 0o700 });
  const refused: string[] = [];
  for (const name of options.wanted === undefined ? runtimeNames : [options.wanted]) {
    try {
      const runtime: Runtime = { name, path: findProgram(name), root: options.root };
      await tryRuntime(runtime, options);
      return { runtime, refused };
    } catch (error) {
      refused.push(`${name}: ${errorText(error)}`);
    }
  }
  throw new PodwrightError('RuntimeRefused', `no OCI runtime works on this machine: ${refused.join('; ')}`);
}

/** "created", "running", "stopped"; undefined when the runtime does not know the container. Throws ProgramFailed. */
export async function runtimeStatus(runtime: Runtime, id: string): Promise<string | undefined> {
  const { exitCode, stdout } = await runProgram(runtime.path, [...runtimeArgs(runtime), 'state', id]);
  if (exitCode !== 0) return undefined;
  try {
    return (JSON.parse(stdout) as { readonly status?: string }).status;
  } catch (cause) {
    throw new PodwrightError('ProgramFailed', `${runtime.name} state ${id}: its answer does not parse`, {
      cause,
    });
  }
}

/** Throws ProgramFailed with the runtime's message. */
export async function runtimeStart(runtime: Runtime, id: string): Promise<void> {
  await runProgramChecked(runtime.path, [...runtimeArgs(runtime), 'start', id]);
}

/** Under another name: only for one that the runtime is never asked about again. */
export function renameContainer(runtime: Runtime, from: string, to: string): void {
  renameSync(join(runtime.root, from), join(runtime.root, to));
}

/**
 * What `delete` does once nothing of the container runs and its cgroups are gone: its entry below --root. Saves a
 * program for each container, and works on what a killed runtime left half written.
 */
export async function forgetContainer(runtime: Runtime, id: string): Promise<void> {
  await rm(join(runtime.root, id), { recursive: true, force: true });
}
