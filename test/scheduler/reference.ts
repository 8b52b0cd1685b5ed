// The scheduler without any cleverness: every plug-in's rule straight from Kubernetes' documentation, over plain lists of
// nodes and pods, for every node, every time. What the fast one must agree with; used by tests only.
import type {
  LabelSelector,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  Taint,
  Toleration,
} from '../../src/kube/api-types.ts';
import { effectiveRequests, resourceAmounts } from '../../src/kube/pod.ts';

export type World = {
  readonly nodes: readonly Node[];
  /** With spec.nodeName. */
  readonly bound: readonly Pod[];
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly claims: readonly PersistentVolumeClaim[];
  readonly volumes: readonly PersistentVolume[];
  /** Their names: classes that bind when the first consumer comes; nobody makes volumes for them. */
  readonly lateClasses: readonly string[];
};

const labelsOf = (object: Node | Pod) => object.metadata?.labels ?? {};
const nameOf = (object: Node | Pod) => object.metadata?.name ?? '';
const on = (world: World, node: Node) => world.bound.filter((pod) => pod.spec?.nodeName === nameOf(node));

function selects(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = key in labels;
    const isIn = has && values.includes(labels[key] ?? '');
    if (operator === 'In' && !isIn) return false;
    if (operator === 'NotIn' && isIn) return false;
    if (operator === 'Exists' && !has) return false;
    if (operator === 'DoesNotExist' && has) return false;
  }
  return true;
}

function tolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (!key || key === taint.key) &&
      (!effect || effect === taint.effect) &&
      (operator === 'Exists' || value === (taint.value ?? '')),
  );
}

const blockingTaints = (pod: Pod, node: Node) =>
  (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerated(pod.spec?.tolerations ?? [], taint),
  );

function affine(pod: Pod, node: Node): boolean {
  const labels = labelsOf(node);
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {}))
    if (labels[key] !== value) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return required.nodeSelectorTerms.some(
    ({ matchExpressions = [] }) =>
      matchExpressions.length > 0 && selects({ matchExpressions: matchExpressions }, labels),
  );
}

function termMatches(
  world: World,
  term: PodAffinityTerm,
  { owner, other }: { owner: Pod; other: Pod },
): boolean {
  const { namespaces = [], namespaceSelector } = term;
  const own = namespaces.length === 0 && namespaceSelector === undefined;
  const namespace = other.metadata?.namespace ?? '';
  const inNamespace = own
    ? namespace === owner.metadata?.namespace
    : namespaces.includes(namespace) || selects(namespaceSelector, world.namespaces[namespace] ?? {});
  return inNamespace && selects(term.labelSelector, labelsOf(other));
}

/** The bound pods in the domain of the node. */
function inDomain(world: World, key: string, node: Node): readonly Pod[] {
  const value = labelsOf(node)[key];
  if (value === undefined) return [];
  const domain = world.nodes.filter((one) => labelsOf(one)[key] === value);
  return domain.flatMap((one) => on(world, one));
}

const requiredTerms = (pod: Pod, kind: 'podAffinity' | 'podAntiAffinity') =>
  pod.spec?.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
const preferredTerms = (pod: Pod, kind: 'podAffinity' | 'podAntiAffinity') =>
  pod.spec?.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];

function affinityAllows(world: World, pod: Pod, node: Node): boolean {
  const terms = requiredTerms(pod, 'podAffinity');
  const matchesAll = (other: Pod) => terms.every((term) => termMatches(world, term, { owner: pod, other }));
  if (terms.some(({ topologyKey }) => labelsOf(node)[topologyKey] === undefined)) return false;
  const somewhere = terms.some(({ topologyKey }) =>
    world.nodes.some((one) => inDomain(world, topologyKey, one).some(matchesAll)),
  );
  const isFirst = !somewhere && matchesAll(pod);
  if (!isFirst && !terms.every(({ topologyKey }) => inDomain(world, topologyKey, node).some(matchesAll)))
    return false;
  const hates = requiredTerms(pod, 'podAntiAffinity').some((term) =>
    inDomain(world, term.topologyKey, node).some((other) => termMatches(world, term, { owner: pod, other })),
  );
  if (hates) return false;
  return !world.bound.some((owner) =>
    requiredTerms(owner, 'podAntiAffinity').some(
      (term) =>
        termMatches(world, term, { owner, other: pod }) &&
        inDomain(world, term.topologyKey, node).includes(owner),
    ),
  );
}

function spreadGroup(world: World, pod: Pod, whenUnsatisfiable: string) {
  const group = (pod.spec?.topologySpreadConstraints ?? []).filter(
    (one) => one.whenUnsatisfiable === whenUnsatisfiable,
  );
  return group.map((one) => {
    const eligible = world.nodes.filter(
      (node) =>
        group.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined) &&
        (one.nodeAffinityPolicy === 'Ignore' || affine(pod, node)) &&
        (one.nodeTaintsPolicy !== 'Honor' || blockingTaints(pod, node).length === 0),
    );
    const counts = new Map<string, number>();
    for (const node of eligible) {
      const value = labelsOf(node)[one.topologyKey] ?? '';
      const count = on(world, node).filter(
        (other) =>
          other.metadata?.deletionTimestamp === undefined &&
          other.metadata?.namespace === pod.metadata?.namespace &&
          selects(one.labelSelector, labelsOf(other)),
      ).length;
      counts.set(value, (counts.get(value) ?? 0) + count);
    }
    return { one, counts };
  });
}

function spreadAllows(world: World, pod: Pod, node: Node): boolean {
  return spreadGroup(world, pod, 'DoNotSchedule').every(({ one, counts }) => {
    const value = labelsOf(node)[one.topologyKey];
    if (value === undefined) return false;
    const least = counts.size < (one.minDomains ?? 1) ? 0 : Math.min(...counts.values());
    const self = selects(one.labelSelector, labelsOf(pod)) ? 1 : 0;
    return (counts.get(value) ?? 0) + self - least <= one.maxSkew;
  });
}

const portsOf = (pod: Pod) =>
  (pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports.filter((p) => p.hostPort));

function usedOn(world: World, node: Node): Record<string, number> {
  const used: Record<string, number> = {};
  for (const { spec } of on(world, node))
    for (const [name, amount] of Object.entries(spec === undefined ? {} : effectiveRequests(spec)))
      used[name] = (used[name] ?? 0) + amount;
  return used;
}

function roomFor(world: World, pod: Pod, node: Node): boolean {
  const allocatable = resourceAmounts(node.status?.allocatable);
  const used = usedOn(world, node);
  if (on(world, node).length + 1 > (allocatable.pods ?? Number.POSITIVE_INFINITY)) return false;
  return Object.entries(pod.spec === undefined ? {} : effectiveRequests(pod.spec)).every(
    ([name, amount]) => amount === 0 || amount + (used[name] ?? 0) <= (allocatable[name] ?? 0),
  );
}

const claimNames = (pod: Pod): readonly string[] =>
  (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: one }) => (one ? [one.claimName] : []));

/** Whether each claim can have a volume of its own among these: tried in every way. */
function canShareOut(claims: readonly PersistentVolumeClaim[], free: readonly PersistentVolume[]): boolean {
  const [first, ...others] = claims;
  if (first === undefined) return true;
  return free.some(
    (volume) =>
      volume.spec?.storageClassName === first.spec?.storageClassName &&
      canShareOut(
        others,
        free.filter((one) => one !== volume),
      ),
  );
}

/** All volumes and claims of these worlds are of one size and access mode. */
function volumesAllow(world: World, pod: Pod, node: Node): boolean {
  const claims = claimNames(pod).map((name) =>
    world.claims.find(
      ({ metadata }) => metadata?.name === name && metadata.namespace === pod.metadata?.namespace,
    ),
  );
  const isHere = ({ spec }: PersistentVolume): boolean =>
    (spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []).some(({ matchExpressions = [] }) =>
      selects({ matchExpressions }, labelsOf(node)),
    );
  const waiting: PersistentVolumeClaim[] = [];
  for (const claim of claims) {
    if (claim === undefined) return false;
    const isExclusive = claim.spec?.accessModes?.includes('ReadWriteOncePod') === true;
    const isUsed = world.bound.some(
      (other) =>
        other.metadata?.namespace === pod.metadata?.namespace &&
        claimNames(other).includes(claim.metadata?.name ?? ''),
    );
    if (isExclusive && isUsed) return false;
    if (claim.spec?.volumeName === undefined) {
      if (!world.lateClasses.includes(claim.spec?.storageClassName ?? '')) return false;
      waiting.push(claim);
      continue;
    }
    const volume = world.volumes.find(({ metadata }) => metadata?.name === claim.spec?.volumeName);
    if (volume === undefined || !isHere(volume)) return false;
  }
  const free = world.volumes.filter((one) => one.spec?.claimRef === undefined && isHere(one));
  return canShareOut(waiting, free);
}

export function isFeasible(world: World, pod: Pod, node: Node): boolean {
  const unschedulable = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  if (node.spec?.unschedulable && !tolerated(pod.spec?.tolerations ?? [], unschedulable)) return false;
  if (blockingTaints(pod, node).length > 0 || !affine(pod, node) || !roomFor(world, pod, node)) return false;
  const taken = on(world, node).flatMap(portsOf);
  if (portsOf(pod).some((wanted) => taken.some((one) => one.hostPort === wanted.hostPort))) return false;
  return volumesAllow(world, pod, node) && spreadAllows(world, pod, node) && affinityAllows(world, pod, node);
}

const floor = Math.floor;
const shareOf = (value: number, max: number) => (max === 0 ? 0 : floor((100 * value) / max));

/** What scoring takes a pod to ask for: 100m and 200 MiB for each container that asks for none. */
function assumed(pod: Pod): { cpu: number; memory: number } {
  const sum = { cpu: 0, memory: 0 };
  for (const { resources } of pod.spec?.containers ?? []) {
    const { cpu = 100, memory = 200 * 1024 * 1024 } = resourceAmounts(resources?.requests);
    sum.cpu += cpu;
    sum.memory += memory;
  }
  return sum;
}

function fitScore(world: World, pod: Pod, node: Node): number {
  const allocatable = resourceAmounts(node.status?.allocatable);
  const parts = (['cpu', 'memory'] as const).flatMap((name) => {
    const capacity = allocatable[name] ?? 0;
    if (capacity === 0) return [];
    const used = [...on(world, node), pod].reduce((sum, one) => sum + assumed(one)[name], 0);
    return [used > capacity ? 0 : floor(((capacity - used) * 100) / capacity)];
  });
  return parts.length === 0 ? 0 : floor(parts.reduce((sum, one) => sum + one, 0) / parts.length);
}

function balancedScore(world: World, pod: Pod, node: Node): number {
  const allocatable = resourceAmounts(node.status?.allocatable);
  const used = usedOn(world, node);
  const wanted = pod.spec === undefined ? {} : effectiveRequests(pod.spec);
  const fractions = ['cpu', 'memory'].flatMap((name) => {
    const capacity = allocatable[name] ?? 0;
    return capacity === 0 ? [] : [Math.min(1, ((used[name] ?? 0) + (wanted[name] ?? 0)) / capacity)];
  });
  const [cpu = 0, memory = cpu] = fractions;
  return floor((1 - Math.abs(cpu - memory) / 2) * 100);
}

function affinityRaw(world: World, pod: Pod, node: Node): number {
  let score = 0;
  for (const other of world.bound) {
    const near = (term: PodAffinityTerm) => inDomain(world, term.topologyKey, node).includes(other);
    for (const [kind, sign] of [
      ['podAffinity', 1],
      ['podAntiAffinity', -1],
    ] as const) {
      for (const { podAffinityTerm: term, weight } of preferredTerms(pod, kind))
        if (near(term) && termMatches(world, term, { owner: pod, other })) score += sign * weight;
      for (const { podAffinityTerm: term, weight } of preferredTerms(other, kind))
        if (near(term) && termMatches(world, term, { owner: other, other: pod })) score += sign * weight;
    }
    for (const term of requiredTerms(other, 'podAffinity'))
      if (near(term) && termMatches(world, term, { owner: other, other: pod })) score += 1;
  }
  return score;
}

function spreadScores(world: World, pod: Pod, feasible: readonly Node[]): readonly number[] {
  const group = spreadGroup(world, pod, 'ScheduleAnyway');
  if (group.length === 0) return feasible.map(() => 0);
  const full = feasible.filter((node) =>
    group.every(({ one }) => labelsOf(node)[one.topologyKey] !== undefined),
  );
  const raw = feasible.map((node) => {
    if (!full.includes(node)) return undefined;
    const sum = group.reduce((total, { one, counts }) => {
      const domains = new Set(full.map((each) => labelsOf(each)[one.topologyKey])).size;
      const weight = Math.log((one.topologyKey === 'kubernetes.io/hostname' ? full.length : domains) + 2);
      return total + (counts.get(labelsOf(node)[one.topologyKey] ?? '') ?? 0) * weight + (one.maxSkew - 1);
    }, 0);
    return Math.round(sum);
  });
  const known = raw.filter((one) => one !== undefined);
  const max = Math.max(0, ...known);
  const min = Math.min(...known);
  return raw.map((one) => {
    if (one === undefined) return 0;
    return max === 0 ? 100 : floor((100 * (max + min - one)) / max);
  });
}

/** Nodes that fit with the total of all scores, in kube-scheduler's weights. */
export function rank(world: World, pod: Pod): readonly { readonly name: string; readonly score: number }[] {
  const feasible = world.nodes.filter((node) => isFeasible(world, pod, node));
  const taints = feasible.map(
    (node) =>
      (node.spec?.taints ?? []).filter(
        (taint) =>
          taint.effect === 'PreferNoSchedule' &&
          !tolerated(
            (pod.spec?.tolerations ?? []).filter(({ effect }) => !effect || effect === 'PreferNoSchedule'),
            taint,
          ),
      ).length,
  );
  const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const liked = feasible.map((node) =>
    preferred.reduce(
      (sum, { preference, weight }) =>
        sum + (selects({ matchExpressions: preference.matchExpressions ?? [] }, labelsOf(node)) ? weight : 0),
      0,
    ),
  );
  const near = feasible.map((node) => affinityRaw(world, pod, node));
  const range = Math.max(...near) - Math.min(...near);
  const spread = spreadScores(world, pod, feasible);
  return feasible.map((node, i) => ({
    name: nameOf(node),
    score:
      3 * (100 - shareOf(taints[i] ?? 0, Math.max(...taints))) +
      2 * shareOf(liked[i] ?? 0, Math.max(...liked)) +
      2 * (range > 0 ? floor((100 * ((near[i] ?? 0) - Math.min(...near))) / range) : 0) +
      2 * (spread[i] ?? 0) +
      fitScore(world, pod, node) +
      balancedScore(world, pod, node),
  }));
}
