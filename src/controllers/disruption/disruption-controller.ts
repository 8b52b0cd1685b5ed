// The controller of PodDisruptionBudgets: keeps their status (plan-disruption.ts). Every write names the version it was
// planned on: an eviction that spends the budget meanwhile is never overwritten.
import type { ResourceRef } from '../../client/resource-api.ts';
import { POD_DISRUPTION_BUDGETS, PODS } from '../../client/resources.ts';
import { type ControllerOptions, createController } from '../controller.ts';
import { planDisruption, type Replicated } from './plan-disruption.ts';

const owner = (group: string, plural: string, kind: string): ResourceRef<Replicated> => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

const OWNERS = [
  owner('apps', 'replicasets', 'ReplicaSet'),
  owner('apps', 'statefulsets', 'StatefulSet'),
  owner('', 'replicationcontrollers', 'ReplicationController'),
];

/** Runs until the signal aborts. */
export function runDisruptionController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { follow, run } = createController(options, signal);
  const cluster = {
    budgets: follow(POD_DISRUPTION_BUDGETS),
    pods: follow(PODS),
    owners: OWNERS.map((ref) => follow(ref)),
  };
  return run({
    name: 'the disruption budgets',
    plan: (nowMs) => planDisruption(cluster, nowMs),
    perform: async (budget) => {
      await options.api.update(POD_DISRUPTION_BUDGETS, budget, { subresource: 'status' });
    },
  });
}
