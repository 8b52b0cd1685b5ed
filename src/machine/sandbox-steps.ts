// The steps that a sandbox is made of, each with the undo that works where the step never ran or was cut off.
//
// A warm sandbox (warm-sandboxes.ts) was made by the same steps under names of its own; where a pod takes one, the steps
// put what is there under the pod's names in place of making it.
import { closeSync, constants, openSync, renameSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodUid } from '../base/brand.ts';
import { errorText, PodwrightError } from '../base/errors.ts';
import { spans } from '../base/spans.ts';
import { hostnameText, hostsText, resolvConfText } from './etc-files.ts';
import type { MachineContext } from './machine-context.ts';
import type { SandboxConfig } from './model/sandbox.ts';
import type { SandboxRecord } from './records.ts';
import { infraSpec } from './runtime/oci-spec.ts';
import { forgetContainer, pidFileOf, renameContainer, runtimeCreate } from './runtime/runtime.ts';
import { makeFifo, openFifoReader } from './system/fifo.ts';
import { MS, mountAside, unmountAside } from './system/libc.ts';
import { setHostname } from './system/namespaces.ts';
import { isAlive, type ProcessName, processName } from './system/processes.ts';

const SHM_BYTES = 64 * 1024 * 1024;

/** Cannot be a container's id, which has one underscore more: Kubernetes names have none. */
export const sandboxIdOf = (uid: PodUid, attempt: number): string => `${uid}_${attempt}`;
export const shmDir = (dir: string): string => join(dir, 'shm');
export const lifeFifo = (dir: string): string => join(dir, 'life');

/** A sandbox's infra container and network, ready under names of their own. */
export type WarmSandbox = {
  readonly id: string;
  readonly dir: string;
  readonly cgroup: string;
  readonly infra: ProcessName;
};

export type Building = {
  readonly config: SandboxConfig;
  readonly id: string;
  readonly dir: string;
  /** The group in which the infra container has its own. */
  readonly podCgroup: string;
  readonly warm?: WarmSandbox | undefined;
  readonly save: (record: SandboxRecord) => Promise<void>;
  record: SandboxRecord;
};

export type Step = {
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
    await unmountAside(shmDir(dir));
    await mountAside(
      'shm',
      shmDir(dir),
      'tmpfs',
      MS.NOSUID | MS.NOEXEC | MS.NODEV,
      `mode=1777,size=${SHM_BYTES}`,
    );
  },
  down: async (_, { dir }) => {
    while (await unmountAside(shmDir(dir)));
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

async function makeInfra(
  machine: MachineContext,
  building: Building,
  signal: AbortSignal,
): Promise<ProcessName> {
  const { config, dir, id, podCgroup } = building;
  const { infra, facts } = machine;
  makeFifo(lifeFifo(dir));
  const spec = infraSpec({ config, ...infra, cgroupsPath: join(podCgroup, id), facts });
  await writeFile(join(dir, 'config.json'), JSON.stringify(spec));
  await spans.measure(config.pod.uid, 'infra container: runtime', () => runInfra(machine, building, signal));
  const process = processName(Number(await readFile(pidFileOf(dir), 'utf8')));
  if (process === undefined) throw new PodwrightError('CreateFailed', `infra container ${id} ended at once`);
  return process;
}

/** The same infra container under the pod's names: hostname, cgroup, runtime's state and files. */
async function takeInfra(
  { runtime, cgroups }: MachineContext,
  { config, dir, id, podCgroup }: Building,
  warm: WarmSandbox,
): Promise<ProcessName> {
  setHostname(`/proc/${warm.infra.pid}/ns/uts`, config.hostname);
  for (const path of [lifeFifo(dir), pidFileOf(dir), join(dir, 'config.json')])
    renameSync(path.replace(dir, warm.dir), path);
  renameContainer(runtime, warm.id, id);
  await cgroups.moveInfra(warm.infra.pid, join(podCgroup, id));
  return warm.infra;
}

const infraStep: Step = {
  name: 'infra container',
  up: async (machine, building, signal) => {
    const { warm } = building;
    const infra =
      warm === undefined
        ? await makeInfra(machine, building, signal)
        : await takeInfra(machine, building, warm);
    building.record = { ...building.record, infra };
    await building.save(building.record);
  },
  down: async ({ runtime, cgroups }, { podCgroup, id }) => {
    await cgroups.killAll(join(podCgroup, id));
    await forgetContainer(runtime, id);
  },
};

const networkStep: Step = {
  name: 'network',
  up: async ({ network }, building, signal) => {
    const { config, id, record, warm } = building;
    if (config.namespaces.network === 'node') return;
    const netnsPath = `/proc/${record.infra?.pid}/ns/net`;
    const request = { pod: config.pod, sandboxId: id, netnsPath, portMappings: config.portMappings };
    const ips = await (warm === undefined || network.handOver === undefined
      ? network.add(request, signal)
      : network.handOver(warm.id, request, signal));
    building.record = { ...record, ips };
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

/** A pod's sandbox. */
export const SANDBOX_STEPS: readonly Step[] = [cgroupStep, shmStep, infraStep, networkStep, etcStep];
/** What of it can be there before the pod is known. */
export const WARM_STEPS: readonly Step[] = [cgroupStep, infraStep, networkStep];

export async function build(
  machine: MachineContext,
  building: Building,
  { steps, signal }: { readonly steps: readonly Step[]; readonly signal: AbortSignal },
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    await spans.measure(building.config.pod.uid, `sandbox: ${step.name}`, () =>
      step.up(machine, building, signal),
    );
  }
}

/** Every step back, the last first; one that fails does not keep the others from their turn. */
export async function undo(
  machine: MachineContext,
  building: Building,
  steps: readonly Step[],
): Promise<void> {
  const failures: string[] = [];
  for (const step of [...steps].reverse()) {
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
