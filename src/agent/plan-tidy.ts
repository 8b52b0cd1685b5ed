// What a pod that goes on no longer needs of its past: half-made and old instances, old sandboxes. Pure.

import { BOUNDS } from '../base/bounds.ts';
import type { Pod } from '../kube/api-types.ts';
import type { Action } from './action.ts';
import {
  everyContainer,
  type Instance,
  isRunning,
  isStartable,
  newestSandbox,
  runsOf,
} from './container-instances.ts';
import type { Observed } from './observed.ts';
import { LOST_SANDBOX } from './recollect.ts';

/** Removes half-made instances and dead ones beyond the bound, ends and removes what old sandboxes still hold. */
export function planTidy(pod: Pod, observed: Observed): readonly Action[] {
  const kept = keptInstances(pod, observed);
  const onMachine = observed.containers.filter((one) => one.sandboxAttempt !== LOST_SANDBOX);
  const removals = onMachine
    .filter((one) => !kept.has(one) && !isRunning(one))
    .map((one): Action => ({ kind: 'removeContainer', container: one.name, id: one.id }));
  const newest = newestSandbox(observed);
  if (newest?.state.kind !== 'ready') return removals;
  const old = observed.sandboxes
    .filter((sandbox) => sandbox !== newest)
    .flatMap(({ attempt }): Action[] => {
      const inIt = onMachine.filter((one) => one.sandboxAttempt === attempt);
      if (inIt.length === 0) return [{ kind: 'removeSandbox', attempt }];
      return inIt.some(isRunning) ? [{ kind: 'stopSandbox', attempt, kills: [] }] : [];
    });
  return [...removals, ...old];
}

/** The last instances that ran, for the status and `kubectl logs --previous`, and those that can still be started. */
function keptInstances(pod: Pod, observed: Observed): ReadonlySet<Instance> {
  const dead = observed.notes.isDiskShort === true ? 0 : BOUNDS.deadInstancesPerContainer;
  return new Set(
    everyContainer(pod).flatMap((container) => [
      ...runsOf(observed, container.name).slice(-1 - dead),
      ...observed.containers.filter(
        (one) => one.name === container.name && isStartable(container, one, observed),
      ),
    ]),
  );
}
