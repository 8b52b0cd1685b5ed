// What a running container needs while its pod goes on: its postStart hook, or a stop of its own because of what it is
// (definition changed) or what was found out about it (probe or hook failed). It restarts, or not, once it has ended. Pure.

import { BOUNDS } from '../base/bounds.ts';
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import { isPostStartDone } from './container-health.ts';
import {
  initContainers,
  isDefinitionChanged,
  isOfFormerRound,
  isRunning,
  lastRunOf,
  type Running,
} from './container-instances.ts';
import { hookKey, type Observed, type ProbeKind, probeKey } from './observed.ts';
import { refusalOf, resizeOf } from './resize.ts';
import { planStopOf, stopBegunAtMs } from './stop-instance.ts';

type Now = { readonly observed: Observed; readonly nowMs: number };
type Reason = { readonly why: string; readonly graceMs: number };

export const graceMs = (pod: Pod): number => (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;

export function planRunning(pod: Pod, container: Container, { observed, nowMs }: Now): Plan {
  const last = lastRunOf(observed, container.name);
  if (last === undefined || !isRunning(last)) return { actions: [] };
  if (isOfFormerRound(last, observed)) return { actions: [killForRestart(last, observed)] };
  const begunMs = stopBegunAtMs(last, observed);
  const reason = reasonToStop({ pod, container }, last, observed);
  if (reason !== undefined) {
    const deadlineMs = (begunMs ?? nowMs) + reason.graceMs;
    return planStopOf(last, { container, deadlineMs, isInTurn: true, why: reason.why }, { observed, nowMs });
  }
  if (isPostStartDone({ pod, container }, last, observed))
    return planResize(pod, container, { observed, nowMs });
  return { actions: [{ kind: 'runHook', hook: 'postStart', container: container.name, id: last.id }] };
}

function planResize(pod: Pod, container: Container, { observed, nowMs }: Now): Plan {
  const last = lastRunOf(observed, container.name);
  if (last === undefined || resizeOf(container, last) !== 'update') return { actions: [] };
  if (refusalOf(pod, observed) !== undefined) return { actions: [], wakeAtMs: nowMs + BOUNDS.resizeRetryMs };
  return { actions: [{ kind: 'resizeContainer', container: container.name, id: last.id }] };
}

/** Neither hooks nor grace (KEP-5532). */
function killForRestart({ name: container, id }: Running, { round }: Observed): Action {
  const why = `Container ${round?.trigger.name} exited with code ${round?.exitCode}, restarting all containers`;
  return { kind: 'signalContainer', container, id, signal: 'SIGKILL', why };
}

function reasonToStop(
  { pod, container }: { readonly pod: Pod; readonly container: Container },
  instance: Running,
  observed: Observed,
): Reason | undefined {
  const { name } = container;
  const grace = graceMs(pod);
  const isOneShot = initContainers(pod).includes(container) && !isSidecar(container);
  if (!isOneShot && isDefinitionChanged(container, instance))
    return { why: `Container ${name} definition changed, will be restarted`, graceMs: grace };
  if (observed.notes.hooks.get(hookKey('postStart', instance.id))?.result === 'failed')
    return { why: 'FailedPostStartHook', graceMs: grace };
  const unhealthy = failedProbe(instance, observed);
  if (unhealthy !== undefined) {
    const own = container[`${unhealthy}Probe`]?.terminationGracePeriodSeconds;
    const willRestart = (container.restartPolicy ?? pod.spec?.restartPolicy) !== 'Never';
    const why = `Container ${name} failed ${unhealthy} probe${willRestart ? ', will be restarted' : ''}`;
    return { why, graceMs: own === undefined ? grace : own * 1000 };
  }
  if (resizeOf(container, instance) === 'restart' && refusalOf(pod, observed) === undefined)
    return { why: `Container ${name} resize requires restart`, graceMs: grace };
  // Begun by an engine that knew why: it is brought to its end.
  return stopBegunAtMs(instance, observed) === undefined ? undefined : { why: '', graceMs: grace };
}

function failedProbe({ id }: Running, { notes }: Observed): 'liveness' | 'startup' | undefined {
  const hasFailed = (kind: ProbeKind): boolean => notes.probes.get(probeKey(kind, id)) === 'failure';
  return hasFailed('startup') ? 'startup' : hasFailed('liveness') ? 'liveness' : undefined;
}
