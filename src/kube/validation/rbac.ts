// Rules for roles and bindings (pkg/apis/rbac/validation).
import type { ClusterRole, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../api-types.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';

const GROUP = 'rbac.authorization.k8s.io';

function validateRule(rule: PolicyRule, at: string, scope: 'Namespaced' | 'Cluster'): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const ofVerbs =
    verbs.length === 0 ? [required(`${at}.verbs`, 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    const field = `${at}.nonResourceURLs`;
    const isMixed = apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0;
    return [
      ...ofVerbs,
      ...(scope === 'Namespaced'
        ? [invalid(field, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')]
        : []),
      ...(isMixed
        ? [
            invalid(
              field,
              nonResourceURLs,
              'rules cannot apply to both regular resources and non-resource URLs',
            ),
          ]
        : []),
    ];
  }
  return [
    ...ofVerbs,
    ...(apiGroups.length === 0
      ? [required(`${at}.apiGroups`, 'resource rules must supply at least one api group')]
      : []),
    ...(resources.length === 0
      ? [required(`${at}.resources`, 'resource rules must supply at least one resource')]
      : []),
  ];
}

export function validateRole({ rules }: Role): FieldError[] {
  return (rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${index}]`, 'Namespaced'));
}

export function validateClusterRole({ rules, aggregationRule }: ClusterRole): FieldError[] {
  const selectors = aggregationRule?.clusterRoleSelectors ?? [];
  const field = 'aggregationRule.clusterRoleSelectors';
  return [
    ...(rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${index}]`, 'Cluster')),
    ...(aggregationRule !== undefined && selectors.length === 0
      ? [required(field, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
      : []),
  ];
}

function validateSubject(subject: Subject, at: string, scope: 'Namespaced' | 'Cluster'): FieldError[] {
  const { kind, name, apiGroup = '', namespace } = subject;
  const named = name ? [] : [required(`${at}.name`)];
  const wanted = kind === 'ServiceAccount' ? '' : GROUP;
  if (!['User', 'Group', 'ServiceAccount'].includes(kind))
    return [...named, notSupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  return [
    ...named,
    ...(apiGroup === wanted ? [] : [notSupported(`${at}.apiGroup`, apiGroup, [wanted])]),
    ...(kind === 'ServiceAccount' && !namespace && scope === 'Cluster' ? [required(`${at}.namespace`)] : []),
    ...(kind !== 'ServiceAccount' && namespace
      ? [forbidden(`${at}.namespace`, `may not be set for ${kind} subjects`)]
      : []),
  ];
}

function validateRoleRef({ apiGroup, kind, name }: RoleRef, scope: 'Namespaced' | 'Cluster'): FieldError[] {
  const kinds = scope === 'Namespaced' ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  return [
    ...(apiGroup === GROUP ? [] : [notSupported('roleRef.apiGroup', apiGroup, [GROUP])]),
    ...(kinds.includes(kind) ? [] : [notSupported('roleRef.kind', kind, kinds)]),
    ...(name ? [] : [required('roleRef.name')]),
  ];
}

/** @param scope of the binding: one for the whole cluster cannot hand out a namespace's role. */
export function validateBinding(
  { roleRef, subjects }: Pick<RoleBinding, 'roleRef' | 'subjects'>,
  scope: 'Namespaced' | 'Cluster',
): FieldError[] {
  return [
    // Whether there is one at all says the schema.
    ...(roleRef === undefined ? [] : validateRoleRef(roleRef, scope)),
    ...(subjects ?? []).flatMap((subject, index) => validateSubject(subject, `subjects[${index}]`, scope)),
  ];
}

/** The API group of a subject or a role is RBAC's own unless it is said; a ServiceAccount is of the core group. */
export function defaultBinding<T extends Pick<RoleBinding, 'roleRef' | 'subjects'>>(binding: T): T {
  const { roleRef, subjects } = binding;
  return {
    ...binding,
    ...(roleRef && { roleRef: { ...roleRef, apiGroup: roleRef.apiGroup || GROUP } }),
    ...(subjects && {
      subjects: subjects.map((one) =>
        one.kind === 'ServiceAccount' || one.apiGroup ? one : { ...one, apiGroup: GROUP },
      ),
    }),
  };
}
