// Which probes are to be made now, of what and how often. Pure; prober.ts makes them.
// https://kubernetes.io/docs/concepts/workloads/pods/probes/
import type { ContainerId } from '../base/brand.ts';
import type { Container, Pod, Probe } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import { type Check, checkOf } from './checks/check.ts';
import { isPostStartDone, isStarted } from './container-health.ts';
import {
  appContainers,
  initContainers,
  isRunning,
  lastRunOf,
  newestSandbox,
  type Running,
} from './container-instances.ts';
import { type Observed, type ProbeKind, probeKey } from './observed.ts';

export type ProbeTarget = {
  readonly key: string;
  readonly container: string;
  readonly id: ContainerId;
  readonly kind: ProbeKind;
  readonly check: Check;
  readonly startedAtMs: number;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
};

export function probeTargets(pod: Pod | undefined, observed: Observed): readonly ProbeTarget[] {
  const sandbox = newestSandbox(observed);
  if (pod === undefined || sandbox?.state.kind !== 'ready') return [];
  // On the node's network the pod's address is the node's.
  const podIp = sandbox.state.ips[0] ?? observed.notes.node.ips[0] ?? '127.0.0.1';
  const probed = [...initContainers(pod).filter(isSidecar), ...appContainers(pod)];
  return probed.flatMap((container) => {
    const instance = lastRunOf(observed, container.name);
    const isHere = instance?.sandboxAttempt === sandbox.attempt;
    if (instance === undefined || !isRunning(instance) || !isHere) return [];
    return targetsOf({ pod, container, podIp }, instance, observed);
  });
}

type Probed = { readonly pod: Pod; readonly container: Container; readonly podIp: string };

function targetsOf(probed: Probed, instance: Running, observed: Observed): readonly ProbeTarget[] {
  const { pod, container } = probed;
  if (!isPostStartDone(probed, instance, observed)) return [];
  // Nothing is restarted for its health while the pod ends, but a sidecar (KEP-4438).
  const isHelper = initContainers(pod).includes(container);
  const isEnding = pod.metadata?.deletionTimestamp !== undefined && !isHelper;
  const hasFailed = (kind: ProbeKind): boolean =>
    observed.notes.probes.get(probeKey(kind, instance.id)) === 'failure';
  const target = (kind: ProbeKind, probe: Probe | undefined): readonly ProbeTarget[] =>
    probe === undefined ? [] : [targetOf(probe, { probed, kind, instance })];
  if (!isStarted(probed, instance, observed))
    return isEnding || hasFailed('startup') ? [] : target('startup', container.startupProbe);
  return [
    ...(isEnding || hasFailed('liveness') ? [] : target('liveness', container.livenessProbe)),
    ...target('readiness', container.readinessProbe),
  ];
}

function targetOf(
  probe: Probe,
  {
    probed: { container, podIp },
    kind,
    instance,
  }: { readonly probed: Probed; readonly kind: ProbeKind; readonly instance: Running },
): ProbeTarget {
  const { id } = instance;
  return {
    key: probeKey(kind, id),
    container: container.name,
    id,
    kind,
    check: checkOf(probe, { container, id, podIp }),
    startedAtMs: instance.state.startedAtMs,
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds || 10) * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}
