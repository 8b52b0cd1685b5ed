// Many pods at once: until all run, what a request takes meanwhile, what the engine and the pods weigh then and when idle,
// and how soon an engine that was killed has them again.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PODS } from '../src/client/resources.ts';
import { TestEngine } from '../test/lib/engine.ts';
import { benchPod, isRunning } from './engine.ts';
import { type BenchOptions, runtimeFlags } from './options.ts';
import { type Row, summarize } from './statistics.ts';

const namespace = 'default';
/** As a client that asks now and then would. */
const GET_EVERY_MS = 20;
const IDLE_MS = 5_000;
const COMMANDS_MAX = 10;
/** USER_HZ, the same everywhere. */
const TICK_MS = 10;

const kibOf = (pid: string | number, file: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]);

const rssMiB = (pid: number): number => kibOf(pid, 'status', 'VmRSS') / 1024;

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

const row = (what: string, unit: string, samples: readonly number[]): Row => ({
  what,
  unit,
  summary: summarize(samples),
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

async function runAll(engine: TestEngine, pods: number): Promise<void> {
  const { api } = engine;
  const ended = new AbortController();
  const { resourceVersion } = await api.list(PODS, { namespace });
  const running = new Set<string>();
  const watching = (async () => {
    for await (const event of api.watch(PODS, { namespace, resourceVersion, signal: ended.signal })) {
      if (event.type === 'BOOKMARK') continue;
      if (isRunning(event.object, 1)) running.add(event.object.metadata?.name ?? '');
      if (running.size === pods) return;
    }
  })();
  for (let i = 0; i < pods; i++) await api.create(PODS, benchPod(`pod-${i}`, 1));
  await watching;
  ended.abort();
}

/** Milliseconds of each request while the work goes on, over one connection, as a client keeps it. */
async function requestsDuring(engine: TestEngine, work: () => Promise<void>): Promise<readonly number[]> {
  const { api } = engine;
  const took: number[] = [];
  let isDone = false;
  const asking = (async () => {
    while (!isDone) {
      took.push(await timed(() => api.list(PODS, { namespace: 'kube-system' })));
      await sleep(GET_EVERY_MS);
    }
  })();
  await work();
  isDone = true;
  await asking;
  return took;
}

/** Proportional memory of what a pod needs beside its app, by program. */
function besideApps({ instance }: TestEngine): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>([
    ['/pause', []],
    ['conmon', []],
  ]);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const group = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      if (!group.includes(`podwright-${instance}/`) || group.includes('/warm/')) continue;
      const program =
        readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          .split('\0')[0]
          ?.replace(/^.*\/(?=conmon$)/, '') ?? '';
      found.get(program)?.push(kibOf(pid, 'smaps_rollup', 'Pss') / 1024);
    } catch {
      // It has just ended.
    }
  }
  return found;
}

/** Milliseconds until an engine that was killed answers again, with every pod running as before. */
async function adopt(engine: TestEngine, pods: number): Promise<number> {
  await engine.kill('SIGKILL');
  const tookMs = await timed(() => engine.start());
  const { items } = await engine.api.list(PODS, { namespace });
  const isSame = (restarts: number | undefined): boolean => restarts === 0;
  const kept = items.filter(
    (pod) => isRunning(pod, 1) && isSame(pod.status?.containerStatuses?.[0]?.restartCount),
  );
  if (kept.length !== pods) throw new Error(`${kept.length} of ${pods} pods outlived the engine`);
  return tookMs;
}

async function commands(engine: TestEngine): Promise<readonly number[]> {
  const took: number[] = [];
  for (let i = 0; i < COMMANDS_MAX; i++) took.push(await timed(() => engine.podwright('ps')));
  return took;
}

async function cpuPercent(pid: number): Promise<number> {
  const before = cpuMs(pid);
  await sleep(IDLE_MS);
  return (100 * (cpuMs(pid) - before)) / IDLE_MS;
}

/** One round: `n` is the number of pods. */
export async function benchDensity(options: BenchOptions): Promise<readonly Row[]> {
  const { n } = options;
  const engine = new TestEngine({ arguments: runtimeFlags(options) });
  try {
    const firstMs = await timed(() => engine.start());
    await engine.loadImage('busybox');
    await engine.kill('SIGTERM');
    const readyMs = await timed(() => engine.start());
    await sleep(IDLE_MS);
    const [idleMiB, idlePercent] = [rssMiB(engine.pid), await cpuPercent(engine.pid)];
    let allMs = 0;
    const requests = await requestsDuring(engine, async () => {
      allMs = await timed(() => runAll(engine, n));
    });
    const loadedMiB = rssMiB(engine.pid);
    const beside = [...besideApps(engine)].map(([program, mib]) =>
      row(`a pod's ${program}: proportional`, 'MiB', mib),
    );
    const ps = await commands(engine);
    return [
      row('serve until ready, the first time', 'ms', [firstMs]),
      row('serve until ready', 'ms', [readyMs]),
      row('engine, idle: resident', 'MiB', [idleMiB]),
      row('engine, idle: of one core', '%', [idlePercent]),
      row(`${n} pods at once until all run, each`, 'ms', [allMs / n]),
      row('a request meanwhile', 'ms', requests),
      row(`engine with ${n} pods: resident`, 'MiB', [loadedMiB]),
      ...beside,
      row('`podwright ps` from a cold start', 'ms', ps),
      row(`engine killed, until it answers with all ${n} pods`, 'ms', [await adopt(engine, n)]),
    ];
  } finally {
    await engine.close();
  }
}
