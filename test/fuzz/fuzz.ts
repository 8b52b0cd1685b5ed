// Fuzzing with a corpus: test/fuzz/corpus/<name>.json holds inputs that are tried every time, before the random ones. Whatever
// a run finds goes there. PODWRIGHT_RUNS=100 fuzzes a hundred times as long.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { isPodwrightError } from '../../src/base/errors.ts';
import { assertProperty } from '../lib/property.ts';

const RUNS = 300;

export function corpus<T>(name: string): T[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'corpus', `${name}.json`), 'utf8')) as T[];
}

export type Fuzz<T> = {
  readonly file: string;
  /** Of its file in the corpus. */
  readonly corpus: string;
  readonly input: fc.Arbitrary<T>;
  readonly runs?: number;
};

/** Fails where the law throws for some input of the corpus or for some random one. */
export async function fuzz<T>(options: Fuzz<T>, law: (input: T) => Promise<void> | void): Promise<void> {
  const property = fc.asyncProperty(options.input, async (input) => law(input));
  const examples = corpus<T>(options.corpus).map((input): [T] => [input]);
  const { file, runs: numRuns = RUNS } = options;
  await assertProperty(property, { file: `test/fuzz/${file}`, numRuns, examples });
}

/** The law of everything that reads what others wrote: it gives an answer or an error that says what is wrong with it. */
export async function answersOrRefuses(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isPodwrightError(error)) throw error;
  }
}

/** Text that looks like what is read: the given words in any order, with anything between them. */
export function textOf(words: readonly string[]): fc.Arbitrary<string> {
  const anything = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }));
  const piece = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...words) }, anything);
  return fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));
}

/** The value with one place of it replaced by anything. */
export function mutations(value: unknown): fc.Arbitrary<unknown> {
  const places = placesOf(value);
  return fc.tuple(fc.constantFrom(...places), fc.jsonValue()).map(([place, other]) => {
    if (place.length === 0) return other;
    const copy = structuredClone(value) as unknown;
    let holder = copy as { [key: string | number]: unknown };
    for (const key of place.slice(0, -1)) holder = holder[key] as typeof holder;
    holder[place.at(-1) ?? ''] = other;
    return copy;
  });
}

type Place = readonly (string | number)[];

function placesOf(value: unknown, place: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...place, key]))];
}
