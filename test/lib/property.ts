// fast-check with a seed that can be given again: a failure prints the line that runs exactly that case.
import fc from 'fast-check';

export type PropertyOptions = { readonly file: string; readonly numRuns: number };

/** PODWRIGHT_RUNS multiplies the runs; PODWRIGHT_SEED and PODWRIGHT_PATH repeat one case. */
export async function assertProperty<Ts>(
  property: fc.IAsyncProperty<Ts>,
  options: PropertyOptions,
): Promise<void> {
  const { PODWRIGHT_SEED, PODWRIGHT_PATH, PODWRIGHT_RUNS } = process.env;
  const result = await fc.check(property, {
    numRuns: Math.ceil(options.numRuns * Number(PODWRIGHT_RUNS ?? 1)),
    ...(PODWRIGHT_SEED === undefined ? {} : { seed: Number(PODWRIGHT_SEED) }),
    ...(PODWRIGHT_PATH === undefined ? {} : { path: PODWRIGHT_PATH }),
  });
  if (!result.failed) return;
  const { seed, counterexamplePath, counterexample, errorInstance } = result;
  throw new Error(
    [
      `property failed after ${result.numRuns} runs and ${result.numShrinks} shrinks`,
      `counterexample: ${JSON.stringify(counterexample, null, 1)}`,
      `run it again: PODWRIGHT_SEED=${seed} PODWRIGHT_PATH=${counterexamplePath} node --test ${options.file}`,
    ].join('\n'),
    { cause: errorInstance },
  );
}
