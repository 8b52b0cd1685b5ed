// The last part of a pod's life: nothing of it may stay. Used for pods the API no longer knows (force-deleted, or gone
// while the engine was away), and at the end of every termination.
import type { Plan } from './action.ts';
import type { Observed } from './observed.ts';

/** Kills at once what still runs: removing a sandbox ends everything in it. Empty plan: nothing is left. */
export function planRemoval(observed: Observed): Plan {
  const [sandbox] = observed.sandboxes;
  if (sandbox !== undefined) return { actions: [{ kind: 'removeSandbox', attempt: sandbox.attempt }] };
  return { actions: isGone(observed) ? [] : [{ kind: 'removePod' }] };
}

export function isGone(observed: Observed): boolean {
  return !observed.notes.onMachine && observed.sandboxes.length === 0 && observed.containers.length === 0;
}
