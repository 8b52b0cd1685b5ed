// What starting a program costs by posix_spawn and by child_process, for a small and for a grown engine: time until the
// program has ended, and the time for which the event loop stands still meanwhile.
import { type Launch, type Launched, launchByChildProcess } from '../src/machine/system/launch.ts';
import { launchByPosixSpawn } from '../src/machine/system/posix-spawn.ts';

const ROUNDS = 100;
const request: Launch = {
  path: '/bin/true',
  args: [],
  env: {},
  stdio: ['null', 'output', 'output'],
  lifetime: 'call',
};

const median = (values: readonly number[]): string =>
  ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0).toFixed(2);

async function measure(name: string, launch: (request: Launch) => Promise<Launched>): Promise<void> {
  const blocked: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    const starting = launch(request);
    blocked.push(performance.now() - begin);
    const child = await starting;
    await child.exited;
    whole.push(performance.now() - begin);
    for (const pipe of child.pipes) pipe?.destroy();
  }
  const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
  console.log(
    `${name}, engine of ${rssMb} MB: stands still ${median(blocked)} ms, until ended ${median(whole)} ms (p50 of ${ROUNDS})`,
  );
}

const ways = { posix_spawn: launchByPosixSpawn, child_process: launchByChildProcess };
for (const [name, launch] of Object.entries(ways)) await measure(name, launch);
const heap = Array.from({ length: 300 }, () => Array.from({ length: 2 ** 17 }, (_, index) => index + 0.5));
for (const [name, launch] of Object.entries(ways)) await measure(name, launch);
console.log(`heap held: ${heap.length} MB`);
