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
import { allToTheirEnds } from '../base/all-to-their-ends.ts';
import { BOUNDS } from '../base/bounds.ts';
import { type ContainerId, type PodUid, podUid } from '../base/brand.ts';
import { errorText, isPodwrightError, PodwrightError } from '../base/errors.ts';
import { spans } from '../base/spans.ts';
import { createUnderConmon, onConmonEnd } from './conmon.ts';
import { prepareBundle, readBundle, releaseBundle } from './container-bundle.ts';
import { readExit } from './container-exit.ts';
import { containerDir, containerIdOf, layerDir, logPath } from './layout.ts';
import { removeLog } from './log-files.ts';
import type { MachineContext } from './machine-context.ts';
import type { ContainerConfig } from './model/container.ts';
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

type Watch = { readonly ended: Promise<void>; stop(): void };

const monitorGroup = (record: ContainerRecord): string => `${record.cgroupPath}.monitor`;

export class Containers {
  readonly #machine: MachineContext;
  readonly #watches = new Map<ContainerId, Watch>();

  constructor(machine: MachineContext) {
    this.#machine = machine;
  }

  #bundleOf(record: ContainerRecord): string {
    return containerDir(this.#machine.dirs, instanceOf(record.config));
  }

  #recordOf(id: ContainerId): ContainerRecord {
    const record = this.#machine.records.container(id);
    if (record === undefined) throw new PodwrightError('NotFound', `container ${id} does not exist`);
    return record;
  }

  async #killContainer(record: ContainerRecord): Promise<void> {
    await this.#machine.cgroups.killAll(record.cgroupPath);
    if (record.process !== undefined && isAlive(record.process)) await killAndWait([record.process.pid]);
  }

  async #exit(id: ContainerId, told: ContainerExit): Promise<void> {
    await this.#machine.records.updateContainer(id, { phase: 'exited', exit: told });
    this.#machine.changed(podUid(id.slice(0, id.indexOf('_'))));
  }

  /** The monitor is gone, and so the container: by itself, or now. */
  async #settle(id: ContainerId): Promise<void> {
    const record = this.#machine.records.container(id);
    if (record === undefined || record.phase === 'exited') return;
    await this.#killContainer(record);
    await this.#exit(
      id,
      await readExit(
        this.#machine.dirs,
        this.#machine.records.container(id) ?? record,
        this.#machine.clock.nowMs(),
      ),
    );
  }

  #watchMonitor(id: ContainerId, record: ContainerRecord): void {
    let told: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      told = resolve;
    });
    const stop = onConmonEnd(this.#bundleOf(record), () => {
      this.#settle(id)
        .catch((error: unknown) => this.#machine.log.error('container end', { id, error: errorText(error) }))
        .finally(() => {
          this.#watches.delete(id);
          told();
        });
    });
    this.#watches.set(id, { ended, stop });
  }

  /** Everything of a container but its record: safe in every phase, also after a crash in the middle. */
  async #clear(record: ContainerRecord): Promise<void> {
    const instance = instanceOf(record.config);
    const id = containerIdOf(instance);
    await this.#killContainer(record);
    const watch = this.#watches.get(id);
    if (watch !== undefined) await within(BOUNDS.killWaitMs, watch.ended);
    watch?.stop();
    this.#watches.delete(id);
    if (record.phase === 'creating') await killAndWait(creatorsOf(id));
    const { cgroups, dirs, runtime } = this.#machine;
    await allToTheirEnds([
      cgroups.remove(monitorGroup(record)),
      cgroups.remove(record.cgroupPath),
      forgetContainer(runtime, id),
      releaseBundle(this.#bundleOf(record)).then(() =>
        rm(layerDir(dirs, instance), { recursive: true, force: true }),
      ),
    ]);
  }

  #sandboxFor(config: ContainerConfig): SandboxRecord {
    const sandbox = this.#machine.records.sandbox(config.pod.uid, config.sandboxAttempt);
    if (sandbox?.phase === 'ready') return sandbox;
    throw new PodwrightError('CreateFailed', `create container ${config.name}: its sandbox is not ready`);
  }

  #targetPid(config: ContainerConfig): number | undefined {
    if (config.targetContainer === undefined) return undefined;
    const running = [...(this.#machine.records.pod(config.pod.uid)?.containers.values() ?? [])].find(
      ({ phase, config: other }) => other.name === config.targetContainer && phase === 'running',
    );
    if (running?.process !== undefined) return running.process.pid;
    throw new PodwrightError('ConfigFailed', `target container ${config.targetContainer} is not running`);
  }

  async #build(config: ContainerConfig, record: ContainerRecord, signal: AbortSignal): Promise<void> {
    const instance = instanceOf(config);
    const { uid, name, attempt } = instance;
    const id = containerIdOf(instance);
    const sandbox = this.#sandboxFor(config);
    const cgroupsPath = record.cgroupPath;
    const runtime = await this.#machine.runtimes.tried(config.runtimeHandler);
    await spans.measure(uid, `create ${name}: root file system and bundle`, () =>
      prepareBundle(this.#machine, {
        config,
        instance,
        sandbox,
        cgroupsPath,
        targetPid: this.#targetPid(config),
        runtime,
      }),
    );
    const bundle = containerDir(this.#machine.dirs, instance);
    const { stdin, stdinOnce, tty } = config;
    const log = logPath(this.#machine.dirs, config.pod, name, attempt);
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
      const pid = await spans.measure(uid, `create ${name}: monitor and runtime`, () =>
        createUnderConmon(
          request,
          (own) => this.#machine.cgroups.addProcess(monitorGroup(record), own),
          signal,
        ),
      );
      await this.#machine.records.updateContainer(id, { phase: 'created', process: processName(pid) });
      this.#watchMonitor(id, this.#recordOf(id));
    } catch (error) {
      if (!isPodwrightError(error, 'CreateFailed') || !COMMAND_ERROR.test(error.message)) throw error;
      const command = readBundle(bundle).process.args[0] ?? '';
      await this.#machine.records.updateContainer(id, {
        phase: 'created',
        startError: commandErrorText(command, error.message),
      });
    }
    this.#machine.changed(uid);
  }

  async create(config: ContainerConfig, signal: AbortSignal): Promise<ContainerId> {
    const id = containerIdOf(instanceOf(config));
    const present = this.#machine.records.container(id);
    if (present !== undefined && present.phase !== 'creating') return id;
    if (present !== undefined) await this.#clear(present);
    signal.throwIfAborted();
    const { qosClass } = this.#sandboxFor(config).config;
    const { pod, sandboxAttempt, name, attempt, image, imageId, tty } = config;
    const { annotations, resources, terminationMessagePolicy, runtimeHandler } = config;
    const kept = {
      pod,
      sandboxAttempt,
      name,
      attempt,
      image,
      imageId,
      tty,
      annotations,
      resources,
      terminationMessagePolicy,
      runtimeHandler,
    };
    const cgroupPath = join(this.#machine.cgroups.podPath(pod.uid, qosClass), id);
    const record: ContainerRecord = {
      config: kept,
      createdAtMs: this.#machine.clock.nowMs(),
      cgroupPath,
      phase: 'creating',
    };
    await this.#machine.records.putContainer(record);
    try {
      await this.#build(config, record, signal);
      return id;
    } catch (error) {
      await this.#clear(this.#recordOf(id));
      await this.#machine.records.dropContainer(id);
      throw error;
    }
  }

  async #failStart(id: ContainerId, message: string): Promise<never> {
    const finishedAtMs = this.#machine.clock.nowMs();
    const exitCode = START_ERROR_EXIT_CODE;
    this.#watches.get(id)?.stop();
    this.#watches.delete(id);
    await this.#killContainer(this.#recordOf(id));
    await this.#exit(id, { kind: 'exited', finishedAtMs, exitCode, reason: 'StartError', message });
    throw new PodwrightError('StartFailed', message);
  }

  async start(id: ContainerId): Promise<void> {
    const record = this.#recordOf(id);
    if (record.phase === 'running' || record.phase === 'exited') return;
    if (record.phase === 'creating')
      throw new PodwrightError('StartFailed', `container ${id} was never created`);
    if (record.startError !== undefined) return this.#failStart(id, record.startError);
    await this.#machine.records.updateContainer(id, {
      phase: 'starting',
      startedAtMs: this.#machine.clock.nowMs(),
    });
    try {
      const { pod, name } = record.config;
      await spans.measure(pod.uid, `start ${name}: runtime`, () =>
        runtimeStart(this.#machine.runtimes.of(record.config.runtimeHandler), id),
      );
    } catch (error) {
      if (this.#recordOf(id).phase === 'exited') return;
      return this.#failStart(id, errorText(error));
    }
    // It may have run to its end meanwhile.
    if (this.#machine.records.container(id)?.phase === 'starting')
      await this.#machine.records.updateContainer(id, { phase: 'running' });
  }

  async signal(id: ContainerId, name: string): Promise<void> {
    const record = this.#recordOf(id);
    if (record.phase === 'exited') return;
    const stopSignalledAtMs = record.stopSignalledAtMs ?? this.#machine.clock.nowMs();
    await this.#machine.records.updateContainer(id, { stopSignalledAtMs });
    if (name === 'SIGKILL') await this.#killContainer(record);
    else if (record.process !== undefined) sendSignal(record.process, name);
  }

  async remove(id: ContainerId, options: { readonly log: 'keep' | 'remove' }): Promise<void> {
    const record = this.#machine.records.container(id);
    if (record === undefined) return;
    await this.#clear(record);
    const { pod, name, attempt } = record.config;
    if (options.log === 'remove') await removeLog(logPath(this.#machine.dirs, pod, name, attempt));
    await this.#machine.records.dropContainer(id);
  }

  /** Ends every container of a sandbox and waits until each is exited. */
  async endAll(uid: PodUid, sandboxAttempt: number): Promise<void> {
    const all = [...(this.#machine.records.pod(uid)?.containers.entries() ?? [])];
    const mine = all.filter(([, record]) => record.config.sandboxAttempt === sandboxAttempt);
    await Promise.all(
      mine.map(async ([id, record]) => {
        if (record.phase === 'exited' || record.phase === 'creating') return;
        await this.#killContainer(record);
        const watch = this.#watches.get(id);
        if (watch !== undefined) await within(BOUNDS.killWaitMs, watch.ended);
        await this.#settle(id);
      }),
    );
  }

  /** Somebody set the clock back while no engine ran: what has ended ended by now, else its back-off would last until then. */
  async #forgetFuture(id: ContainerId, { exit }: ContainerRecord): Promise<void> {
    const nowMs = this.#machine.clock.nowMs();
    if (exit === undefined || exit.finishedAtMs <= nowMs) return;
    await this.#machine.records.updateContainer(id, { exit: { ...exit, finishedAtMs: nowMs } });
  }

  async #adoptOne(id: ContainerId, record: ContainerRecord): Promise<void> {
    await this.#forgetFuture(id, record);
    if (record.phase === 'exited' || record.phase === 'creating' || record.startError !== undefined) return;
    if (record.phase === 'starting') {
      // Not known from a runtime that hangs or lies: it is started once more, which a running one refuses.
      const status = await runtimeStatus(this.#machine.runtimes.of(record.config.runtimeHandler), id).catch(
        () => 'created',
      );
      await this.#machine.records.updateContainer(id, {
        phase: status === 'created' ? 'created' : 'running',
      });
    }
    this.#watchMonitor(id, this.#recordOf(id));
    // A watch on what is gone already calls back at the next turn: observe() must not answer before.
    if (record.process === undefined || !isAlive(record.process)) {
      await within(BOUNDS.killWaitMs, this.#watches.get(id)?.ended ?? Promise.resolve());
    }
  }

  /** Takes up what an earlier engine left. */
  async adopt(): Promise<void> {
    const all = this.#machine.records.pods().flatMap((pod) => [...pod.containers]);
    await Promise.all(all.map(([id, record]) => this.#adoptOne(id, record)));
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }
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
