// Kubernetes manifests as a workload: Nodes are the cluster, Pods arrive all at once, in the order of the files. How long a
// pod runs is an annotation in seconds; without it the pod stays.
import { PodwrightError } from '../../base/errors.ts';
import type { Node, Pod, PodGroup } from '../../kube/api-types.ts';
import { decode } from '../../kube/decode.ts';
import type { ManifestEntry } from '../../kube/manifest.ts';
import { PodGroups } from '../../scheduler/pod-group.ts';
import { type App, Shapes, type Workload } from '../workload.ts';

export const DURATION_ANNOTATION = 'simulator.podwright.dev/duration-seconds';
const KINDS = ['Node', 'Pod', 'Namespace', 'PodGroup'];

function durationMs({ source }: ManifestEntry, pod: Pod): number {
  const text = pod.metadata?.annotations?.[DURATION_ANNOTATION];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  throw new PodwrightError(
    'InvalidInput',
    `${source}: ${DURATION_ANNOTATION} is ${JSON.stringify(text)}, not a number of seconds`,
  );
}

function decoded<T>(entry: ManifestEntry): T {
  const result = decode<T>(entry.object.kind, entry.object);
  if (result.ok) return result.object;
  throw new PodwrightError('InvalidInput', `${entry.source}: ${result.message}`);
}

/** @throws InvalidInput with file and line. */
export function manifestWorkload(entries: readonly ManifestEntry[]): Workload {
  const seen = new Map<string, string>();
  for (const { source, object } of entries) {
    const { kind, metadata } = object;
    if (!KINDS.includes(kind))
      throw new PodwrightError(
        'InvalidInput',
        `${source}: a simulation takes ${KINDS.join(', ')}, not ${kind}`,
      );
    const key = `${kind} ${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
    const before = seen.get(key);
    if (before !== undefined)
      throw new PodwrightError('InvalidInput', `${source}: ${kind} ${metadata.name} is also in ${before}`);
    seen.set(key, source);
  }
  const shapes = new Shapes();
  const of = (kind: string): readonly ManifestEntry[] => entries.filter(({ object }) => object.kind === kind);
  const groups = new PodGroups();
  for (const entry of of('PodGroup')) {
    const group = decoded<PodGroup>(entry);
    const { namespace = 'default', name } = group.metadata ?? {};
    groups.set({ ...group, metadata: { namespace, name } });
  }
  const pods = of('Pod').map((entry) => ({ entry, pod: decoded<Pod>(entry) }));
  const isGated = (pod: Pod): boolean => (pod.spec?.schedulingGates ?? []).length > 0;
  const nameOf = (pod: Pod): string => `${pod.metadata?.namespace ?? 'default'}/${pod.metadata?.name ?? ''}`;
  return {
    title: `${of('Node').length} nodes and ${pods.length} pods from manifests`,
    nodes: of('Node').map((entry) => decoded<Node>(entry)),
    namespaces: new Map(
      of('Namespace').map(({ object: { metadata } }) => [metadata.name ?? '', metadata.labels ?? {}]),
    ),
    apps: pods
      .filter(({ pod }) => !isGated(pod))
      .map(({ entry, pod }): App => {
        const membership = groups.membershipOf(pod);
        if (membership.kind === 'absent')
          throw new PodwrightError(
            'InvalidInput',
            `${entry.source}: pod ${nameOf(pod)}: ${membership.message}`,
          );
        return {
          name: nameOf(pod),
          arriveMs: 0,
          durationMs: durationMs(entry, pod),
          shape: shapes.of(pod),
          group: membership.kind === 'gang' ? membership.group : undefined,
        };
      }),
    gated: pods.filter(({ pod }) => isGated(pod)).map(({ pod }) => nameOf(pod)),
  };
}
