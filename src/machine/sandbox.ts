// A pod's sandbox: the infra container, the namespaces it holds, their network, the shared /dev/shm and /etc files.
//
// The infra container has no monitor. Its standard output is a fifo whose reading end the engine holds: the kernel
// tells of its death through that, also to an engine that came later.
//
// Invariants
// - Set-up is the list of steps below; each has an undo that works where the step never ran or was cut off.
// - The record is on disk before the first step and goes after the last undo.
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodUid } from '../base/brand.ts';
import { errorText, PodwrightError } from '../base/errors.ts';
import { spans } from '../base/spans.ts';
import { hostnameText, hostsText, resolvConfText } from './etc-files.ts';
import { sandboxDir } from './layout.ts';
import type { SandboxConfig } from './machine.ts';
import type { MachineContext } from './machine-context.ts';
import type { SandboxRecord } from './records.ts';
import { infraSpec } from './runtime/oci-spec.ts';
import { forgetContainer, pidFileOf, runtimeCreate } from './runtime/runtime.ts';
import { makeFifo, onWritersGone, openFifoReader } from './system/fifo.ts';
import { MS, mount, unmount } from './system/libc.ts';
import { isAlive, processName } from './system/processes.ts';

const SHM_BYTES = 64 * 1024 * 1024;

/** Cannot be a container's id, which has one underscore more: Kubernetes names have none. */
export const sandboxIdOf = (uid: PodUid, attempt: number): string => `${uid}_${attempt}`;
export const shmDir = (dir: string): string => join(dir, 'shm');
const lifeFifo = (dir: string): string => join(dir, 'life');

type Building = {
  readonly config: SandboxConfig;
  readonly id: string;
  readonly dir: string;
  readonly podCgroup: string;
  record: SandboxRecord;
};

type Step = {
  readonly name: string;
  up(machine: MachineContext, building: Building, signal: AbortSignal): Promise<void>;
  /** Also where up never ran, or was cut off by a crash. */
  down(machine: MachineContext, building: Building): Promise<void>;
};

const cgroupStep: Step = {
  name: 'cgroup',
  up: ({ cgroups }, { podCgroup, config }) => cgroups.createPod(podCgroup, config.podResources),
  // The pod's own group stays for its next sandbox; removePod takes it.
  down: async ({ cgroups }, { podCgroup, id }) => cgroups.remove(join(podCgroup, id)),
};

const shmStep: Step = {
  name: 'shared memory',
  up: async (_, { config, dir }) => {
    await mkdir(shmDir(dir), { recursive: true });
    if (config.namespaces.ipc === 'node') return;
    unmount(shmDir(dir));
    mount('shm', shmDir(dir), 'tmpfs', MS.NOSUID | MS.NOEXEC | MS.NODEV, `mode=1777,size=${SHM_BYTES}`);
  },
  down: async (_, { dir }) => {
    while (unmount(shmDir(dir)));
  },
};

/** The infra container's output is the fifo's writing end. Throws CreateFailed with the runtime's message. */
async function runInfra(
  { runtime }: MachineContext,
  { dir, id }: Building,
  signal: AbortSignal,
): Promise<void> {
  // A reader must be there before a writer can open without waiting.
  const reader = openFifoReader(lifeFifo(dir));
  const life = openSync(lifeFifo(dir), constants.O_WRONLY);
  try {
    await runtimeCreate(runtime, 'run', { id, bundle: dir, output: life, signal });
  } finally {
    closeSync(life);
    if (reader !== undefined) closeSync(reader);
  }
}

const infraStep: Step = {
  name: 'infra container',
  up: async (machine, building, signal) => {
    const { config, dir, id, podCgroup } = building;
    const { infra, facts, records } = machine;
    makeFifo(lifeFifo(dir));
    const spec = infraSpec({ config, ...infra, cgroupsPath: join(podCgroup, id), facts });
    await writeFile(join(dir, 'config.json'), JSON.stringify(spec));
    await spans.measure(config.pod.uid, 'infra container: runtime', () =>
      runInfra(machine, building, signal),
    );
    const process = processName(Number(await readFile(pidFileOf(dir), 'utf8')));
    if (process === undefined)
      throw new PodwrightError('CreateFailed', `infra container ${id} ended at once`);
    building.record = { ...building.record, infra: process };
    await records.putSandbox(building.record);
  },
  down: async ({ runtime, cgroups }, { podCgroup, id }) => {
    await cgroups.killAll(join(podCgroup, id));
    await forgetContainer(runtime, id);
  },
};

const networkStep: Step = {
  name: 'network',
  up: async ({ network }, building, signal) => {
    const { config, id, record } = building;
    if (config.namespaces.network === 'node') return;
    const netnsPath = `/proc/${record.infra?.pid}/ns/net`;
    const request = { pod: config.pod, sandboxId: id, netnsPath, portMappings: config.portMappings };
    building.record = { ...record, ips: await network.add(request, signal) };
  },
  down: async ({ network }, { config, id, record }) => {
    if (config.namespaces.network === 'node') return;
    const { infra } = record;
    const netnsPath = infra !== undefined && isAlive(infra) ? `/proc/${infra.pid}/ns/net` : undefined;
    await network.remove({ pod: config.pod, sandboxId: id, netnsPath, portMappings: config.portMappings });
  },
};

const etcStep: Step = {
  name: 'etc files',
  up: async (_, { config, dir, record }) => {
    await Promise.all([
      writeFile(join(dir, 'hosts'), hostsText(config, record.ips), { mode: 0o644 }),
      writeFile(join(dir, 'hostname'), hostnameText(config), { mode: 0o644 }),
      writeFile(join(dir, 'resolv.conf'), resolvConfText(config.dns), { mode: 0o644 }),
    ]);
  },
  down: async (_, { dir }) => {
    for (const file of ['hosts', 'hostname', 'resolv.conf']) rmSync(join(dir, file), { force: true });
  },
};

const STEPS: readonly Step[] = [cgroupStep, shmStep, infraStep, networkStep, etcStep];

function buildingOf(machine: MachineContext, record: SandboxRecord): Building {
  const { config } = record;
  const { uid } = config.pod;
  return {
    config,
    record,
    id: sandboxIdOf(uid, config.attempt),
    dir: sandboxDir(machine.dirs, uid, config.attempt),
    podCgroup: machine.cgroups.podPath(uid, config.qosClass),
  };
}

/** Every step back, the last first; one that fails does not keep the others from their turn. */
async function undo(machine: MachineContext, building: Building): Promise<void> {
  const failures: string[] = [];
  for (const step of [...STEPS].reverse()) {
    try {
      await spans.measure(building.config.pod.uid, `sandbox, undo: ${step.name}`, () =>
        step.down(machine, building),
      );
    } catch (error) {
      failures.push(`${step.name}: ${errorText(error)}`);
    }
  }
  if (failures.length > 0) {
    throw new PodwrightError('SystemCall', `undo sandbox ${building.id}: ${failures.join('; ')}`);
  }
}

/** Harmless where the sandbox is ready already. Leaves nothing behind when it throws. */
export async function createSandbox(
  machine: MachineContext,
  config: SandboxConfig,
  signal: AbortSignal,
): Promise<void> {
  const { records, clock, log } = machine;
  const { uid } = config.pod;
  const present = records.sandbox(uid, config.attempt);
  if (present?.phase === 'ready') return;
  await records.addPod(config.pod);
  if (present !== undefined) await undo(machine, buildingOf(machine, present));
  const record: SandboxRecord = { config, createdAtMs: clock.nowMs(), phase: 'creating', ips: [] };
  await spans.measure(uid, 'sandbox: record', () => records.putSandbox(record));
  const building = buildingOf(machine, record);
  try {
    for (const step of STEPS) {
      signal.throwIfAborted();
      await spans.measure(uid, `sandbox: ${step.name}`, () => step.up(machine, building, signal));
    }
    await records.putSandbox({ ...building.record, phase: 'ready' });
  } catch (error) {
    await undo(machine, building).catch((left: unknown) => log.warn(errorText(left), { pod: uid }));
    await records.dropSandbox(uid, config.attempt);
    throw error;
  }
}

/** Ends the infra container and gives the network back; the record stays. Harmless in every state. */
export async function stopSandbox(machine: MachineContext, record: SandboxRecord): Promise<void> {
  if (record.phase === 'stopped') return;
  await undo(machine, buildingOf(machine, record));
  await machine.records.putSandbox({ ...record, phase: 'stopped', ips: [] });
}

/** Tells when the infra container is gone. Returns the undo. */
export function watchInfra(machine: MachineContext, record: SandboxRecord, onDeath: () => void): () => void {
  const dir = sandboxDir(machine.dirs, record.config.pod.uid, record.config.attempt);
  return onWritersGone(openFifoReader(lifeFifo(dir)), onDeath);
}
