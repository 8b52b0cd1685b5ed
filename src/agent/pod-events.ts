// The Events of one pod: the recorder with the pod's reference and, for a container, its field path. Also the events
// that tell of a state rather than of a deed: back-offs, read off a change of the status.
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Pod, PodStatus } from '../kube/api-types.ts';
import type { PodIdentity } from '../machine/model/pod-identity.ts';
import type { Action } from './action.ts';
import type { CheckResult } from './checks/check.ts';
import { ephemeralContainers, initContainers, statusesOf } from './container-instances.ts';
import { NEXT_RESTART } from './container-status.ts';
import type { Step } from './observed.ts';
import type { ProbeTarget } from './probe-targets.ts';

export type PodEvents = {
  tell(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
};

export function podEvents(
  recorder: EventRecorder,
  identity: PodIdentity,
  pod: () => Pod | undefined,
): PodEvents {
  const fieldPath = (name: string): string => {
    const current = pod();
    const isIn = (containers: readonly { readonly name: string }[]): boolean =>
      containers.some((container) => container.name === name);
    if (current !== undefined && isIn(initContainers(current))) return `spec.initContainers{${name}}`;
    const isEphemeral = current !== undefined && isIn(ephemeralContainers(current));
    return `spec.${isEphemeral ? 'ephemeralContainers' : 'containers'}{${name}}`;
  };
  return {
    tell(type, reason, message, container) {
      const { uid, namespace, name } = identity;
      const regarding = { apiVersion: 'v1', kind: 'Pod', uid, namespace, name };
      recorder.record({
        regarding: container === undefined ? regarding : { ...regarding, fieldPath: fieldPath(container) },
        type,
        reason,
        message,
      });
    },
  };
}

/** One probe that did not simply succeed. */
export function tellProbe(events: PodEvents, target: ProbeTarget, { kind, output }: CheckResult): void {
  const name = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' }[target.kind];
  if (kind === 'failure')
    events.tell('Warning', 'Unhealthy', `${name} probe failed: ${output}`, target.container);
  if (kind === 'unknown')
    events.tell('Warning', 'Unhealthy', `${name} probe errored: ${output}`, target.container);
  if (kind === 'warning')
    events.tell('Warning', 'ProbeWarning', `${name} probe warning: ${output}`, target.container);
}

/** One failed action, as the kubelet words it. */
export function tellProblem(events: PodEvents, action: Action, problem: NonNullable<Step['problem']>): void {
  switch (action.kind) {
    case 'pullImage': {
      const { container, image } = action;
      events.tell('Warning', ...pullEvent(image, problem), container);
      events.tell('Warning', 'Failed', `Error: ${problem.reason}`, container);
      return;
    }
    case 'createContainer':
    case 'startContainer':
      events.tell('Warning', 'Failed', `Error: ${problem.message}`, action.container);
      return;
    case 'patchStatus':
    case 'deletePod':
      return;
    default:
      events.tell('Warning', problem.reason, problem.message);
  }
}

function pullEvent(
  image: string,
  { reason, message }: NonNullable<Step['problem']>,
): [reason: string, message: string] {
  switch (reason) {
    case 'ErrImageNeverPull':
      return [reason, message];
    case 'InvalidImageName':
      return ['InspectFailed', message];
    default:
      return ['Failed', `Failed to pull image "${image}": ${message}`];
  }
}

/** What has just become so: a container waits for a back-off, the pod has missed its deadline. */
export function tellStates(events: PodEvents, pod: Pod, status: PodStatus): void {
  if (status.reason === 'DeadlineExceeded' && pod.status?.reason !== status.reason)
    events.tell('Normal', 'DeadlineExceeded', status.message ?? '');
  const before = new Map(statusesOf(pod.status).map((one) => [one.name, one]));
  for (const one of statusesOf(status)) {
    const waiting = one.state?.waiting;
    const old = before.get(one.name);
    const isNew = old?.state?.waiting?.reason !== waiting?.reason || old?.restartCount !== one.restartCount;
    if (!isNew) continue;
    const { name, namespace, uid } = pod.metadata ?? {};
    if (waiting?.reason === 'CrashLoopBackOff') {
      const message = waiting.message ?? '';
      const next = message.slice(message.indexOf(NEXT_RESTART));
      const text = `Back-off restarting failed container ${one.name} in pod ${name}_${namespace}(${uid}), ${next}`;
      events.tell('Warning', 'BackOff', text, one.name);
    }
    if (waiting?.reason === 'ImagePullBackOff') {
      events.tell('Normal', 'BackOff', `Back-off pulling image "${one.image}"`, one.name);
      events.tell('Warning', 'Failed', 'Error: ImagePullBackOff', one.name);
    }
  }
}
