// fast-check with a seed that can be given again: a failure prints the line that runs exactly that case.
import fc from 'fast-check';

export type PropertyOptions<Ts = unknown> = {
  readonly file: string;
  readonly numRuns: number;
  /** Tried first, every time: what once failed, and what is known to be awkward. */
  readonly examples?: Ts[];
};

/** Characters of a counterexample that a person still reads. */
const SHOWN = 10_000;

/** PODWRIGHT_RUNS multiplies the runs; PODWRIGHT_SEED and PODWRIGHT_PATH repeat one case. */
export async function assertProperty<Ts>(
  property: fc.IAsyncProperty<Ts>,
  options: PropertyOptions<Ts>,
): Promise<void> {
  const { PODWRIGHT_SEED, PODWRIGHT_PATH, PODWRIGHT_RUNS } = process.env;
  const result = await fc.check(property, {
    numRuns: (options.examples?.length ?? 0) + Math.ceil(options.numRuns * Number(PODWRIGHT_RUNS ?? 1)),
    ...(options.examples === undefined ? {} : { examples: options.examples }),
    ...(PODWRIGHT_SEED === undefined ? {} : { seed: Number(PODWRIGHT_SEED) }),
    ...(PODWRIGHT_PATH === undefined ? {} : { path: PODWRIGHT_PATH }),
  });
  if (!result.failed) return;
  const { seed, counterexamplePath, counterexample, errorInstance } = result;
  throw new Error(
    [
      `property failed after ${result.numRuns} runs and ${result.numShrinks} shrinks`,
      `counterexample: ${JSON.stringify(counterexample, null, 1).slice(0, SHOWN)}`,
      `run it again: PODWRIGHT_SEED=${seed} PODWRIGHT_PATH=${counterexamplePath} node --test ${options.file}`,
    ].join('\n'),
    { cause: errorInstance },
  );
}
