// The heart of the agent: what to do next for one pod. A pure function: data in, actions and a wake-up time out; no
// clock, no chance, no IO. It decides by what is, never by which event woke it. A pod's life has four parts, a file
// each, and only goes forward: kept running, completed, terminating, gone.

import type { Pod } from '../kube/api-types.ts';
import type { Plan } from './action.ts';
import { holdBack, withWake } from './hold-back.ts';
import type { Observed } from './observed.ts';
import { deadlineMs, outcomeOf } from './outcome.ts';
import { planRemoval } from './plan-removal.ts';
import { planStart } from './plan-start.ts';
import { planCompletion, planTermination } from './plan-stop.ts';
import { recollect } from './recollect.ts';

/** @param pod undefined when the API no longer has it: then nothing of it may stay. */
export function planPod(pod: Pod | undefined, observed: Observed, nowMs: number): Plan {
  return holdBack(planLife(pod, observed, nowMs), observed.notes.steps, nowMs);
}

function planLife(pod: Pod | undefined, observed: Observed, nowMs: number): Plan {
  if (pod === undefined) return planRemoval(observed);
  if (pod.metadata?.deletionTimestamp !== undefined) return planTermination(pod, observed, nowMs);
  const seen = recollect(pod, observed);
  if (outcomeOf(pod, seen, nowMs) !== undefined) return planCompletion(pod, observed, nowMs);
  return withWake(planStart(pod, seen, nowMs), deadlineMs(pod));
}
