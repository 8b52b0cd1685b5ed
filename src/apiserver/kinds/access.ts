// rbac.authorization.k8s.io: the roles and bindings that access/authorizer.ts decides by.
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../kube/api-types.ts';
import {
  defaultBinding,
  validateBinding,
  validateClusterRole,
  validateRole,
} from '../../kube/validation/rbac.ts';
import { createdAt, storedKind, text } from './stored-kind.ts';

const rbac = { group: 'rbac.authorization.k8s.io', nameRule: 'pathSegment', createsOnUpdate: true } as const;
const roleText = ({ roleRef }: RoleBinding | ClusterRoleBinding): string => `${roleRef.kind}/${roleRef.name}`;

export const ACCESS_KINDS = [
  storedKind<Role>({
    ...rbac,
    kind: 'Role',
    validate: validateRole,
    plural: 'roles',
    scope: 'Namespaced',
    columns: [],
    lastColumns: [createdAt()],
  }),
  storedKind<ClusterRole>({
    ...rbac,
    kind: 'ClusterRole',
    validate: validateClusterRole,
    plural: 'clusterroles',
    scope: 'Cluster',
    columns: [],
    lastColumns: [createdAt()],
  }),
  storedKind<RoleBinding>({
    ...rbac,
    kind: 'RoleBinding',
    defaults: defaultBinding,
    validate: (binding) => validateBinding(binding, 'Namespaced'),
    plural: 'rolebindings',
    scope: 'Namespaced',
    immutable: ['roleRef'],
    columns: [text('Role', roleText)],
  }),
  storedKind<ClusterRoleBinding>({
    ...rbac,
    kind: 'ClusterRoleBinding',
    defaults: defaultBinding,
    validate: (binding) => validateBinding(binding, 'Cluster'),
    plural: 'clusterrolebindings',
    scope: 'Cluster',
    immutable: ['roleRef'],
    columns: [text('Role', roleText)],
  }),
];
