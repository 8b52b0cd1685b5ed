// What each PodDisruptionBudget allows now: its status, made of the pods it selects (kube-controller-manager's disruption
// controller, pkg/controller/disruption). Pure. Eviction (apiserver/eviction.ts) spends what this grants.
import { isDeepStrictEqual } from 'node:util';
import { BOUNDS } from '../../base/bounds.ts';
import { timeText } from '../../base/clock.ts';
import type {
  Condition,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../kube/api-types.ts';
import { labelSelectorMatcher } from '../../kube/label-selector.ts';
import { isReady } from '../../kube/pod.ts';
import type { Plan } from '../controller.ts';

export type Replicated = ReplicaSet | StatefulSet | ReplicationController;

export type ClusterPods = {
  readonly budgets: ReadonlyMap<string, PodDisruptionBudget>;
  readonly pods: ReadonlyMap<string, Pod>;
  /** What may control pods and says how many it wants. */
  readonly owners: readonly ReadonlyMap<string, Replicated>[];
};

/** The budget with its new status. */
export type DisruptionStep = PodDisruptionBudget;

type Counts = { readonly expectedPods: number; readonly desiredHealthy: number };

/** How many pods the selected pods' controllers want; pods without one count for nothing, as in Kubernetes. */
function expectedScale(pods: readonly Pod[], { owners }: ClusterPods): number {
  const wanted = new Set(
    pods.flatMap(({ metadata }) =>
      (metadata?.ownerReferences ?? []).filter(({ controller }) => controller === true).map(({ uid }) => uid),
    ),
  );
  const found = owners.flatMap((kind) =>
    [...kind.values()].filter(({ metadata }) => wanted.has(metadata?.uid ?? '')),
  );
  return found.reduce((sum, { spec }) => sum + (spec?.replicas ?? 1), 0);
}

/** A percentage is of `of` and rounds up. */
function scaledValue(value: string | number, of: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * of) / 100);
}

function countsOf(budget: PodDisruptionBudget, pods: readonly Pod[], cluster: ClusterPods): Counts {
  const { maxUnavailable, minAvailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const expectedPods = expectedScale(pods, cluster);
    const desiredHealthy = Math.max(0, expectedPods - scaledValue(maxUnavailable, expectedPods));
    return { expectedPods, desiredHealthy };
  }
  if (typeof minAvailable === 'string') {
    const expectedPods = expectedScale(pods, cluster);
    return { expectedPods, desiredHealthy: scaledValue(minAvailable, expectedPods) };
  }
  return { expectedPods: pods.length, desiredHealthy: minAvailable ?? 0 };
}

/** Pods whose eviction was granted and that have not begun to go yet, by name and time of the grant. */
function stillDisrupted(status: PodDisruptionBudgetStatus, pods: readonly Pod[], nowMs: number) {
  const staying = new Set(
    pods
      .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata?.name),
  );
  return Object.entries(status.disruptedPods ?? {}).filter(
    ([name, time]) => staying.has(name) && Date.parse(time) + BOUNDS.evictionMs > nowMs,
  );
}

function conditionsOf(budget: PodDisruptionBudget, allowed: number, nowMs: number): readonly Condition[] {
  const { conditions = [] } = budget.status ?? {};
  const isAllowed = allowed > 0;
  const old = conditions.find(({ type }) => type === 'DisruptionAllowed');
  const status = isAllowed ? 'True' : 'False';
  const fresh = {
    type: 'DisruptionAllowed',
    status,
    reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: budget.metadata?.generation,
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : timeText(nowMs),
  };
  return [...conditions.filter((one) => one !== old), fresh];
}

export function planDisruption(cluster: ClusterPods, nowMs: number): Plan<DisruptionStep> {
  let wakeAtMs: number | undefined;
  const steps = [...cluster.budgets.values()].flatMap((budget) => {
    const { namespace, generation } = budget.metadata ?? {};
    const selects = labelSelectorMatcher(budget.spec?.selector);
    const pods = [...cluster.pods.values()].filter(
      ({ metadata }) => metadata?.namespace === namespace && selects(metadata?.labels ?? {}),
    );
    const disrupted = stillDisrupted(budget.status ?? {}, pods, nowMs);
    for (const [, time] of disrupted)
      wakeAtMs = Math.min(wakeAtMs ?? Infinity, Date.parse(time) + BOUNDS.evictionMs);
    const gone = new Set(disrupted.map(([name]) => name));
    const currentHealthy = pods.filter(
      (pod) =>
        isReady(pod) && pod.metadata?.deletionTimestamp === undefined && !gone.has(pod.metadata?.name ?? ''),
    ).length;
    const counts = countsOf(budget, pods, cluster);
    const disruptionsAllowed =
      counts.expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - counts.desiredHealthy);
    const status: PodDisruptionBudgetStatus = {
      ...counts,
      currentHealthy,
      disruptionsAllowed,
      ...(disrupted.length > 0 ? { disruptedPods: Object.fromEntries(disrupted) } : {}),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      conditions: conditionsOf(budget, disruptionsAllowed, nowMs),
    };
    return isDeepStrictEqual(status, budget.status) ? [] : [{ ...budget, status }];
  });
  return { steps, wakeAtMs };
}
