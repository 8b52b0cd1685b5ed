// What the scheduler counts, under kube-scheduler's names.
import { figures } from '../base/figures.ts';
import { DEFAULT_SCHEDULER_NAME } from './profile.ts';
import type { Decision } from './scheduling-cycle.ts';

type Result = 'scheduled' | 'unschedulable';

const profile = DEFAULT_SCHEDULER_NAME;
const attempts = figures.counter({
  name: 'scheduler_schedule_attempts_total',
  help: "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
  labels: ['result', 'profile'],
});
const attemptSeconds = figures.histogram({
  name: 'scheduler_scheduling_attempt_duration_seconds',
  help: 'Scheduling attempt latency in seconds (scheduling algorithm)',
  labels: ['result', 'profile'],
  buckets: Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index),
});
const victims = figures.histogram({
  name: 'scheduler_preemption_victims',
  help: 'Number of selected preemption victims',
  buckets: [1, 2, 4, 8, 16, 32, 64],
});
const preemptions = figures.counter({
  name: 'scheduler_preemption_attempts_total',
  help: 'Total preemption attempts in the cluster till now',
});

const conflicts = figures.counter({
  name: 'podwright_scheduler_binding_conflicts_total',
  help: 'Bindings that lost against what another scheduler had committed (409), by the profile that planned them; each is planned anew',
  labels: ['profile'],
});

export function countConflict(schedulerName: string): void {
  conflicts({ profile: schedulerName });
}

function countAttempts(result: Result, pods: number, ms: number): void {
  attempts({ result, profile }, pods);
  for (let pod = 0; pod < pods; pod += 1) attemptSeconds({ result, profile }, ms / 1000 / pods);
}

/** A decision is one attempt for each pod it speaks of; a pod for which room is made was unschedulable. */
export function countDecision(decision: Decision, ms: number): void {
  switch (decision.kind) {
    case 'assigned':
      countAttempts('scheduled', decision.assignments.length, ms);
      return;
    case 'unschedulable':
      countAttempts('unschedulable', decision.pods.length, ms);
      return;
    case 'nominated':
      countAttempts('unschedulable', 1, ms);
      preemptions();
      victims({}, decision.victims.length);
      return;
  }
}

/** Returns the undo. */
export function gaugeQueue(sizes: () => { readonly [queue: string]: number }): () => void {
  return figures.gauge(
    {
      name: 'scheduler_pending_pods',
      help: "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated.",
    },
    () => Object.entries(sizes()).map(([queue, value]) => ({ labels: { queue }, value })),
  );
}
