// A pod in one line, as `kubectl get pods` shows it: READY, STATUS and RESTARTS. The rules are those of kube-apiserver's
// printer (printPod), which puts the most telling reason in place of the phase.
import type { ContainerStatus, Pod } from './api-types.ts';
import { isReady, isSidecar } from './pod.ts';

export type PodSummary = {
  /** Containers that are ready; sidecars count. */
  readonly ready: number;
  readonly total: number;
  /** A phase, or a reason: "Running", "Init:0/2", "CrashLoopBackOff", "Completed", "Terminating" ... */
  readonly status: string;
  readonly restarts: number;
  /** When the last container that was restarted had ended: for "3 (5m ago)". */
  readonly lastRestartAtMs?: number | undefined;
};

/** Why a container that is not running is not: its reason, or its signal or exit code. */
function reasonOf({ state }: ContainerStatus): string | undefined {
  if (state?.waiting?.reason) return state.waiting.reason;
  const terminated = state?.terminated;
  if (terminated === undefined) return undefined;
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

/** The first init container that holds the pod up, in words; undefined when all have done their part. */
function initReason(pod: Pod): string | undefined {
  const specs = pod.spec?.initContainers ?? [];
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, spec] of specs.entries()) {
    const status = statuses.find(({ name }) => name === spec.name);
    if (status?.state?.terminated?.exitCode === 0) continue;
    if (isSidecar(spec) && status?.started === true) continue;
    const reason = status && reasonOf(status);
    const usual =
      reason === undefined || reason === 'PodInitializing' || status?.state?.running !== undefined;
    return usual ? `Init:${index}/${specs.length}` : `Init:${reason}`;
  }
  return undefined;
}

function appReason(pod: Pod, phase: string): string {
  const statuses = pod.status?.containerStatuses ?? [];
  const reason = statuses.map(reasonOf).find((text) => text !== undefined);
  const isRunning = statuses.some(({ state, ready }) => state?.running !== undefined && ready);
  if (reason === 'Completed' && isRunning) return isReady(pod) ? 'Running' : 'NotReady';
  return reason ?? phase;
}

function statusOf(pod: Pod): string {
  const phase = pod.status?.phase ?? 'Pending';
  if (pod.metadata?.deletionTimestamp !== undefined && phase !== 'Succeeded' && phase !== 'Failed') {
    return pod.status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.reason === 'SchedulingGated') return 'SchedulingGated';
  return initReason(pod) ?? appReason(pod, pod.status?.reason ?? phase);
}

export function podSummary(pod: Pod): PodSummary {
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name);
  const initStatuses = pod.status?.initContainerStatuses ?? [];
  const counted = [
    ...(pod.status?.containerStatuses ?? []),
    ...initStatuses.filter(({ name }) => sidecars.includes(name)),
  ];
  const every = [...(pod.status?.containerStatuses ?? []), ...initStatuses];
  const endings = every.flatMap(({ lastState }) => Date.parse(lastState?.terminated?.finishedAt ?? '') || []);
  return {
    ready: counted.filter(({ ready }) => ready).length,
    total: (pod.spec?.containers.length ?? 0) + sidecars.length,
    status: statusOf(pod),
    restarts: every.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ...(endings.length === 0 ? {} : { lastRestartAtMs: Math.max(...endings) }),
  };
}
