// What else happens to a pod: an init container and a sidecar before the app, a container that crashes, an image that is
// updated in place, a host port. Each beside the machine's own steps in that very pod, as the engine's trace tells them.
import { PODS } from '../src/client/resources.ts';
import type { Pod } from '../src/kube/api-types.ts';
import { eventually, TestEngine } from '../test/lib/engine.ts';
import { podOf, shell } from '../test/lib/manifests.ts';
import { freePort } from '../test/lib/ports.ts';
import { type PodProcess, processesOf } from '../test/lib/processes.ts';
import { benchPod, isRunning } from './engine.ts';
import { type BenchOptions, runtimeFlags } from './options.ts';
import { namespace, type PodWatch, watchPods } from './pod-watch.ts';
import { type Row, summarize } from './statistics.ts';

type Bench = { readonly engine: TestEngine; readonly watch: PodWatch };

/** Milliseconds of it, and of the steps it is made of. */
type Sample = { readonly tookMs: number; readonly stepsMs: number };

const SLEEP = 'exec sleep 3600';
/** Ends at once when it is told to: the grace period is not what is measured. */
const OBEYS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';

/** The time in which at least one of the machine's own steps was at work, from then on. */
async function stepsMs({ watch }: Bench, name: string, fromMs: number): Promise<number> {
  const all = await watch.trace({ namespace, name });
  const steps = all
    .filter(({ name: step, startMs }) => startMs >= fromMs && /^(sandbox:|create |start )/.test(step))
    .sort((a, b) => a.startMs - b.startMs);
  let [sum, endMs] = [0, 0];
  for (const step of steps) {
    sum += Math.max(0, step.endMs - Math.max(step.startMs, endMs));
    endMs = Math.max(endMs, step.endMs);
  }
  return sum;
}

/** From now until a watcher sees the pod as wanted. */
async function timed(
  bench: Bench,
  name: string,
  { begin, isDone }: { readonly begin: () => unknown; readonly isDone: (pod: Pod) => boolean },
): Promise<Sample> {
  const fromMs = Date.now();
  const startMs = performance.now();
  const done = bench.watch.until(name, isDone);
  await begin();
  await done;
  const tookMs = performance.now() - startMs;
  return { tookMs, stepsMs: await stepsMs(bench, name, fromMs) };
}

const start = (bench: Bench, pod: Pod, isDone: (pod: Pod) => boolean): Promise<Sample> =>
  timed(bench, pod.metadata?.name ?? '', { begin: () => bench.watch.api.create(PODS, pod), isDone });

const startedAgain = (pod: Pod): boolean =>
  isRunning(pod, 1) && pod.status?.containerStatuses?.[0]?.restartCount === 1;

const runs: Readonly<Record<string, (bench: Bench, name: string) => Promise<Sample>>> = {
  'init container, sidecar, app: create to running': (bench, name) => {
    const initContainers = [shell('init', 'true'), shell('sidecar', SLEEP, { restartPolicy: 'Always' })];
    const pod = podOf(name, [shell('app', SLEEP)], { initContainers });
    return start(bench, pod, (seen) => isRunning(seen, 1));
  },
  'a crashed container runs again': async (bench, name) => {
    const pod = await bench.watch.api.create(PODS, benchPod(name, 1));
    await bench.engine.waitReady(name);
    const isApp = ({ command }: PodProcess): boolean => command.startsWith('sleep');
    const app = await eventually('the app has executed its program', () =>
      processesOf(pod.metadata?.uid ?? '').find(isApp),
    );
    const begin = () => process.kill(app.pid, 'SIGKILL');
    return timed(bench, name, { begin, isDone: startedAgain });
  },
  'an image is updated in place': async (bench, name) => {
    await bench.watch.api.create(PODS, podOf(name, [shell('app', OBEYS)]));
    await bench.engine.waitReady(name);
    const containers = [{ name: 'app', image: 'localhost/podwright/busybox:2' }];
    const patch = { type: 'application/strategic-merge-patch+json', body: { spec: { containers } } } as const;
    const begin = () => bench.watch.api.patch(PODS, { namespace, name }, patch);
    return timed(bench, name, { begin, isDone: startedAgain });
  },
  'a pod without a host port': (bench, name) => start(bench, benchPod(name, 1), (seen) => isRunning(seen, 1)),
  'the same with one': async (bench, name) => {
    const ports = [{ containerPort: 80, hostPort: await freePort() }];
    return start(bench, podOf(name, [shell('app', SLEEP, { ports })]), (seen) => isRunning(seen, 1));
  },
};

export async function benchLife(options: BenchOptions): Promise<readonly Row[]> {
  const { n } = options;
  const engine = new TestEngine({ arguments: runtimeFlags(options) });
  const samples = new Map<string, Sample[]>(Object.keys(runs).map((what) => [what, []]));
  try {
    await engine.start();
    await engine.loadImage('busybox', 'busybox-2');
    const bench = { engine, watch: await watchPods(engine.kubeconfig) };
    for (let round = -1; round < n; round++) {
      for (const [index, [what, run]] of Object.entries(runs).entries()) {
        const name = `life-${index}-${round + 1}`;
        const sample = await run(bench, name);
        if (round >= 0) samples.get(what)?.push(sample);
        await bench.watch.api.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 });
      }
    }
    await bench.watch.close();
  } finally {
    await engine.close();
  }
  return [...samples].map(([what, list]) => ({
    what,
    unit: 'ms',
    summary: summarize(list.map(({ tookMs }) => tookMs)),
    against: { what: 'its own steps', p50: summarize(list.map((one) => one.stepsMs)).p50 },
  }));
}
