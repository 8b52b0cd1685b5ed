// Containers: created under a monitor, started, signalled, noticed when they end, removed without a trace.
//
//   creating -> created -> starting -> running -> exited      (record.phase, on disk before each step)
//
// Invariants
// - Every container has exactly one watch on its monitor from its creation until it is exited; the end of the monitor is
//   the one event that makes it exited, whoever or whatever ended it.
// - When it is exited nothing of it runs: what PID 1 left in the container's cgroup is killed before the end is told.
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../base/bounds.ts';
import type { ContainerId, PodUid } from '../base/brand.ts';
import { errorText, isPodwrightError, PodwrightError } from '../base/errors.ts';
import { createUnderConmon, onConmonEnd } from './conmon.ts';
import { prepareBundle, readBundle, releaseBundle } from './container-bundle.ts';
import { readExit } from './container-exit.ts';
import { containerDir, containerIdOf, layerDir, logPath } from './layout.ts';
import type { ContainerConfig } from './machine.ts';
import type { MachineContext } from './machine-context.ts';
import { type ContainerExit, type ContainerRecord, instanceOf, type SandboxRecord } from './records.ts';
import { forgetContainer, runtimeStart, runtimeStatus } from './runtime/runtime.ts';
import { isAlive, killAndWait, processName, sendSignal } from './system/processes.ts';

/** containerd's code for a command that cannot be executed. */
const START_ERROR_EXIT_CODE = 128;

/** How crun and runc say that the command itself cannot be executed, while all else about the container is right. */
const COMMAND_ERROR = /exec: "|executable file .* not found|open executable|exec format error/;

/** In the words that Kubernetes users know: exec: "nosuch": executable file not found in $PATH. */
function commandErrorText(command: string, message: string): string {
  if (message.includes(`"${command}"`)) return message;
  const why = /executable file .* not found/.test(message) ? 'executable file not found in $PATH' : message;
  return `exec: ${JSON.stringify(command)}: ${why}`;
}

export type Containers = {
  create(config: ContainerConfig, signal: AbortSignal): Promise<ContainerId>;
  start(id: ContainerId): Promise<void>;
  signal(id: ContainerId, signal: string): Promise<void>;
  remove(id: ContainerId, options: { readonly log: 'keep' | 'remove' }): Promise<void>;
  /** Ends every container of a sandbox and waits until each is exited. */
  endAll(uid: PodUid, sandboxAttempt: number): Promise<void>;
  /** Takes up what an earlier engine left. */
  adopt(): Promise<void>;
  close(): void;
};

type Watch = { readonly ended: Promise<void>; stop(): void };

export function createContainers(machine: MachineContext): Containers {
  const { dirs, records, cgroups, runtime, clock, log } = machine;
  const watches = new Map<ContainerId, Watch>();
  const bundleOf = (record: ContainerRecord): string => containerDir(dirs, instanceOf(record.config));
  const monitorGroup = (record: ContainerRecord): string => `${record.cgroupPath}.monitor`;

  const recordOf = (id: ContainerId): ContainerRecord => {
    const record = records.container(id);
    if (record === undefined) throw new PodwrightError('NotFound', `container ${id} does not exist`);
    return record;
  };

  const killContainer = async (record: ContainerRecord): Promise<void> => {
    await cgroups.killAll(record.cgroupPath);
    if (record.process !== undefined && isAlive(record.process)) await killAndWait([record.process.pid]);
  };

  const exit = async (id: ContainerId, told: ContainerExit): Promise<void> => {
    await records.updateContainer(id, { phase: 'exited', exit: told });
    machine.changed(recordOf(id).config.pod.uid);
  };

  /** The monitor is gone, and so the container: by itself, or now. */
  const settle = async (id: ContainerId): Promise<void> => {
    const record = records.container(id);
    if (record === undefined || record.phase === 'exited') return;
    await killContainer(record);
    await exit(id, await readExit(dirs, records.container(id) ?? record, clock.nowMs()));
  };

  const watchMonitor = (id: ContainerId, record: ContainerRecord): void => {
    let told: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      told = resolve;
    });
    const stop = onConmonEnd(bundleOf(record), () => {
      settle(id)
        .catch((error: unknown) => log.error('container end', { id, error: errorText(error) }))
        .finally(() => {
          watches.delete(id);
          told();
        });
    });
    watches.set(id, { ended, stop });
  };

  /** Everything of a container but its record: safe in every phase, also after a crash in the middle. */
  const clear = async (record: ContainerRecord): Promise<void> => {
    const instance = instanceOf(record.config);
    const id = containerIdOf(instance);
    await killContainer(record);
    const watch = watches.get(id);
    if (watch !== undefined) await within(BOUNDS.killWaitMs, watch.ended);
    watch?.stop();
    watches.delete(id);
    if (record.phase === 'creating') await killAndWait(creatorsOf(id));
    await cgroups.remove(monitorGroup(record));
    await cgroups.remove(record.cgroupPath);
    releaseBundle(bundleOf(record));
    await forgetContainer(runtime, id);
    await rm(layerDir(dirs, instance), { recursive: true, force: true });
  };

  const sandboxFor = (config: ContainerConfig): SandboxRecord => {
    const sandbox = records.sandbox(config.pod.uid, config.sandboxAttempt);
    if (sandbox?.phase === 'ready') return sandbox;
    throw new PodwrightError('CreateFailed', `create container ${config.name}: its sandbox is not ready`);
  };

  const targetPid = (config: ContainerConfig): number | undefined => {
    if (config.targetContainer === undefined) return undefined;
    const running = [...(records.pod(config.pod.uid)?.containers.values() ?? [])].find(
      ({ phase, config: other }) => other.name === config.targetContainer && phase === 'running',
    );
    if (running?.process !== undefined) return running.process.pid;
    throw new PodwrightError('ConfigFailed', `target container ${config.targetContainer} is not running`);
  };

  const build = async (
    config: ContainerConfig,
    record: ContainerRecord,
    signal: AbortSignal,
  ): Promise<void> => {
    const instance = instanceOf(config);
    const { uid, name, attempt } = instance;
    const id = containerIdOf(instance);
    const sandbox = sandboxFor(config);
    const cgroupsPath = record.cgroupPath;
    await prepareBundle(machine, { config, instance, sandbox, cgroupsPath, targetPid: targetPid(config) });
    const bundle = containerDir(dirs, instance);
    const { stdin, stdinOnce, tty } = config;
    const log = logPath(dirs, config.pod, name, attempt);
    const request = {
      runtime,
      id,
      name,
      bundle,
      logPath: log,
      stdin,
      stdinOnce,
      tty,
    };
    try {
      const pid = await createUnderConmon(
        request,
        (own) => cgroups.addProcess(monitorGroup(record), own),
        signal,
      );
      await records.updateContainer(id, { phase: 'created', process: processName(pid) });
      watchMonitor(id, recordOf(id));
    } catch (error) {
      if (!isPodwrightError(error, 'CreateFailed') || !COMMAND_ERROR.test(error.message)) throw error;
      const command = readBundle(bundle).process.args[0] ?? '';
      await records.updateContainer(id, {
        phase: 'created',
        startError: commandErrorText(command, error.message),
      });
    }
    machine.changed(uid);
  };

  const create = async (config: ContainerConfig, signal: AbortSignal): Promise<ContainerId> => {
    const id = containerIdOf(instanceOf(config));
    const present = records.container(id);
    if (present !== undefined && present.phase !== 'creating') return id;
    if (present !== undefined) await clear(present);
    signal.throwIfAborted();
    const { qosClass } = sandboxFor(config).config;
    const { pod, sandboxAttempt, name, attempt, image, imageId, tty, annotations, terminationMessagePolicy } =
      config;
    const kept = {
      pod,
      sandboxAttempt,
      name,
      attempt,
      image,
      imageId,
      tty,
      annotations,
      terminationMessagePolicy,
    };
    const cgroupPath = join(cgroups.podPath(pod.uid, qosClass), id);
    const record: ContainerRecord = {
      config: kept,
      createdAtMs: clock.nowMs(),
      cgroupPath,
      phase: 'creating',
    };
    await records.putContainer(record);
    try {
      await build(config, record, signal);
      return id;
    } catch (error) {
      await clear(recordOf(id));
      await records.dropContainer(id);
      throw error;
    }
  };

  const failStart = async (id: ContainerId, message: string): Promise<never> => {
    const finishedAtMs = clock.nowMs();
    const exitCode = START_ERROR_EXIT_CODE;
    watches.get(id)?.stop();
    watches.delete(id);
    await killContainer(recordOf(id));
    await exit(id, { kind: 'exited', finishedAtMs, exitCode, reason: 'StartError', message });
    throw new PodwrightError('StartFailed', message);
  };

  const start = async (id: ContainerId): Promise<void> => {
    const record = recordOf(id);
    if (record.phase === 'running' || record.phase === 'exited') return;
    if (record.phase === 'creating')
      throw new PodwrightError('StartFailed', `container ${id} was never created`);
    if (record.startError !== undefined) return failStart(id, record.startError);
    await records.updateContainer(id, { phase: 'starting', startedAtMs: clock.nowMs() });
    try {
      await runtimeStart(runtime, id);
    } catch (error) {
      if (recordOf(id).phase === 'exited') return;
      return failStart(id, errorText(error));
    }
    // It may have run to its end meanwhile.
    if (records.container(id)?.phase === 'starting') await records.updateContainer(id, { phase: 'running' });
  };

  const signal = async (id: ContainerId, name: string): Promise<void> => {
    const record = recordOf(id);
    if (record.phase === 'exited') return;
    const stopSignalledAtMs = record.stopSignalledAtMs ?? clock.nowMs();
    await records.updateContainer(id, { stopSignalledAtMs });
    if (name === 'SIGKILL') await killContainer(record);
    else if (record.process !== undefined) sendSignal(record.process, name);
  };

  const remove = async (id: ContainerId, options: { readonly log: 'keep' | 'remove' }): Promise<void> => {
    const record = records.container(id);
    if (record === undefined) return;
    await clear(record);
    const { pod, name, attempt } = record.config;
    if (options.log === 'remove') await rm(logPath(dirs, pod, name, attempt), { force: true });
    await records.dropContainer(id);
  };

  const endAll = async (uid: PodUid, sandboxAttempt: number): Promise<void> => {
    const all = [...(records.pod(uid)?.containers.entries() ?? [])];
    const mine = all.filter(([, record]) => record.config.sandboxAttempt === sandboxAttempt);
    await Promise.all(
      mine.map(async ([id, record]) => {
        if (record.phase === 'exited' || record.phase === 'creating') return;
        await killContainer(record);
        const watch = watches.get(id);
        if (watch !== undefined) await within(BOUNDS.killWaitMs, watch.ended);
        await settle(id);
      }),
    );
  };

  const adoptOne = async (id: ContainerId, record: ContainerRecord): Promise<void> => {
    if (record.phase === 'exited' || record.phase === 'creating' || record.startError !== undefined) return;
    if (record.phase === 'starting') {
      const status = await runtimeStatus(runtime, id);
      await records.updateContainer(id, { phase: status === 'created' ? 'created' : 'running' });
    }
    watchMonitor(id, recordOf(id));
    // A watch on what is gone already calls back at the next turn: observe() must not answer before.
    if (record.process === undefined || !isAlive(record.process)) {
      await within(BOUNDS.killWaitMs, watches.get(id)?.ended ?? Promise.resolve());
    }
  };

  const adopt = async (): Promise<void> => {
    const all = records.pods().flatMap((pod) => [...pod.containers]);
    await Promise.all(all.map(([id, record]) => adoptOne(id, record)));
  };

  const close = (): void => {
    for (const watch of watches.values()) watch.stop();
    watches.clear();
  };

  return { create, start, signal, remove, endAll, adopt, close };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, bound]);
  clearTimeout(timer);
}

/**
 * Monitors and runtimes still at work on a container whose creation was cut off: their pids are in no record, but
 * the container's id, which is unique for ever, is among their arguments.
 */
function creatorsOf(id: ContainerId): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return args.includes(id) || args.includes(`--cid=${id}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}
