// A made-up workload with stated distributions: arrivals are independent (exponential gaps), durations are exponential,
// sizes are drawn from short lists in which small is common. The same seed gives the same workload.
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { Node } from '../../kube/api-types.ts';
import { exponential, type Random, randomOf } from '../random.ts';
import { type App, type Shape, Shapes, type Workload } from '../workload.ts';

export type GeneratorOptions = {
  readonly nodes: number;
  readonly pods: number;
  readonly seed: number;
  /** Share of the cluster's cpu that the applications would use on average if all were placed at once: 1 is full. */
  readonly load: number;
  readonly meanDurationMs: number;
};

/** cpu in milli, memory in MiB per container, with their share of the containers. */
const SIZES = [
  { share: 0.5, cpuMilli: 250, memoryMib: 512 },
  { share: 0.25, cpuMilli: 500, memoryMib: 2048 },
  { share: 0.15, cpuMilli: 1000, memoryMib: 2048 },
  { share: 0.08, cpuMilli: 4000, memoryMib: 8192 },
  { share: 0.02, cpuMilli: 12_000, memoryMib: 49_152 },
];
/** Containers a pod, with their share of the pods. */
const CONTAINERS = [
  { share: 0.4, count: 1 },
  { share: 0.35, count: 2 },
  { share: 0.2, count: 3 },
  { share: 0.05, count: 4 },
];
const NODE_CPU_MILLI = 32_000;
const NODE_MEMORY_MIB = 131_072;
const ZONES = 10;
const MIB = 1024 * 1024;

function draw<T extends { readonly share: number }>(random: Random, choices: readonly T[]): T {
  let left = random();
  for (const choice of choices) {
    left -= choice.share;
    if (left < 0) return choice;
  }
  return choices[0] as T;
}

const mean = <T extends { readonly share: number }>(
  choices: readonly T[],
  of: (choice: T) => number,
): number => choices.reduce((sum, choice) => sum + choice.share * of(choice), 0);

function nodeOf(_: unknown, index: number): Node {
  const name = `node-${index}`;
  return {
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': `zone-${index % ZONES}` },
    },
    status: { allocatable: { cpu: `${NODE_CPU_MILLI}m`, memory: NODE_MEMORY_MIB * MIB, pods: '110' } },
  };
}

/** @throws InvalidInput outside 1..100,000 nodes and 1..1,000,000 pods. */
export function generatedWorkload({ nodes, pods, seed, load, meanDurationMs }: GeneratorOptions): Workload {
  const { simulatedNodes, simulatedPods } = BOUNDS;
  if (nodes < 1 || nodes > simulatedNodes || pods < 1 || pods > simulatedPods)
    throw new PodwrightError(
      'InvalidInput',
      `generate a workload of ${nodes} nodes and ${pods} pods: at least 1 of each, at most ${simulatedNodes} and ${simulatedPods}`,
    );
  const random = randomOf(seed);
  const shapes = new Shapes();
  const known = new Map<string, Shape>();
  const cpuOfPod = mean(CONTAINERS, ({ count }) => count) * mean(SIZES, ({ cpuMilli }) => cpuMilli);
  // Little's law: as many run at once as arrive during one mean duration.
  const gapMs = (meanDurationMs * cpuOfPod) / (load * nodes * NODE_CPU_MILLI);
  let arriveMs = 0;
  const apps: App[] = [];
  for (let index = 0; index < pods; index += 1) {
    const sizes = Array.from({ length: draw(random, CONTAINERS).count }, () => draw(random, SIZES));
    const key = sizes
      .map(({ cpuMilli }) => cpuMilli)
      .sort((a, b) => a - b)
      .join();
    let shape = known.get(key);
    if (shape === undefined) {
      const containers = [...sizes]
        .sort((a, b) => b.cpuMilli - a.cpuMilli)
        .map(({ cpuMilli, memoryMib }, i) => ({
          name: `c${i}`,
          resources: { requests: { cpu: `${cpuMilli}m`, memory: memoryMib * MIB } },
        }));
      shape = shapes.of({ metadata: { namespace: 'default' }, spec: { containers } });
      known.set(key, shape);
    }
    arriveMs += exponential(random, gapMs);
    apps.push({ name: `app-${index}`, arriveMs, durationMs: exponential(random, meanDurationMs), shape });
  }
  return {
    title: `${nodes} nodes of 32 CPUs and ${pods} generated pods, load ${load}, seed ${seed}`,
    nodes: Array.from({ length: nodes }, nodeOf),
    namespaces: new Map(),
    apps,
    gated: [],
  };
}
