// The one place where it is decided who may do what. Reads the newest roles and bindings from the store; its words are
// kube-apiserver's.
import { PodwrightError } from '../../base/errors.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../kube/api-types.ts';
import type { Store } from '../../store/store.ts';
import { storageKey, storagePrefix } from '../storage-key.ts';
import { type Attributes, qualifiedResource, type ResourceAttributes } from './attributes.ts';
import { type Roles, ruleCovers, rulesOfUser } from './rbac.ts';
import { isMaster, type User } from './user.ts';

const RBAC = 'rbac.authorization.k8s.io';
const place = (plural: string, namespaced: boolean) => ({ group: RBAC, plural, namespaced });
const ROLES = place('roles', true);
const CLUSTER_ROLES = place('clusterroles', false);
const ROLE_BINDINGS = place('rolebindings', true);
const CLUSTER_ROLE_BINDINGS = place('clusterrolebindings', false);

/** The roles as the store has them now. */
export function storedRoles(store: Store<KubeObject>): Roles {
  return {
    role: (namespace, name) => store.get(storageKey(ROLES, { namespace, name })) as Role | undefined,
    clusterRole: (name) => store.get(storageKey(CLUSTER_ROLES, { name })) as ClusterRole | undefined,
    clusterRoleBindings: () =>
      store.list({ prefix: storagePrefix(CLUSTER_ROLE_BINDINGS) }).values as readonly ClusterRoleBinding[],
    roleBindings: (namespace) =>
      store.list({ prefix: storagePrefix(ROLE_BINDINGS, namespace) }).values as readonly RoleBinding[],
  };
}

export type Verdict = { readonly isAllowed: boolean; readonly reason: string };

export function authorize(roles: Roles, user: User, asked: Attributes): Verdict {
  if (isMaster(user)) return { isAllowed: true, reason: '' };
  const { rules, errors } = rulesOfUser(roles, user, asked.type === 'resource' ? asked.namespace : undefined);
  const isAllowed = rules.some((rule) => ruleCovers(rule, asked));
  return { isAllowed, reason: isAllowed || errors.length === 0 ? '' : `RBAC: ${errors.join(', ')}` };
}

function forbiddenResource(user: User, asked: ResourceAttributes, reason: string): PodwrightError {
  const { group, resource, namespace, verb, name = '' } = asked;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const what = `cannot ${verb} resource "${qualifiedResource(asked)}" in API group "${group}" ${where}`;
  const about = name === '' ? qualified : `${qualified} ${JSON.stringify(name)}`;
  const text = `${about} is forbidden: User ${JSON.stringify(user.username)} ${what}`;
  return new PodwrightError('Forbidden', reason === '' ? text : `${text}: ${reason}`, {
    details: { name, group, kind: resource },
  });
}

/** @throws Forbidden */
export function requireAllowed(roles: Roles, user: User, asked: Attributes): void {
  const { isAllowed, reason } = authorize(roles, user, asked);
  if (!isAllowed) throw forbidden(user, asked, reason);
}

export function forbidden(user: User, asked: Attributes, reason: string): PodwrightError {
  if (asked.type === 'resource') return forbiddenResource(user, asked, reason);
  const text = `forbidden: User ${JSON.stringify(user.username)} cannot ${asked.verb} path ${JSON.stringify(asked.path)}`;
  return new PodwrightError('Forbidden', reason === '' ? text : `${text}: ${reason}`);
}
