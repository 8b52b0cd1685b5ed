// Decisions a second of the scheduler's own code, without the API: 5,000 nodes, every feasible node scored. Each sample
// is a batch of pods on a cluster that is already in use; the ratio is against the basic case of the same run. The last row
// is the basic case with all that is around it (scheduler-api.ts).
import type { Pod, PodSpec } from '../src/kube/api-types.ts';
import { Cluster } from '../src/scheduler/cluster.ts';
import { Placement } from '../src/scheduler/placement.ts';
import { PodClasses } from '../src/scheduler/pod-class.ts';
import type { BenchOptions } from './options.ts';
import { benchSchedulerApi } from './scheduler-api.ts';
import { type Row, summarize } from './statistics.ts';

const NODES = 5000;
const ZONES = 10;
const BATCH = 200;
const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

const labelSelector = { matchLabels: { app: 'bench' } };
const required = (topologyKey: string) => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector, namespaceSelector: {} }],
});

const CASES: Readonly<Record<string, Partial<PodSpec>>> = {
  'basic: resources': {},
  'required affinity by zone': { affinity: { podAffinity: required(ZONE) } },
  'required anti-affinity by host, all namespaces': { affinity: { podAntiAffinity: required(HOST) } },
  'topology spread by zone': {
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', labelSelector },
    ],
  },
};

function clusterOf(size: number): Cluster {
  const cluster = new Cluster();
  for (let index = 0; index < size; index += 1) {
    const name = `node-${index}`;
    cluster.setNode({
      metadata: { name, labels: { [HOST]: name, [ZONE]: `zone-${index % ZONES}` } },
      status: { allocatable: { cpu: '32', memory: '128Gi', pods: '110' } },
    });
  }
  return cluster;
}

/** Pods per second of each batch. */
function measure(n: number, more: Partial<PodSpec>): readonly number[] {
  const cluster = clusterOf(NODES);
  const placement = new Placement(cluster);
  const classes = new PodClasses();
  const containers = [{ name: 'c', resources: { requests: { cpu: '100m', memory: '500Mi' } } }];
  const rates: number[] = [];
  for (let batch = 0; batch < Math.min(n, NODES / BATCH); batch += 1) {
    const startMs = performance.now();
    for (let i = 0; i < BATCH; i += 1) {
      const name = `pod-${batch}-${i}`;
      const pod: Pod = {
        metadata: { name, namespace: 'bench', labels: { app: 'bench' } },
        spec: { containers, ...more },
      };
      const podClass = classes.of(pod);
      const node = placement.findNode(podClass);
      if (node < 0) throw new Error(`${name} fits nowhere: ${placement.diagnose(podClass)}`);
      cluster.place(podClass, name, node);
    }
    rates.push((1000 * BATCH) / (performance.now() - startMs));
  }
  return rates;
}

export async function benchScheduler({ n }: BenchOptions): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let basic: number | undefined;
  for (const [what, more] of Object.entries(CASES)) {
    const summary = summarize(measure(n, more));
    basic ??= summary.p50;
    const against = { what: 'basic', p50: basic };
    rows.push({ what: `${NODES} nodes, ${what}`, unit: 'pods/s', summary, against });
  }
  const endToEnd = await benchSchedulerApi(n);
  return [...rows, { ...endToEnd, against: { what: 'basic', p50: basic ?? 0 } }];
}
