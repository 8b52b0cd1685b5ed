// A pod class: what the scheduler must know of a pod, compiled once and shared by all pods that are equal to it in every
// respect a plug-in looks at (kube-scheduler's equivalence class). Not a pod: it has no name and no uid.
//
// Invariant: two pods with the same key get the same verdict and the same score from every plug-in on every node.
import { BOUNDS } from '../base/bounds.ts';
import type {
  LabelSelector,
  Pod,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from '../kube/api-types.ts';
import { type HostPort, hostPortsOf } from '../kube/host-ports.ts';
import { labelSelectorMatcher, labelSelectorText } from '../kube/label-selector.ts';
import { effectiveRequests, type ResourceAmounts } from '../kube/pod.ts';
import type { Selector } from '../kube/selectors.ts';
import { claimNameOf } from '../kube/storage.ts';

export type Labels = { readonly [key: string]: string };

/** A pod affinity or anti-affinity term: some pods, and the topology over which "near" is meant. */
export type PodTerm = {
  readonly key: string;
  /** Which pods, as `kubectl -l` takes it. */
  readonly text: string;
  readonly topologyKey: string;
  matches(other: PodClass, namespaceLabels: (namespace: string) => Labels): boolean;
};

/** weight is negative for anti-affinity. */
export type WeightedPodTerm = { readonly term: PodTerm; readonly weight: number };

export type SpreadConstraint = {
  readonly key: string;
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly isHard: boolean;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
  readonly selects: Selector;
};

/** A claim that a volume of the pod stands on. */
export type ClaimUse = { readonly key: string; readonly name: string; readonly isEphemeral: boolean };

export type PodClass = {
  readonly id: number;
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly mayPreempt: boolean;
  readonly schedulerName: string;
  readonly spec: PodSpec;
  /** cpu in milli, everything else in whole units; zero amounts are left out. */
  readonly requests: ResourceAmounts;
  /** What scoring assumes where a container asks for nothing: 100m, 200 MiB (kube-scheduler's non-zero requests). */
  readonly scoredCpuMilli: number;
  readonly scoredMemoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  readonly claims: readonly ClaimUse[];
  readonly images: readonly string[];
  readonly affinity: readonly PodTerm[];
  readonly antiAffinity: readonly PodTerm[];
  readonly preferred: readonly WeightedPodTerm[];
  readonly spread: readonly SpreadConstraint[];
};

/** kube-apiserver merges matchLabelKeys into the selector; a pod that did not pass it gets the same here. */
function withLabelKeys(
  selector: LabelSelector | undefined,
  labels: Labels,
  {
    same = [],
    different = [],
  }: { same?: readonly string[] | undefined; different?: readonly string[] | undefined },
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const requirements = (keys: readonly string[], operator: string) =>
    keys.flatMap((key) => (labels[key] === undefined ? [] : [{ key, operator, values: [labels[key]] }]));
  const added = [...requirements(same, 'In'), ...requirements(different, 'NotIn')];
  if (added.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...added] };
}

function podTerm(term: PodAffinityTerm, namespace: string, labels: Labels): PodTerm {
  const selector = withLabelKeys(term.labelSelector, labels, {
    same: term.matchLabelKeys,
    different: term.mismatchLabelKeys,
  });
  const { namespaces = [], namespaceSelector, topologyKey } = term;
  const isOwn = namespaces.length === 0 && namespaceSelector === undefined;
  const named = isOwn ? [namespace] : namespaces;
  const selectsPod = labelSelectorMatcher(selector);
  const selectsNamespace = labelSelectorMatcher(namespaceSelector);
  return {
    key: JSON.stringify([topologyKey, named, namespaceSelector, selector]),
    text: selector === undefined ? 'no labels whatever' : labelSelectorText(selector) || 'any labels',
    topologyKey,
    matches: (other, namespaceLabels) =>
      selectsPod(other.labels) &&
      (named.includes(other.namespace) || selectsNamespace(namespaceLabels(other.namespace))),
  };
}

function spreadConstraint(one: TopologySpreadConstraint, labels: Labels): SpreadConstraint {
  const selector = withLabelKeys(one.labelSelector, labels, { same: one.matchLabelKeys });
  return {
    key: JSON.stringify(one),
    topologyKey: one.topologyKey,
    maxSkew: one.maxSkew,
    minDomains: one.minDomains ?? 1,
    isHard: one.whenUnsatisfiable === 'DoNotSchedule',
    honorsAffinity: one.nodeAffinityPolicy !== 'Ignore',
    honorsTaints: one.nodeTaintsPolicy === 'Honor',
    selects: labelSelectorMatcher(selector),
  };
}

const DEFAULT_CPU_MILLI = 100;
const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024;

/** The requests with kube-scheduler's defaults where a container names none. */
function scoredRequests(spec: PodSpec): ResourceAmounts {
  if (spec.resources?.requests !== undefined) return effectiveRequests(spec);
  const filled = spec.containers.map((container) => ({
    ...container,
    resources: {
      requests: {
        cpu: `${DEFAULT_CPU_MILLI}m`,
        memory: DEFAULT_MEMORY_BYTES,
        ...container.resources?.requests,
      },
    },
  }));
  return effectiveRequests({ ...spec, containers: filled });
}

function claimsOf(pod: Pod): readonly ClaimUse[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    const name = claimNameOf(pod, volume);
    const isEphemeral = volume.ephemeral !== undefined;
    return name === undefined ? [] : [{ key: `${pod.metadata?.namespace}/${name}`, name, isEphemeral }];
  });
}

function classKey(pod: Pod): string {
  const { metadata, spec } = pod;
  const { containers = [], initContainers = [] } = spec ?? {};
  const ofContainer = (one: (typeof containers)[number]) => [
    one.image,
    one.resources?.requests,
    one.restartPolicy,
    one.ports?.filter(({ hostPort }) => hostPort),
  ];
  return JSON.stringify([
    metadata?.namespace,
    metadata?.labels,
    spec?.priority,
    spec?.preemptionPolicy,
    spec?.schedulerName,
    spec?.nodeSelector,
    spec?.affinity,
    spec?.tolerations,
    spec?.topologySpreadConstraints,
    spec?.overhead,
    spec?.resources?.requests,
    spec?.nodeName,
    claimsOf(pod),
    containers.map(ofContainer),
    initContainers.map(ofContainer),
  ]);
}

function compile(pod: Pod, key: string, id: number): PodClass {
  const { namespace = 'default', labels = {} } = pod.metadata ?? {};
  const spec: PodSpec = pod.spec ?? { containers: [] };
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const termOf = (term: PodAffinityTerm): PodTerm => podTerm(term, namespace, labels);
  const weighted = (from: typeof podAffinity, sign: number): readonly WeightedPodTerm[] =>
    (from?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) => ({
      term: termOf(podAffinityTerm),
      weight: sign * weight,
    }));
  const scored = scoredRequests(spec);
  return {
    id,
    key,
    namespace,
    labels,
    priority: spec.priority ?? 0,
    mayPreempt: spec.preemptionPolicy !== 'Never',
    schedulerName: spec.schedulerName ?? 'default-scheduler',
    spec,
    requests: Object.fromEntries(Object.entries(effectiveRequests(spec)).filter(([, amount]) => amount > 0)),
    scoredCpuMilli: scored.cpu ?? 0,
    scoredMemoryBytes: scored.memory ?? 0,
    hostPorts: hostPortsOf(spec),
    claims: claimsOf(pod),
    images: [...(spec.initContainers ?? []), ...spec.containers].map(({ image = '' }) => image),
    affinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(termOf),
    antiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(termOf),
    preferred: [...weighted(podAffinity, 1), ...weighted(podAntiAffinity, -1)],
    spread: (spec.topologySpreadConstraints ?? []).map((one) => spreadConstraint(one, labels)),
  };
}

/** The classes seen lately, by key. A forgotten class lives on in its pods; an equal pod that comes later makes another. */
export class PodClasses {
  readonly #byKey = new Map<string, PodClass>();
  #nextId = 0;

  of(pod: Pod): PodClass {
    const key = classKey(pod);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const made = compile(pod, key, this.#nextId);
    this.#nextId += 1;
    const oldest = this.#byKey.keys().next();
    if (this.#byKey.size >= BOUNDS.podClasses && oldest.done !== true) this.#byKey.delete(oldest.value);
    this.#byKey.set(key, made);
    return made;
  }

  /** Of a pod that has its node already: the class it had before, which a name in spec.nodeName does not change. */
  ofBound(pod: Pod): PodClass {
    return this.of(pod.spec === undefined ? pod : { ...pod, spec: { ...pod.spec, nodeName: undefined } });
  }
}
