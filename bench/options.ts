// What every section of the bench is told.
import type { RuntimeName } from '../src/machine/runtime/runtime.ts';

export type BenchOptions = {
  /** Rounds; of density, pods. */
  readonly n: number;
  /** Absent: the first that works. */
  readonly runtime?: RuntimeName | undefined;
};

/** Of an engine under measurement. */
export const runtimeFlags = ({ runtime }: BenchOptions): readonly string[] =>
  runtime === undefined ? [] : ['--runtime', runtime];
