// The downward API: fields of the pod and resources of its containers as text. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
import { createHash } from 'node:crypto';
import type { Container, Pod, ResourceFieldSelector } from '../kube/api-types.ts';
import { quantityMilli, quantityValue } from '../kube/quantity.ts';
import { allContainers } from './container-instances.ts';
import { configFailed } from './sources.ts';

/** What a pod can know about where it runs. */
export type NodeFacts = {
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  /** What a container without a limit may use at most. */
  readonly allocatable: { readonly cpuMilli: number; readonly memoryBytes: number };
};

const MAP_ENTRY = /^metadata\.(labels|annotations)\['([^']*)'\]$/;

export function fieldValue(pod: Pod, path: string, facts: NodeFacts): string {
  const entry = MAP_ENTRY.exec(path);
  if (entry !== null) {
    const [, map, key = ''] = entry;
    return (map === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations)?.[key] ?? '';
  }
  const read = FIELDS[path];
  if (read === undefined) throw configFailed(`unsupported fieldPath: ${path}`);
  return read(pod, facts);
}

const FIELDS: Readonly<Record<string, (pod: Pod, facts: NodeFacts) => string>> = {
  'metadata.name': (pod) => pod.metadata?.name ?? '',
  'metadata.namespace': (pod) => pod.metadata?.namespace ?? '',
  'metadata.uid': (pod) => pod.metadata?.uid ?? '',
  'metadata.labels': (pod) => mapText(pod.metadata?.labels),
  'metadata.annotations': (pod) => mapText(pod.metadata?.annotations),
  'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
  'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
  'status.hostIP': (_pod, facts) => facts.hostIps[0] ?? '',
  'status.hostIPs': (_pod, facts) => facts.hostIps.join(','),
  'status.podIP': (_pod, facts) => facts.podIps[0] ?? '',
  'status.podIPs': (_pod, facts) => facts.podIps.join(','),
};

/** key="escaped value", sorted, one a line. */
function mapText(map: { readonly [key: string]: string } | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/**
 * Changes with everything of the pod that its downwardAPI volumes may show: labels, annotations and resources. Empty
 * for a pod without such a volume, which no change of its metadata concerns.
 */
export function downwardVersion(pod: Pod): string {
  const isShown = (pod.spec?.volumes ?? []).some(
    ({ downwardAPI, projected }) =>
      downwardAPI !== undefined || projected?.sources?.some((source) => source.downwardAPI !== undefined),
  );
  if (!isShown) return '';
  const { labels, annotations } = pod.metadata ?? {};
  const resources = allContainers(pod).map((container) => container.resources);
  return createHash('sha256')
    .update(JSON.stringify([labels, annotations, resources]))
    .digest('hex')
    .slice(0, 16);
}

/** limits.* falls back to what the node has, requests.* to the limit; rounded up to the divisor. */
export function resourceFieldValue(
  pod: Pod,
  selector: ResourceFieldSelector,
  { own, facts }: { readonly own?: Container | undefined; readonly facts: NodeFacts },
): string {
  const container =
    selector.containerName === undefined || selector.containerName === ''
      ? own
      : allContainers(pod).find((one) => one.name === selector.containerName);
  if (container === undefined) throw configFailed(`container ${selector.containerName} not found`);
  const [kind, ...rest] = selector.resource.split('.');
  const resource = rest.join('.');
  const { limits, requests } = container.resources ?? {};
  const divisor = selector.divisor === undefined || isZero(selector.divisor) ? '1' : selector.divisor;
  if (kind !== 'limits' && kind !== 'requests')
    throw configFailed(`unsupported container resource : ${selector.resource}`);
  const chosen = kind === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  if (resource === 'cpu') {
    const milli = chosen === undefined ? fallback(kind, facts.allocatable.cpuMilli) : quantityMilli(chosen);
    return String(Math.ceil(milli / quantityMilli(divisor)));
  }
  const value =
    chosen === undefined
      ? fallback(kind, resource === 'memory' ? facts.allocatable.memoryBytes : 0)
      : quantityValue(chosen);
  return String(Math.ceil(value / quantityValue(divisor)));
}

const fallback = (kind: 'limits' | 'requests', ofNode: number): number => (kind === 'limits' ? ofNode : 0);
const isZero = (quantity: string | number): boolean => quantityMilli(quantity) === 0;
