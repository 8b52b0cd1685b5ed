// The pod's status as the kubelet would report it: a pure function of the pod, what is observed and the time. What
// other writers put into the status (conditions of controllers, qosClass) is kept as it is. Phase only goes forward.

import { timeText } from '../base/clock.ts';
import type { ContainerStatus, Pod, PodStatus } from '../kube/api-types.ts';
import { isTerminal, qosClassOf } from '../kube/pod.ts';
import { isPostStartDone } from './container-health.ts';
import {
  appContainers,
  ephemeralContainers,
  initContainers,
  isRunning,
  lastRunOf,
  newestSandbox,
} from './container-instances.ts';
import { containerStatus, type StatusContext } from './container-status.ts';
import { disruptionOf } from './evicted.ts';
import type { Observed } from './observed.ts';
import { finalPhase, letsOthersStart, type Outcome, outcomeOf } from './outcome.ts';
import { type ConditionFacts, podConditions, type ResizeFacts } from './pod-conditions.ts';
import { recollect } from './recollect.ts';
import { isPodResizing, isResizing, refusalOf } from './resize.ts';
import { isRoundEnding } from './restart-rules.ts';

export function podStatus(pod: Pod, observed: Observed, nowMs: number): PodStatus {
  const seen = recollect(pod, observed);
  const isTerminating = pod.metadata?.deletionTimestamp !== undefined;
  const outcome =
    isTerminating && !isTerminal(pod) ? { phase: finalPhase(pod, seen) } : outcomeOf(pod, seen, nowMs);
  const isStillUp =
    seen.containers.some(isRunning) || seen.sandboxes.some(({ state }) => state.kind === 'ready');
  const life = outcome === undefined ? 'kept' : isStillUp ? 'ending' : 'ended';
  const context: StatusContext = { pod, observed: seen, nowMs, life };

  const initContainerStatuses = initStatuses(context);
  const isInitialized = initContainers(pod).every((container) => letsOthersStart(pod, container, seen));
  const containerStatuses = appContainers(pod).map((container) =>
    containerStatus(container, context, { isInTurn: isInitialized }),
  );
  const phase = phaseOf(context, outcome);
  const sandbox = newestSandbox(seen)?.state;
  const computed: PodStatus = {
    phase,
    ...endReason(phase, outcome),
    ...addresses(pod, seen),
    ...podLevelResources(pod, seen),
    startTime: pod.status?.startTime ?? timeText(nowMs),
    qosClass: pod.status?.qosClass ?? (pod.spec === undefined ? undefined : qosClassOf(pod.spec)),
    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
    ...(ephemeralContainers(pod).length === 0
      ? {}
      : { ephemeralContainerStatuses: ephemeralStatuses(context) }),
    conditions: podConditions({
      pod,
      nowMs,
      phase,
      isSandboxReady: sandbox?.kind === 'ready',
      isInitialized: isInitialized || phase === 'Succeeded',
      restart: restartOf(seen),
      disruption: disruptionOf(pod, seen.notes),
      resize: life === 'kept' ? resizeFacts(pod, seen) : undefined,
      initContainerStatuses,
      containerStatuses,
    }),
  };
  return { ...pod.status, ...computed };
}

/** What the pod itself was given and what it has: until a resize is done, what was told before. */
function podLevelResources(
  pod: Pod,
  observed: Observed,
): Pick<PodStatus, 'resources' | 'allocatedResources'> {
  const { resources } = pod.spec ?? {};
  if (resources === undefined) return {};
  const isDue = isPodResizing(pod, observed);
  const isRefused = isDue && refusalOf(pod, observed) !== undefined;
  const allocated = isRefused ? pod.status?.allocatedResources : resources.requests;
  return {
    resources: isDue ? (pod.status?.resources ?? resources) : resources,
    ...(allocated === undefined ? {} : { allocatedResources: allocated }),
  };
}

function resizeFacts(pod: Pod, observed: Observed): ResizeFacts | undefined {
  if (!isResizing(pod, observed)) return undefined;
  const errors = [...observed.notes.steps].flatMap(([key, { problem }]) =>
    problem !== undefined && /^resize(Container|Pod) /.test(key) ? [problem.message] : [],
  );
  return { refusal: refusalOf(pod, observed), error: errors[0] };
}

function restartOf(observed: Observed): ConditionFacts['restart'] {
  const { round } = observed;
  if (round === undefined) return undefined;
  const message = `Container ${round.trigger.name} exited with code ${round.exitCode}, triggering pod restart`;
  return { message, isEnding: isRoundEnding(observed) };
}

function ephemeralStatuses(context: StatusContext): readonly ContainerStatus[] {
  return ephemeralContainers(context.pod).map((container) => {
    const { started: _, ...status } = containerStatus(container, context, { isInTurn: true });
    return { ...status, ready: false };
  });
}

function initStatuses(context: StatusContext): readonly ContainerStatus[] {
  let isInTurn = true;
  return initContainers(context.pod).map((container) => {
    const status = containerStatus(container, context, { isInTurn });
    isInTurn &&= letsOthersStart(context.pod, container, context.observed);
    return status;
  });
}

/** A terminal phase is told only once nothing runs any more, and never taken back. */
function phaseOf({ pod, observed, life }: StatusContext, outcome: Outcome | undefined): string {
  if (isTerminal(pod)) return pod.status?.phase ?? 'Failed';
  if (outcome !== undefined && life === 'ended') return outcome.phase;
  const haveAllRun = appContainers(pod).every((container) => {
    const last = lastRunOf(observed, container.name);
    if (last === undefined) return false;
    return !isRunning(last) || isPostStartDone({ pod, container }, last, observed);
  });
  return haveAllRun || pod.status?.phase === 'Running' ? 'Running' : 'Pending';
}

function endReason(phase: string, outcome: Outcome | undefined): Pick<PodStatus, 'reason' | 'message'> {
  if (outcome === undefined || phase !== outcome.phase) return {};
  return {
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome.message === undefined ? {} : { message: outcome.message }),
  };
}

/** The pod's addresses stay readable after its end, as long as no new sandbox has others. */
function addresses(pod: Pod, observed: Observed): Pick<PodStatus, 'hostIP' | 'hostIPs' | 'podIP' | 'podIPs'> {
  const { ips } = observed.notes.node;
  const sandbox = newestSandbox(observed)?.state;
  const ofSandbox = sandbox?.kind === 'ready' ? sandbox.ips : [];
  const podIps = pod.spec?.hostNetwork === true && sandbox?.kind === 'ready' ? ips : ofSandbox;
  return {
    ...(ips[0] === undefined ? {} : { hostIP: ips[0], hostIPs: ips.map((ip) => ({ ip })) }),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
  };
}
