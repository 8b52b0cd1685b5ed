// How long a pod takes: created through the API until a watcher sees all its containers running, and deleted with grace 0
// until nothing of it is left on the machine; and a command in it. Beside the bare floor and podman, turn about.
import { type Contestant, measureExec, measurePods } from './contestant.ts';
import { openEngine } from './engine.ts';
import { openFloor } from './floor.ts';
import { type BenchOptions, runtimeFlags } from './options.ts';
import { openPodman } from './podman.ts';
import { type Row, summarize } from './statistics.ts';

/** The floor is the first. */
async function contestants(containers: number, options: BenchOptions): Promise<readonly Contestant[]> {
  const floor = await openFloor(containers, options);
  return [
    { ...floor, name: `bare floor (${floor.runtime})` },
    await openEngine(containers, { flags: runtimeFlags(options) }),
    ...(await openPodman(containers, options)),
  ];
}

function rows(what: string, names: readonly string[], samples: readonly (readonly number[])[]): Row[] {
  const floor = samples[0] ?? [];
  return samples.flatMap((own, index): Row[] => {
    if (own.length === 0) return [];
    const against = index === 0 ? undefined : { what: 'floor', p50: summarize(floor).p50 };
    return [{ what: `${what}: ${names[index]}`, unit: 'ms', summary: summarize(own), against }];
  });
}

export async function benchPods(options: BenchOptions): Promise<readonly Row[]> {
  const all: Row[] = [];
  for (const containers of [1, 2]) {
    const list = await contestants(containers, options);
    const names = list.map(({ name }) => name);
    const samples = await measurePods(list, options.n);
    const what = `pod with ${containers} container${containers === 1 ? '' : 's'}`;
    const upMs = samples.map((one) => one.upMs);
    const downMs = samples.map((one) => one.downMs);
    all.push(...rows(`${what}, create to running`, names, upMs));
    all.push(...rows(`${what}, delete until nothing is left`, names, downMs));
  }
  return all;
}

export async function benchExec(options: BenchOptions): Promise<readonly Row[]> {
  const list = await contestants(1, options);
  const samples = await measureExec(list, options.n);
  return rows(
    'exec of `true`',
    list.map(({ name }) => name),
    samples,
  );
}
