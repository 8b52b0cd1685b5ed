// Role-based access control: whether one rule covers what is asked, and which rules a user has. Pure; the store's objects
// come as lists. https://kubernetes.io/docs/reference/access-authn-authz/rbac/
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../kube/api-types.ts';
import { type Attributes, qualifiedResource } from './attributes.ts';
import { serviceAccountName, type User } from './user.ts';

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((one) => one === '*' || one === value) === true;

function coversResource({ resources = [] }: PolicyRule, resource: string, subresource?: string): boolean {
  return resources.some(
    (one) => one === '*' || one === resource || (subresource !== undefined && one === `*/${subresource}`),
  );
}

/** "/healthz/*" covers everything below; the star comes last or not at all. */
function coversPath({ nonResourceURLs = [] }: PolicyRule, path: string): boolean {
  return nonResourceURLs.some(
    (one) => one === '*' || one === path || (one.endsWith('*') && path.startsWith(one.slice(0, -1))),
  );
}

export function ruleCovers(rule: PolicyRule, asked: Attributes): boolean {
  if (!has(rule.verbs, asked.verb)) return false;
  if (asked.type === 'path') return coversPath(rule, asked.path);
  const { resourceNames = [] } = rule;
  return (
    has(rule.apiGroups, asked.group) &&
    coversResource(rule, qualifiedResource(asked), asked.subresource) &&
    (resourceNames.length === 0 || resourceNames.includes(asked.name ?? ''))
  );
}

/** @param home the binding's namespace: a ServiceAccount that names none is of it. */
function isSubject({ kind, name, namespace = '' }: Subject, user: User, home: string | undefined): boolean {
  switch (kind) {
    case 'User':
      return name === user.username;
    case 'Group':
      return user.groups.includes(name);
    case 'ServiceAccount':
      return serviceAccountName(namespace || (home ?? ''), name) === user.username;
    default:
      return false;
  }
}

/** Where roles and bindings are found. */
export type Roles = {
  role(namespace: string, name: string): Role | undefined;
  clusterRole(name: string): ClusterRole | undefined;
  clusterRoleBindings(): readonly ClusterRoleBinding[];
  roleBindings(namespace: string): readonly RoleBinding[];
};

export type RulesOfUser = {
  readonly rules: readonly PolicyRule[];
  /** Roles that are bound and not there. */
  readonly errors: readonly string[];
};

/** @param namespace the binding's own; undefined for a cluster role binding. */
export function rulesOf(roles: Roles, ref: RoleRef, namespace: string | undefined): RulesOfUser {
  const found =
    ref.kind === 'ClusterRole' ? roles.clusterRole(ref.name) : roles.role(namespace ?? '', ref.name);
  if (found !== undefined) return { rules: found.rules ?? [], errors: [] };
  const plural = ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  return { rules: [], errors: [`${plural}.rbac.authorization.k8s.io ${JSON.stringify(ref.name)} not found`] };
}

/** Every rule the user has in the namespace; without one, those that hold everywhere. */
export function rulesOfUser(roles: Roles, user: User, namespace: string | undefined): RulesOfUser {
  const everywhere = roles.clusterRoleBindings().map((binding) => ({ binding, home: undefined }));
  const here =
    namespace === undefined
      ? []
      : roles.roleBindings(namespace).map((binding) => ({ binding, home: namespace }));
  const found = [...everywhere, ...here]
    .filter(({ binding, home }) => (binding.subjects ?? []).some((one) => isSubject(one, user, home)))
    .map(({ binding, home }) => rulesOf(roles, binding.roleRef, home));
  return {
    rules: found.flatMap(({ rules }) => rules),
    errors: found.flatMap(({ errors }) => errors),
  };
}
