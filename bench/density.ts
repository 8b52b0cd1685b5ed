// Many pods at once: until all run, what a GET takes meanwhile, and what the engine weighs then and when idle.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PODS } from '../src/client/resources.ts';
import { TestEngine } from '../test/lib/engine.ts';
import { benchPod, isRunning } from './engine.ts';
import { type Row, summarize } from './statistics.ts';

const namespace = 'default';
/** As a client that asks now and then would. */
const GET_EVERY_MS = 20;

/** Resident set of a process in MiB. */
function rssMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

const row = (what: string, unit: string, samples: readonly number[]): Row => ({
  what,
  unit,
  summary: summarize(samples),
});

async function runAll(engine: TestEngine, pods: number): Promise<number> {
  const { api } = engine;
  const ended = new AbortController();
  const { resourceVersion } = await api.list(PODS, { namespace });
  const running = new Set<string>();
  const startMs = performance.now();
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
  return performance.now() - startMs;
}

/** One round: `n` is the number of pods. */
export async function benchDensity(n: number): Promise<readonly Row[]> {
  const engine = new TestEngine();
  try {
    const startMs = performance.now();
    await engine.start();
    const readyMs = performance.now() - startMs;
    await engine.loadImage('busybox');
    const idleMiB = rssMiB(engine.pid);
    let done = false;
    const gets: number[] = [];
    // One connection, as a client keeps it.
    const { api } = engine;
    const asking = (async () => {
      while (!done) {
        const askedMs = performance.now();
        await api.list(PODS, { namespace: 'kube-system' });
        gets.push(performance.now() - askedMs);
        await sleep(GET_EVERY_MS);
      }
    })();
    const allMs = await runAll(engine, n);
    done = true;
    await asking;
    return [
      row('serve until ready', 'ms', [readyMs]),
      row('engine, idle: resident', 'MiB', [idleMiB]),
      row(`${n} pods at once until all run, each`, 'ms', [allMs / n]),
      row(`a request meanwhile`, 'ms', gets),
      row(`engine with ${n} pods: resident`, 'MiB', [rssMiB(engine.pid)]),
    ];
  } finally {
    await engine.close();
  }
}
