// The logs of containers as the machine's users ask for them: read, measured, put aside.
import { stat } from 'node:fs/promises';
import type { ContainerId } from '../base/brand.ts';
import { PodwrightError } from '../base/errors.ts';
import { askToReopenLog } from './conmon.ts';
import { readCriLog } from './cri-log.ts';
import { containerDir, logPath, type MachineDirs } from './layout.ts';
import { rotateLog } from './log-files.ts';
import type { Machine } from './machine.ts';
import type { MachineContext } from './machine-context.ts';
import { type ContainerRecord, instanceOf } from './records.ts';

type Logs = Pick<Machine, 'readLog' | 'logBytes' | 'rotateLog'>;

export function containerLogs({ dirs, records, clock }: MachineContext, onChange: Machine['onChange']): Logs {
  const runningOf = (id: ContainerId): ContainerRecord | undefined => {
    const record = records.container(id);
    return record?.phase === 'running' ? record : undefined;
  };
  return {
    readLog(id, options, signal) {
      const record = records.container(id);
      if (record === undefined) throw new PodwrightError('NotFound', `container ${id} does not exist`);
      const log = {
        path: pathOf(dirs, record),
        ended: () => (records.container(id)?.phase ?? 'exited') === 'exited',
        onChange: (callback: () => void) => onChange((uid) => uid === record.config.pod.uid && callback()),
      };
      return readCriLog(log, options, signal);
    },
    async logBytes(id) {
      const record = runningOf(id);
      if (record === undefined) return undefined;
      return (await stat(pathOf(dirs, record)).catch(() => undefined))?.size;
    },
    async rotateLog(id, filesMax) {
      const record = runningOf(id);
      if (record === undefined) return;
      const reopen = (): boolean => askToReopenLog(containerDir(dirs, instanceOf(record.config)));
      await rotateLog({ path: pathOf(dirs, record), filesMax, nowMs: clock.nowMs(), reopen });
    },
  };
}

const pathOf = (dirs: MachineDirs, { config: { pod, name, attempt } }: ContainerRecord): string =>
  logPath(dirs, pod, name, attempt);
