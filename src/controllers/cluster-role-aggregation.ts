// Aggregated ClusterRoles: one with an aggregationRule has the rules of all that its selectors choose, itself aside
// (kube-controller-manager's clusterrole-aggregation-controller).
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
import { isDeepStrictEqual } from 'node:util';
import { CLUSTER_ROLES } from '../client/resources.ts';
import type { ClusterRole, PolicyRule } from '../kube/api-types.ts';
import { labelSelectorMatcher } from '../kube/label-selector.ts';
import { type ControllerOptions, createController } from './controller.ts';

/** The roles whose rules are not what they should be, with the right ones. In the order of names, each rule once. */
export function planAggregation(roles: Iterable<ClusterRole>): readonly ClusterRole[] {
  const all = [...roles].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  return all.flatMap((role) => {
    const selectors = role.aggregationRule?.clusterRoleSelectors;
    if (selectors === undefined) return [];
    const chosen = all.filter(
      (other) =>
        other !== role &&
        selectors.some((selector) => labelSelectorMatcher(selector)(other.metadata?.labels ?? {})),
    );
    const rules = distinct(chosen.flatMap((other) => other.rules ?? []));
    return isDeepStrictEqual(rules, role.rules ?? []) ? [] : [{ ...role, rules }];
  });
}

function distinct(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/** Runs until the signal aborts. */
export function runClusterRoleAggregation(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { follow, run } = createController(options, signal);
  const roles = follow(CLUSTER_ROLES);
  return run({
    name: 'the aggregated roles',
    plan: () => ({ steps: planAggregation(roles.values()) }),
    perform: async (role) => {
      await options.api.update(CLUSTER_ROLES, role);
    },
  });
}
