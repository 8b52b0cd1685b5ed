// Nodes and pods in a line each, and a scheduling cycle over them; for the tables of the scheduler's tests.
import type { Node, Pod, PodSpec, Taint } from '../../src/kube/api-types.ts';
import { Cluster } from '../../src/scheduler/cluster.ts';
import { Placement } from '../../src/scheduler/placement.ts';
import { PodClasses } from '../../src/scheduler/pod-class.ts';
import type { Profile } from '../../src/scheduler/profile.ts';
import { SchedulingCycle } from '../../src/scheduler/scheduling-cycle.ts';

type NodeShape = {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly extended?: Readonly<Record<string, string>>;
  readonly images?: readonly { readonly names: readonly string[]; readonly sizeBytes: number }[];
};

export function node(name: string, shape: NodeShape = {}): Node {
  const { cpu = '4', memory = '8Gi', pods = '110', labels, taints, unschedulable, extended, images } = shape;
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints, unschedulable },
    status: { allocatable: { cpu, memory, pods, ...extended }, images },
  };
}

/** Requests of one container a memory amount; `labels` and `more` as in the API. */
export function pod(
  name: string,
  memory: readonly string[] = ['1Mi'],
  { labels = {}, ...more }: Partial<PodSpec> & { readonly labels?: Readonly<Record<string, string>> } = {},
): Pod {
  const containers = memory.map((amount, index) => ({
    name: `c${index}`,
    resources: { requests: { memory: amount } },
  }));
  return { metadata: { name, namespace: 'default', uid: name, labels }, spec: { containers, ...more } };
}

export function smallCluster(nodes: readonly Node[], profiles?: readonly Profile[]) {
  const cluster = new Cluster();
  const classes = new PodClasses();
  const placement = new Placement(cluster, profiles);
  const cycle = new SchedulingCycle(placement);
  for (const one of nodes) cluster.setNode(one);
  return {
    cluster,
    placement,
    cycle,
    /** Puts the pod where its spec.nodeName says. */
    bind(one: Pod) {
      const index = cluster.indexOf(one.spec?.nodeName ?? '') ?? -1;
      return cluster.place(classes.ofBound(one), one.metadata?.name ?? '', index);
    },
    /** The node it would get, or the message why none. */
    where(one: Pod): string {
      const podClass = classes.of(one);
      const index = placement.findNode(podClass);
      return index < 0 ? placement.diagnose(podClass) : cluster.nodeName(index);
    },
    scores(one: Pod): Readonly<Record<string, number>> {
      const ranking = placement.viewOf(classes.of(one)).ranking();
      return Object.fromEntries(ranking.map(({ node: index, score }) => [cluster.nodeName(index), score]));
    },
    queue(one: Pod, addedMs = 0, group?: { readonly name: string; readonly needed: number }): void {
      cycle.queue.add({ uid: one.metadata?.name ?? '', podClass: classes.of(one), addedMs, group });
    },
    classes,
  };
}
