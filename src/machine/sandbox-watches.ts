// The deaths of infra containers, noticed.
//
// Invariant: each ready sandbox has one watch; its end makes the sandbox dead and is told.
import type { PodUid } from '../base/brand.ts';
import { errorText } from '../base/errors.ts';
import type { MachineContext } from './machine-context.ts';
import type { SandboxRecord } from './records.ts';
import { watchInfra } from './sandbox.ts';
import { sandboxIdOf } from './sandbox-steps.ts';
import { isAlive } from './system/processes.ts';

export type SandboxWatches = {
  watch(record: SandboxRecord): void;
  unwatch(uid: PodUid, attempt: number): void;
  adopt(): Promise<void>;
  close(): void;
};

export function createSandboxWatches(context: MachineContext): SandboxWatches {
  const { records, log } = context;
  const stops = new Map<string, () => void>();
  const dead = async ({ config }: SandboxRecord): Promise<void> => {
    const { uid } = config.pod;
    stops.delete(sandboxIdOf(uid, config.attempt));
    if (records.sandbox(uid, config.attempt)?.phase !== 'ready') return;
    await records.updateSandbox(uid, config.attempt, { phase: 'dead' });
    context.changed(uid);
  };
  const watch = (record: SandboxRecord): void => {
    const onDeath = (): void => {
      dead(record).catch((error: unknown) => log.error('infra container end', { error: errorText(error) }));
    };
    stops.set(
      sandboxIdOf(record.config.pod.uid, record.config.attempt),
      watchInfra(context, record, onDeath),
    );
  };
  const adopt = async (): Promise<void> => {
    for (const pod of records.pods()) {
      for (const record of pod.sandboxes.values()) {
        if (record.phase !== 'ready') continue;
        if (record.infra !== undefined && isAlive(record.infra)) watch(record);
        else await dead(record);
      }
    }
  };
  const unwatch = (uid: PodUid, attempt: number): void => {
    const id = sandboxIdOf(uid, attempt);
    stops.get(id)?.();
    stops.delete(id);
  };
  const close = (): void => {
    for (const stop of stops.values()) stop();
    stops.clear();
  };
  return { watch, unwatch, adopt, close };
}
