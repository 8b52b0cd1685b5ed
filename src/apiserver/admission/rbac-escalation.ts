// Nobody grants by a role or a binding what they do not have (pkg/registry/rbac): the rules written must be covered by the
// writer's own, unless the writer may "escalate" the role or "bind" it. Reading a role grants nothing and is free.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, PolicyRule, Role, RoleBinding } from '../../kube/api-types.ts';
import type { Attributes } from '../access/attributes.ts';
import { authorize } from '../access/authorizer.ts';
import { ruleCovers, rulesOf, rulesOfUser } from '../access/rbac.ts';
import { isMaster } from '../access/user.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin, AdmissionWrite } from './plugin.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** What whoever aggregates roles must hold: what they choose may come to be anything. */
const EVERYTHING: readonly PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

/** The single permissions that a rule is made of. */
function permissionsOf(rule: PolicyRule): Attributes[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((path) => ({ type: 'path', verb, path }) as const),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((one) => {
        const [resource = '', subresource] = one.split('/');
        return names.map((name) => ({ type: 'resource', verb, group, resource, subresource, name }) as const);
      }),
    ),
  ]);
}

const list = (texts: readonly string[]): string => `[${texts.map((one) => JSON.stringify(one)).join(', ')}]`;

/** As Go prints the rule that would cover it. */
function ruleText(asked: Attributes, verbs: readonly string[]): string {
  if (asked.type === 'path') return `{NonResourceURLs:${list([asked.path])}, Verbs:${list(verbs)}}`;
  const { group, resource, subresource, name } = asked;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const names = name === undefined ? '' : `, ResourceNames:${list([name])}`;
  return `{APIGroups:${list([group])}, Resources:${list([full])}${names}, Verbs:${list(verbs)}}`;
}

function missing(wanted: readonly PolicyRule[], own: readonly PolicyRule[]): readonly string[] {
  const lacking = wanted
    .flatMap(permissionsOf)
    .filter((asked) => !own.some((rule) => ruleCovers(rule, asked)));
  const byTarget = Map.groupBy(lacking, ({ verb: _, ...target }) => JSON.stringify(target));
  return [...byTarget.values()].flatMap((group) =>
    group[0] === undefined
      ? []
      : [
          ruleText(
            group[0],
            group.map(({ verb }) => verb),
          ),
        ],
  );
}

function requireOwn(write: AdmissionWrite, wanted: readonly PolicyRule[], context: AdmissionContext): void {
  const { kind, object, user } = write;
  const { rules, errors } = rulesOfUser(context.roles, user, object.metadata?.namespace);
  const lacking = missing(wanted, rules);
  if (lacking.length === 0) return;
  const why = `user ${JSON.stringify(user.username)} (groups=${list(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lacking.join('\n')}`;
  const unresolved = errors.length === 0 ? '' : `; resolution errors: ${list(errors)}`;
  throw forbiddenError(kind, object.metadata?.name ?? '', why + unresolved);
}

function may(
  verb: string,
  write: AdmissionWrite,
  role: { plural: string; name: string },
  context: AdmissionContext,
) {
  const { object, user } = write;
  const { namespace } = object.metadata ?? {};
  const asked = {
    type: 'resource',
    verb,
    group: RBAC,
    resource: role.plural,
    name: role.name,
    namespace,
  } as const;
  return authorize(context.roles, user, asked).isAllowed;
}

function checkRole(write: AdmissionWrite, context: AdmissionContext): void {
  const role = write.object as Role & ClusterRole;
  const old = write.old as typeof role | undefined;
  const { plural } = write.kind;
  if (may('escalate', write, { plural, name: role.metadata?.name ?? '' }, context)) return;
  const aggregates =
    role.aggregationRule !== undefined && !isDeepStrictEqual(role.aggregationRule, old?.aggregationRule);
  const isChanged = !isDeepStrictEqual(role.rules ?? [], old?.rules ?? []);
  requireOwn(write, [...(isChanged ? (role.rules ?? []) : []), ...(aggregates ? EVERYTHING : [])], context);
}

function checkBinding(write: AdmissionWrite, context: AdmissionContext): void {
  const { roleRef, subjects } = write.object as RoleBinding;
  const old = write.old as RoleBinding | undefined;
  if (isDeepStrictEqual(roleRef, old?.roleRef) && isDeepStrictEqual(subjects, old?.subjects)) return;
  const plural = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (may('bind', write, { plural, name: roleRef.name }, context)) return;
  const { rules, errors } = rulesOf(context.roles, roleRef, write.object.metadata?.namespace);
  if (errors.length > 0)
    throw forbiddenError(write.kind, write.object.metadata?.name ?? '', errors.join(', '));
  requireOwn(write, rules, context);
}

export const rbacEscalation: AdmissionPlugin = {
  validate(write, context) {
    const { kind, user } = write;
    if (kind.group !== RBAC || isMaster(user)) return;
    if (kind.plural.endsWith('roles')) checkRole(write, context);
    else checkBinding(write, context);
  },
};
