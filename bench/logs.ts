// What `logs -f` hands on of a container that writes as fast as it can, through monitor, rotation and API.
import { PODS } from '../src/client/resources.ts';
import { TestEngine } from '../test/lib/engine.ts';
import { podOf, shell } from '../test/lib/manifests.ts';
import { type BenchOptions, runtimeFlags } from './options.ts';
import { namespace, watchPods } from './pod-watch.ts';
import { type Row, summarize } from './statistics.ts';

const MEGABYTES = 64;
const ROUNDS_MAX = 5;
/** Lines of a hundred bytes. */
const WRITE = `yes "$(printf '%099d' 0)" | head -c ${MEGABYTES * 1_000_000}`;

export async function benchLogs(options: BenchOptions): Promise<readonly Row[]> {
  const { n } = options;
  const engine = new TestEngine({ arguments: runtimeFlags(options) });
  const rates: number[] = [];
  try {
    await engine.start();
    await engine.loadImage('busybox');
    const watch = await watchPods(engine.kubeconfig);
    for (let round = 0; round < Math.min(n, ROUNDS_MAX); round++) {
      const name = `writer-${round}`;
      const isStarted = watch.until(name, ({ status }) => {
        const state = status?.containerStatuses?.[0]?.state;
        return state?.running !== undefined || state?.terminated !== undefined;
      });
      await watch.api.create(PODS, podOf(name, [shell('app', WRITE)], { restartPolicy: 'Never' }));
      await isStarted;
      const startMs = performance.now();
      let bytes = 0;
      for await (const chunk of await watch.node.logs(
        { namespace, pod: name },
        { follow: true, previous: false, timestamps: false },
        AbortSignal.timeout(120_000),
      ))
        bytes += (chunk as Buffer).length;
      rates.push(bytes / 1000 / (performance.now() - startMs));
      await watch.api.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 });
    }
    await watch.close();
  } finally {
    await engine.close();
  }
  const what = `\`logs -f\` of a container that writes ${MEGABYTES} MB at once`;
  return [{ what, unit: 'MB/s', summary: summarize(rates) }];
}
