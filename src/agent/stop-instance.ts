// How one running container is stopped: preStop hook, stop signal, SIGKILL, each when its time has come. Pure; what has
// been done already is read off the machine (the first signal) and the notes (the hook), so that a shorter grace acts at
// once, and a hook a dead engine had begun is begun again (at least once).
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
import { BOUNDS } from '../base/bounds.ts';
import type { Container } from '../kube/api-types.ts';
import type { Action, Plan } from './action.ts';
import { type Running, STOP_SIGNAL_ANNOTATION } from './container-instances.ts';
import { type HookNote, hookKey, type Observed } from './observed.ts';

export type StopWish = {
  /** The spec of the container; absent when the pod no longer has it. */
  readonly container: Container | undefined;
  /** When the grace is over. */
  readonly deadlineMs: number;
  /** Whether what must end before it has ended; its preStop hook does not wait for that (KEP-753). */
  readonly isInTurn: boolean;
  /** Message of the Killing event. */
  readonly why: string;
};

export function preStopNote(instance: Running, observed: Observed): HookNote | undefined {
  return observed.notes.hooks.get(hookKey('preStop', instance.id));
}

/** Undefined: nobody has begun to stop it. */
export function stopBegunAtMs(instance: Running, observed: Observed): number | undefined {
  return preStopNote(instance, observed)?.startedAtMs ?? instance.stopSignalledAtMs;
}

/** After its signal a container has two seconds at least, however little of the grace is left. */
export function killAtMs(instance: Running, deadlineMs: number): number | undefined {
  const { stopSignalledAtMs } = instance;
  return stopSignalledAtMs === undefined
    ? undefined
    : Math.max(deadlineMs, stopSignalledAtMs + BOUNDS.stopMsMin);
}

export function planStopOf(
  instance: Running,
  wish: StopWish,
  { observed, nowMs }: { readonly observed: Observed; readonly nowMs: number },
): Plan {
  const { deadlineMs, isInTurn, why } = wish;
  const { name: container, id } = instance;
  const killMs = killAtMs(instance, deadlineMs);
  if (killMs !== undefined) {
    if (nowMs < killMs) return { actions: [], wakeAtMs: killMs };
    return { actions: [{ kind: 'signalContainer', container, id, signal: 'SIGKILL' }] };
  }
  const hasHook = wish.container?.lifecycle?.preStop !== undefined;
  const isOver = nowMs >= deadlineMs;
  const wakeAtMs = Number.isFinite(deadlineMs) ? deadlineMs : undefined;
  if (hasHook && !isOver && preStopNote(instance, observed)?.result === undefined)
    return { actions: [{ kind: 'runHook', hook: 'preStop', container, id, why }], wakeAtMs };
  if (!isInTurn && !isOver) return { actions: [], wakeAtMs };
  const signal = instance.annotations[STOP_SIGNAL_ANNOTATION] ?? 'SIGTERM';
  const stop: Action = { kind: 'signalContainer', container, id, signal, ...(hasHook ? {} : { why }) };
  return { actions: [stop] };
}
