// What a pod's spec says, as pure functions shared by the API server, the scheduler and the agent.
import type { Container, Pod, PodSpec, Quantity, ResourceRequirements } from './api-types.ts';
import { quantityMilli, quantityValue } from './quantity.ts';

/** KEP-753: an init container with restartPolicy Always stays beside the app containers. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Of the pods that a node makes of its own manifests. */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

export function isStaticPod({ metadata }: Pod): boolean {
  return metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined;
}

/** Terminal phases are never left. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

type ResourceList = { readonly [name: string]: Quantity };
export type ResourceAmounts = { readonly [name: string]: number };

/** cpu in milli, every other resource in whole units. */
export function resourceAmounts(list: ResourceList | undefined): ResourceAmounts {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([name, quantity]) => [
      name,
      name === 'cpu' ? quantityMilli(quantity) : quantityValue(quantity),
    ]),
  );
}

function combine(
  a: ResourceAmounts,
  b: ResourceAmounts,
  how: (x: number, y: number) => number,
): ResourceAmounts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, how(a[name] ?? 0, b[name] ?? 0)]));
}

const add = (x: number, y: number): number => x + y;

/**
 * What the pod needs of a node: max( max_i(init_i + sidecars before i), all sidecars + all apps ) + overhead, and
 * pod-level requests in place of the sum where they are set (KEP-753, KEP-2837).
 */
export function effectiveRequests(spec: PodSpec): ResourceAmounts {
  return combine(effectiveAmounts(spec, 'requests'), resourceAmounts(spec.overhead), add);
}

/** What the pod may use at most; its overhead counts where there is a limit at all. */
export function effectiveLimits(spec: PodSpec): ResourceAmounts {
  const limits = effectiveAmounts(spec, 'limits');
  const overhead = Object.entries(resourceAmounts(spec.overhead)).filter(([name]) => name in limits);
  return combine(limits, Object.fromEntries(overhead), add);
}

function effectiveAmounts(spec: PodSpec, list: 'requests' | 'limits'): ResourceAmounts {
  const amountsOf = (container: Container): ResourceAmounts => resourceAmounts(container.resources?.[list]);
  let sidecars: ResourceAmounts = {};
  let initPeak: ResourceAmounts = {};
  for (const container of spec.initContainers ?? []) {
    const own = combine(amountsOf(container), sidecars, add);
    initPeak = combine(initPeak, own, Math.max);
    if (isSidecar(container)) sidecars = own;
  }
  const running = spec.containers.map(amountsOf).reduce((sum, one) => combine(sum, one, add), sidecars);
  const needed = combine(initPeak, running, Math.max);
  return { ...needed, ...resourceAmounts(spec.resources?.[list]) };
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ : only cpu and memory count. */
export function qosClassOf(spec: PodSpec): QosClass {
  const counted =
    spec.resources?.limits !== undefined || spec.resources?.requests !== undefined
      ? [spec.resources]
      : [...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.resources ?? {});
  const positive = (list: ResourceList | undefined): ResourceAmounts => {
    const amounts = resourceAmounts(list);
    return Object.fromEntries(
      ['cpu', 'memory'].flatMap((name) => (amounts[name] ? [[name, amounts[name]]] : [])),
    );
  };
  const isEmpty = (resources: ResourceRequirements): boolean =>
    Object.keys(positive(resources.limits)).length + Object.keys(positive(resources.requests)).length === 0;
  const isGuaranteed = (resources: ResourceRequirements): boolean => {
    const limits = positive(resources.limits);
    const requests = { ...limits, ...positive(resources.requests) };
    return ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]);
  };
  if (counted.every(isEmpty)) return 'BestEffort';
  return counted.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
