// The cluster roles and bindings that every Kubernetes has, as data (kubernetes/plugin/pkg/auth/authorizer/rbac/
// bootstrappolicy), but for those of programs that this engine is itself. system-roles.ts keeps them in the store.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../kube/api-types.ts';
import { AUTHENTICATED, MASTERS, UNAUTHENTICATED } from './user.ts';

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const ALL = [...WRITE, ...READ].sort();
const RBAC = 'rbac.authorization.k8s.io';
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
/** Whoever sets it to "false" keeps what they made of the object. */
export const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

/** "pods pods/log" in one API group. */
const on = (apiGroup: string, resources: string, verbs: readonly string[]): PolicyRule => ({
  apiGroups: [apiGroup],
  resources: resources.split(' '),
  verbs,
});
const paths = (nonResourceURLs: string): PolicyRule => ({
  nonResourceURLs: nonResourceURLs.split(' '),
  verbs: ['get'],
});

const metadata = (name: string, labels: { readonly [key: string]: string } = {}) => ({
  name,
  labels: { ...LABELS, ...labels },
  annotations: { [AUTOUPDATE]: 'true' },
});

const role = (name: string, rules: readonly PolicyRule[], labels = {}): ClusterRole => ({
  metadata: metadata(name, labels),
  rules,
});

const addsTo = (name: string) => ({ [`${RBAC}/aggregate-to-${name}`]: 'true' });

/** Its rules are those of all roles that say they add to it. */
const aggregated = (name: string, labels = {}): ClusterRole => ({
  metadata: metadata(name, labels),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: addsTo(name) }] },
  rules: [],
});

const WORKLOADS =
  'daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale';
const INGRESSES = 'ingresses networkpolicies';

const VIEW = [
  on(
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    READ,
  ),
  on(
    '',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    READ,
  ),
  on('', 'namespaces', READ),
  on('discovery.k8s.io', 'endpointslices', READ),
  on(
    'apps',
    `controllerrevisions ${WORKLOADS} daemonsets/status deployments/status replicasets/status statefulsets/status`,
    READ,
  ),
  on('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', READ),
  on('batch', 'cronjobs cronjobs/status jobs jobs/status', READ),
  on('policy', 'poddisruptionbudgets poddisruptionbudgets/status', READ),
  on('networking.k8s.io', `${INGRESSES} ingresses/status`, READ),
];

const EDIT = [
  on('', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', READ),
  on('', 'serviceaccounts', ['impersonate']),
  on('', 'pods pods/attach pods/exec pods/portforward pods/proxy', WRITE),
  on('', 'pods/eviction serviceaccounts/token', ['create']),
  on(
    '',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    WRITE,
  ),
  on('apps', `${WORKLOADS} deployments/rollback`, WRITE),
  on('autoscaling', 'horizontalpodautoscalers', WRITE),
  on('batch', 'cronjobs jobs', WRITE),
  on('policy', 'poddisruptionbudgets', WRITE),
  on('networking.k8s.io', INGRESSES, WRITE),
  on('coordination.k8s.io', 'leases', ALL),
];

const ADMIN = [
  on('authorization.k8s.io', 'localsubjectaccessreviews', ['create']),
  on(RBAC, 'rolebindings roles', ALL),
];

const HEALTH = '/healthz /livez /readyz';
const PUBLIC = `${HEALTH} /version /version/`;

export const DEFAULT_ROLES: readonly ClusterRole[] = [
  role('cluster-admin', [on('*', '*', ['*']), { nonResourceURLs: ['*'], verbs: ['*'] }]),
  aggregated('admin'),
  aggregated('edit', addsTo('admin')),
  aggregated('view', addsTo('edit')),
  role('system:aggregate-to-admin', ADMIN, addsTo('admin')),
  role('system:aggregate-to-edit', EDIT, addsTo('edit')),
  role('system:aggregate-to-view', VIEW, addsTo('view')),
  role('system:aggregated-metrics-reader', [on('metrics.k8s.io', 'nodes pods', READ)], {
    ...addsTo('admin'),
    ...addsTo('edit'),
    ...addsTo('view'),
  }),
  role('system:auth-delegator', [
    on('authentication.k8s.io', 'tokenreviews', ['create']),
    on('authorization.k8s.io', 'subjectaccessreviews', ['create']),
  ]),
  role('system:basic-user', [
    on('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', ['create']),
    on('authentication.k8s.io', 'selfsubjectreviews', ['create']),
  ]),
  role('system:discovery', [paths(`/api /api/* /apis /apis/* /openapi /openapi/* ${PUBLIC}`)]),
  role('system:monitoring', [paths(`${HEALTH} /healthz/* /livez/* /readyz/* /metrics /metrics/slis`)]),
  role('system:public-info-viewer', [paths(PUBLIC)]),
  role('system:service-account-issuer-discovery', [
    paths(
      '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
    ),
  ]),
];

const bound = (name: string, ...groups: readonly string[]): ClusterRoleBinding => ({
  metadata: metadata(name),
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
  subjects: groups.map((group) => ({ apiGroup: RBAC, kind: 'Group', name: group })),
});

export const DEFAULT_BINDINGS: readonly ClusterRoleBinding[] = [
  bound('cluster-admin', MASTERS),
  bound('system:basic-user', AUTHENTICATED),
  bound('system:discovery', AUTHENTICATED),
  bound('system:monitoring', 'system:monitoring'),
  bound('system:public-info-viewer', AUTHENTICATED, UNAUTHENTICATED),
  bound('system:service-account-issuer-discovery', 'system:serviceaccounts'),
];
