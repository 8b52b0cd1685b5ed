// The five conditions of a pod, with the kubelet's reasons and messages. lastTransitionTime moves only when the status
// of the condition does. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
import { timeText } from '../base/clock.ts';
import type { ContainerStatus, Pod, PodCondition } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import { initContainers } from './container-instances.ts';
import type { Refusal } from './resize.ts';

export type ConditionFacts = {
  readonly pod: Pod;
  readonly nowMs: number;
  readonly phase: string;
  readonly isSandboxReady: boolean;
  readonly isInitialized: boolean;
  readonly resize: ResizeFacts | undefined;
  /** The node has told it to go. */
  readonly disruption: Pick<PodCondition, 'reason' | 'message'> | undefined;
  /** All containers are being restarted in place: what of the former round still runs. */
  readonly restart: { readonly message: string; readonly isEnding: boolean } | undefined;
  readonly initContainerStatuses: readonly ContainerStatus[];
  readonly containerStatuses: readonly ContainerStatus[];
};

/** A resize that is not done: refused for now, or under way, perhaps with an error. */
export type ResizeFacts = { readonly refusal?: Refusal | undefined; readonly error?: string | undefined };
const RESIZE_PENDING = 'PodResizePending';
const RESIZE_IN_PROGRESS = 'PodResizeInProgress';

type Verdict = { readonly status: 'True' | 'False'; readonly reason?: string; readonly message?: string };
const TRUE: Verdict = { status: 'True' };

export function podConditions(facts: ConditionFacts): readonly PodCondition[] {
  const { pod } = facts;
  const before = pod.status?.conditions ?? [];
  const containersReady = containersReadyVerdict(facts);
  const own: readonly (readonly [string, Verdict])[] = [
    ['PodReadyToStartContainers', facts.isSandboxReady ? TRUE : { status: 'False' }],
    ['Initialized', initializedVerdict(facts)],
    ['Ready', readyVerdict(pod, containersReady)],
    ['ContainersReady', containersReady],
    ['PodScheduled', TRUE],
  ];
  const all = [...own, ...restartInPlace(facts, before), ...resizeVerdicts(facts), ...disruption(facts)];
  // Told only while they are true.
  const isOfResize = (type: string): boolean => type === RESIZE_PENDING || type === RESIZE_IN_PROGRESS;
  const others = before.filter(({ type }) => !isOfResize(type) && !all.some(([known]) => known === type));
  return [
    ...all.map(([type, verdict]) =>
      condition(
        before.find((one) => one.type === type),
        { type, verdict, facts },
      ),
    ),
    ...others,
  ];
}

/** KEP-3329. */
function disruption({ disruption: told }: ConditionFacts): readonly (readonly [string, Verdict])[] {
  return told === undefined
    ? []
    : [['DisruptionTarget', { status: 'True', reason: told.reason ?? '', message: told.message ?? '' }]];
}

/** KEP-1287. */
function resizeVerdicts({ resize }: ConditionFacts): readonly (readonly [string, Verdict])[] {
  if (resize === undefined) return [];
  const { refusal, error } = resize;
  if (refusal !== undefined) return [[RESIZE_PENDING, { status: 'True', ...refusal }]];
  if (error === undefined) return [[RESIZE_IN_PROGRESS, { status: 'True' }]];
  return [[RESIZE_IN_PROGRESS, { status: 'True', reason: 'Error', message: error }]];
}

/** KEP-5532: True until everything of the former round has ended. */
function restartInPlace(
  { restart }: ConditionFacts,
  before: readonly PodCondition[],
): readonly (readonly [string, Verdict])[] {
  const type = 'PodRestartInPlace';
  if (restart?.isEnding === true)
    return [[type, { status: 'True', reason: 'ContainerExited', message: restart.message }]];
  return before.some((one) => one.type === type) ? [[type, { status: 'False' }]] : [];
}

function condition(
  before: PodCondition | undefined,
  {
    type,
    verdict,
    facts,
  }: { readonly type: string; readonly verdict: Verdict; readonly facts: ConditionFacts },
): PodCondition {
  const generation = facts.pod.metadata?.generation;
  const isSame = before?.status === verdict.status && before.lastTransitionTime !== undefined;
  return {
    type,
    ...verdict,
    lastTransitionTime: isSame ? before.lastTransitionTime : timeText(facts.nowMs),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

function initializedVerdict({ phase, isInitialized, initContainerStatuses }: ConditionFacts): Verdict {
  if (isInitialized) return phase === 'Succeeded' ? { status: 'True', reason: 'PodCompleted' } : TRUE;
  const names = initContainerStatuses.filter((status) => !status.ready).map((status) => status.name);
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${names.join(' ')}]`,
  };
}

/** Sidecars count: their readiness is the pod's (KEP-753). */
function containersReadyVerdict({
  pod,
  phase,
  initContainerStatuses,
  containerStatuses,
}: ConditionFacts): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = initContainers(pod)
    .filter(isSidecar)
    .map((container) => container.name);
  const counted = [
    ...initContainerStatuses.filter((status) => sidecars.includes(status.name)),
    ...containerStatuses,
  ];
  const unready = counted.filter((status) => !status.ready).map((status) => status.name);
  if (unready.length === 0) return TRUE;
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

function readyVerdict(pod: Pod, containersReady: Verdict): Verdict {
  if (containersReady.status === 'False') return containersReady;
  const messages = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = pod.status?.conditions?.find((one) => one.type === conditionType);
    if (found === undefined) {
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    }
    if (found.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
  if (messages.length === 0) return TRUE;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}
