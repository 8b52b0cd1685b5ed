// Who brings a pod up and down in the bench, and how they are measured: turn about, one pod each in every round, so that
// whatever else the machine does in that moment meets all of them.

export type Contestant = {
  readonly name: string;
  /** Brings the pod up: until all its containers run. One at a time. */
  up(): Promise<void>;
  /** Resolves when it is idle: what it does after a pod must not meet the next one's turn, nor its own. */
  settle?(): Promise<void>;
  /** Takes it away: until nothing of it is left on the machine. */
  down(): Promise<void>;
  /** Runs a command in the pod's first container to its end. */
  exec?(command: readonly string[]): Promise<void>;
  close(): Promise<void>;
};

export type Samples = { readonly upMs: number[]; readonly downMs: number[] };

/** Rounds that only warm up caches. */
const WARM_UP = 2;

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** Samples in the order of the contestants, who are closed at the end, also where one fails. */
export async function measurePods(
  contestants: readonly Contestant[],
  n: number,
): Promise<readonly Samples[]> {
  const samples: readonly Samples[] = contestants.map(() => ({ upMs: [], downMs: [] }));
  try {
    for (let round = -WARM_UP; round < n; round++) {
      for (const [index, contestant] of contestants.entries()) {
        await contestant.settle?.();
        const upMs = await timed(contestant.up);
        const downMs = await timed(contestant.down);
        await contestant.settle?.();
        if (round < 0) continue;
        samples[index]?.upMs.push(upMs);
        samples[index]?.downMs.push(downMs);
      }
    }
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
  return samples;
}

/** Milliseconds of one command each, turn about, in a pod that is up all the while. */
export async function measureExec(
  contestants: readonly Contestant[],
  n: number,
): Promise<readonly number[][]> {
  const samples = contestants.map((): number[] => []);
  try {
    for (const { up } of contestants) await up();
    for (let round = -WARM_UP; round < n; round++) {
      for (const [index, { exec }] of contestants.entries()) {
        if (exec === undefined) continue;
        const tookMs = await timed(() => exec(['true']));
        if (round >= 0) samples[index]?.push(tookMs);
      }
    }
    for (const { down } of contestants) await down();
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
  return samples;
}
