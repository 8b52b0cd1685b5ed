// A pod's sandbox: the infra container, the namespaces it holds, their network, the shared /dev/shm and /etc files. What it
// is made of, step by step, is sandbox-steps.ts.
//
// The infra container has no monitor. Its standard output is a fifo whose reading end the engine holds: the kernel
// tells of its death through that, also to an engine that came later.
//
// Invariant: the record is on disk before the first step and goes after the last undo.
import { errorText } from '../base/errors.ts';
import { spans } from '../base/spans.ts';
import { sandboxDir } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import type { SandboxConfig } from './model/sandbox.ts';
import type { SandboxRecord } from './records.ts';
import { type Building, build, lifeFifo, SANDBOX_STEPS, sandboxIdOf, undo } from './sandbox-steps.ts';
import { onWritersGone, openFifoReader } from './system/fifo.ts';
import type { WarmSandboxes } from './warm-sandboxes.ts';

function buildingOf(machine: MachineContext, record: SandboxRecord): Building {
  const { config } = record;
  const { uid } = config.pod;
  return {
    config,
    record,
    id: sandboxIdOf(uid, config.attempt),
    dir: sandboxDir(machine.dirs, uid, config.attempt),
    podCgroup: machine.cgroups.podPath(uid, config.qosClass),
    save: machine.records.putSandbox,
  };
}

type Making = { readonly config: SandboxConfig; readonly warm: WarmSandboxes; readonly signal: AbortSignal };

/** Once; leaves nothing behind when it throws. */
async function makeSandbox(machine: MachineContext, { config, warm, signal }: Making): Promise<void> {
  const { records, clock, log } = machine;
  const { uid } = config.pod;
  const record: SandboxRecord = { config, createdAtMs: clock.nowMs(), phase: 'creating', ips: [] };
  await spans.measure(uid, 'sandbox: record', () => records.putSandbox(record));
  const taken = warm.take(config);
  const building: Building = { ...buildingOf(machine, record), warm: taken };
  try {
    await build(machine, building, { steps: SANDBOX_STEPS, signal });
    // What is the pod's by now must not go with the names it had before.
    if (taken !== undefined) await warm.forget(taken);
    await records.putSandbox({ ...building.record, phase: 'ready' });
  } catch (error) {
    await undo(machine, building, SANDBOX_STEPS).catch((left: unknown) =>
      log.warn(errorText(left), { pod: uid }),
    );
    if (taken !== undefined) await warm.discard(taken);
    await records.dropSandbox(uid, config.attempt);
    throw error;
  }
}

/** Harmless where the sandbox is ready already. Leaves nothing behind when it throws. */
export async function createSandbox(
  machine: MachineContext,
  config: SandboxConfig,
  { warm, signal }: Pick<Making, 'warm' | 'signal'>,
): Promise<void> {
  const { records } = machine;
  const { uid } = config.pod;
  const present = records.sandbox(uid, config.attempt);
  if (present?.phase === 'ready') return;
  await records.addPod(config.pod);
  if (present !== undefined) await undo(machine, buildingOf(machine, present), SANDBOX_STEPS);
  try {
    await makeSandbox(machine, { config, warm, signal });
  } catch (error) {
    // A pod comes before what only might be used: an address, memory, a process.
    if (signal.aborted || !(await warm.giveBack())) throw error;
    await makeSandbox(machine, { config, warm, signal });
  }
}

/** Ends the infra container and gives the network back; the record stays. Harmless in every state. */
export async function stopSandbox(machine: MachineContext, record: SandboxRecord): Promise<void> {
  if (record.phase === 'stopped') return;
  await undo(machine, buildingOf(machine, record), SANDBOX_STEPS);
  await machine.records.putSandbox({ ...record, phase: 'stopped', ips: [] });
}

/** Tells when the infra container is gone. Returns the undo. */
export function watchInfra(machine: MachineContext, record: SandboxRecord, onDeath: () => void): () => void {
  const dir = sandboxDir(machine.dirs, record.config.pod.uid, record.config.attempt);
  return onWritersGone(openFifoReader(lifeFifo(dir)), onDeath);
}
