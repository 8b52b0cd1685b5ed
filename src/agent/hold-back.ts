// The one brake on every loop of the agent. Whatever was just done, well or badly, is not done again at once: a step
// that fails is retried with back-off, and one that succeeds without changing what is observed cannot become a busy
// loop. Pure.
import { BOUNDS } from '../base/bounds.ts';
import { type Action, actionKey, type Plan, repeatDelayMs } from './action.ts';
import type { Step } from './observed.ts';

type Steps = ReadonlyMap<string, Step>;

export function holdBack(plan: Plan, steps: Steps, nowMs: number): Plan {
  const readyAtMs = (action: Action): number => {
    const step = steps.get(actionKey(action));
    return step === undefined ? 0 : step.atMs + repeatDelayMs(action, step.times);
  };
  const later = plan.actions.filter((action) => readyAtMs(action) > nowMs);
  if (later.length === 0) return plan;
  const actions = plan.actions.filter((action) => readyAtMs(action) <= nowMs);
  return withWake({ ...plan, actions }, Math.min(...later.map(readyAtMs)));
}

/** The earlier of two wake-ups. */
export function withWake(plan: Plan, atMs: number | undefined): Plan {
  if (atMs === undefined) return plan;
  return { ...plan, wakeAtMs: Math.min(atMs, plan.wakeAtMs ?? Number.POSITIVE_INFINITY) };
}

/** All actions, and the earliest wake-up. */
export function joinPlans(plans: readonly Plan[]): Plan {
  const actions = plans.flatMap((plan) => plan.actions);
  const wakeAtMs = Math.min(...plans.map((plan) => plan.wakeAtMs ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(wakeAtMs) ? { actions, wakeAtMs } : { actions };
}

export type StepEnd = { readonly atMs: number; readonly problem?: Step['problem'] };

/** The steps with one more end of an action; those old enough to be forgotten are left out. */
export function recordStep(steps: Steps, action: Action, end: StepEnd): Steps {
  const key = actionKey(action);
  const before = steps.get(key);
  const isSameResult = before !== undefined && (before.problem === undefined) === (end.problem === undefined);
  const forgetBeforeMs = end.atMs - BOUNDS.restartBackoffResetMs;
  const kept = [...steps].filter(([other, step]) => other !== key && step.atMs >= forgetBeforeMs);
  return new Map([...kept, [key, { ...end, times: isSameResult ? before.times + 1 : 1 }]]);
}
