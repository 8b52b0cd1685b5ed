// metrics.k8s.io/v1beta1: PodMetrics and NodeMetrics, which `kubectl top` reads. Nothing of them is stored: each is made
// from what the node measures when somebody asks.

import { timeText } from '../../base/clock.ts';
import type { NodeUsageReport, ResourceUsage } from '../../client/node-api.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import { type Column, defineKind, type Kind } from '../kind.ts';
import { nameColumn } from './columns.ts';

type Usage = { readonly cpu: string; readonly memory: string };
type Measured = KubeObject & { readonly timestamp: string; readonly window: string };
type NodeMetrics = Measured & { readonly usage: Usage };
type PodMetrics = Measured & {
  readonly containers: readonly { readonly name: string; readonly usage: Usage }[];
};

const API_VERSION = 'metrics.k8s.io/v1beta1';

const usageOf = ({ cpuNanoCores, memoryBytes }: ResourceUsage): Usage => ({
  cpu: `${cpuNanoCores}n`,
  memory: `${Math.ceil(memoryBytes / 1024)}Ki`,
});

const measured = ({ atMs, windowMs }: NodeUsageReport) => ({
  timestamp: timeText(atMs),
  window: `${(windowMs / 1000).toFixed(3)}s`,
});

/** `of` gives labels and times of the objects that were measured; what it does not know is left out. */
export function podMetrics(
  report: NodeUsageReport,
  of: (key: { namespace: string; name: string }) => KubeObject | undefined,
): readonly PodMetrics[] {
  return report.pods.flatMap(({ namespace, name, containers }) => {
    const pod = of({ namespace, name });
    // A pod of which no container runs has no metrics, as metrics-server has it.
    if (pod === undefined || containers.length === 0) return [];
    const { labels, creationTimestamp } = pod.metadata ?? {};
    return {
      kind: 'PodMetrics',
      apiVersion: API_VERSION,
      metadata: { name, namespace, creationTimestamp, ...(labels && { labels }) },
      ...measured(report),
      containers: containers.map((one) => ({ name: one.name, usage: usageOf(one) })),
    };
  });
}

export function nodeMetrics(
  report: NodeUsageReport,
  of: (key: { name: string }) => KubeObject | undefined,
): readonly NodeMetrics[] {
  const node = of({ name: report.nodeName });
  if (node === undefined) return [];
  const { name, labels, creationTimestamp } = node.metadata ?? {};
  const metadata = { name, creationTimestamp, ...(labels && { labels }) };
  return [
    {
      kind: 'NodeMetrics',
      apiVersion: API_VERSION,
      metadata,
      ...measured(report),
      usage: usageOf(report.node),
    },
  ];
}

const sum = (usages: readonly Usage[], name: keyof Usage): number =>
  usages.reduce((total, usage) => total + Number.parseInt(usage[name], 10), 0);

function usageColumns<T extends Measured>(usages: (object: T) => readonly Usage[]): readonly Column<T>[] {
  return [
    nameColumn<T>(),
    { name: 'CPU', type: 'string', cell: (object) => `${Math.ceil(sum(usages(object), 'cpu') / 1e6)}m` },
    { name: 'Memory', type: 'string', cell: (object) => `${sum(usages(object), 'memory')}Ki` },
    { name: 'Window', type: 'string', cell: ({ window }) => window },
  ];
}

const common = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  verbs: ['get', 'list'],
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: 'subdomain',
  selectableFields: [],
  hasGeneration: false,
  strategy: { validate: () => [] },
} as const;

export const podMetricsKind: Kind = defineKind<PodMetrics>({
  ...common,
  kind: 'PodMetrics',
  plural: 'pods',
  singular: 'pod',
  namespaced: true,
  schema: 'PodMetrics',
  columns: usageColumns(({ containers }) => containers.map(({ usage }) => usage)),
});

export const nodeMetricsKind: Kind = defineKind<NodeMetrics>({
  ...common,
  kind: 'NodeMetrics',
  plural: 'nodes',
  singular: 'node',
  namespaced: false,
  schema: 'NodeMetrics',
  columns: usageColumns(({ usage }) => [usage]),
});

export const METRICS_KINDS: readonly Kind[] = [nodeMetricsKind, podMetricsKind];
