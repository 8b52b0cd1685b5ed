// Who may do what: RBAC over HTTP as real kubectl and its `auth` commands see it, in the words of Kubernetes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureSystemRoles } from '../../src/apiserver/access/system-roles.ts';
import { isPodwrightError } from '../../src/base/errors.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from '../../src/client/resources.ts';
import { planAggregation } from '../../src/controllers/cluster-role-aggregation.ts';
import type { ClusterRole } from '../../src/kube/api-types.ts';
import { validateBinding, validateRole } from '../../src/kube/validation/rbac.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';

const ONLY_ALICE = JSON.stringify([{ op: 'add', path: '/rules/0/resourceNames', value: ['alice'] }]);
const AS_ALICE = ['--as', 'alice'];

type Kubectl = (args: readonly string[], stdin?: string) => Promise<string>;

/** kubectl that must succeed, and one that must not: its complaint. */
function kubectlOf({ kubectl }: ApiRig): { readonly ok: Kubectl; readonly refused: Kubectl } {
  return {
    ok: async (args, stdin) => {
      const { code, stdout, stderr } = await kubectl(args, stdin);
      assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
    refused: async (args, stdin) => {
      const { code, stdout, stderr } = await kubectl(args, stdin);
      assert.notEqual(code, 0, `kubectl ${args.join(' ')}: ${stdout}`);
      return stderr.trim();
    },
  };
}

test('a Role opens its namespace, a ClusterRole all; the rest is refused in Kubernetes’ words', {
  timeout: 120_000,
}, async (t) => {
  const { ok, refused } = kubectlOf(await apiRig(t));
  assert.equal(
    await refused(['get', 'pods', ...AS_ALICE]),
    'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  await ok(['create', 'role', 'reader', '--verb=get,list', '--resource=pods,deployments.apps']);
  await ok(['create', 'rolebinding', 'readers', '--role=reader', '--user=alice']);
  await ok(['get', 'pods,deployments', ...AS_ALICE]);
  assert.match(
    await refused(['get', 'pods', '-A', ...AS_ALICE]),
    /User "alice" cannot list resource "pods" in API group "" at the cluster scope$/,
  );
  assert.match(
    await refused(['delete', 'deployment', 'x', ...AS_ALICE]),
    /deployments.apps "x" is forbidden: User "alice" cannot delete resource "deployments" in API group "apps" in the namespace "default"$/,
  );
  await ok(['create', 'configmap', 'one']);
  await ok(['create', 'configmap', 'two']);
  await ok([
    'create',
    'clusterrole',
    'one-map',
    '--verb=get',
    '--resource=configmaps',
    '--resource-name=one',
  ]);
  await ok(['create', 'clusterrolebinding', 'staff', '--clusterrole=one-map', '--group=staff']);
  const bob = ['--as', 'bob', '--as-group', 'staff'];
  await ok(['get', 'configmap', 'one', ...bob]);
  assert.match(await refused(['get', 'configmap', 'two', ...bob]), /configmaps "two" is forbidden/);
  assert.match(await refused(['get', 'configmap', 'one', ...AS_ALICE]), /configmaps "one" is forbidden/);
  assert.match(
    await refused(['get', '--raw', '/metrics', ...AS_ALICE]),
    /forbidden: User "alice" cannot get path "\/metrics"/,
  );
  await ok(['delete', 'rolebinding', 'readers']);
  assert.match(await refused(['get', 'pods', ...AS_ALICE]), /pods is forbidden/);
});

test('a rule for one name covers its list and watch by that name, and no selector that only looks so', async (t) => {
  const { ok, refused } = kubectlOf(await apiRig(t));
  for (const name of ['mine', 'other']) await ok(['create', 'configmap', name]);
  await ok(['create', 'role', 'one', '--verb=list,watch', '--resource=configmaps', '--resource-name=mine']);
  await ok(['create', 'rolebinding', 'one', '--role=one', '--user=alice']);
  const list = (selector: string): readonly string[] => [
    'get',
    'configmaps',
    '-o',
    'name',
    `--field-selector=${selector}`,
    ...AS_ALICE,
  ];
  assert.equal(await ok(list('metadata.name=mine')), 'configmap/mine');
  for (const selector of [
    'metadata.name=other',
    'metadata.name!=mine',
    String.raw`metadata.namespace!=x\,metadata.name=mine`,
  ])
    assert.match(
      await refused(list(selector)),
      /configmaps .*is forbidden|configmaps is forbidden/,
      selector,
    );
});

test('who may only patch makes nothing by a server-side apply', { timeout: 60_000 }, async (t) => {
  const { ok, refused } = kubectlOf(await apiRig(t));
  await ok(['create', 'role', 'patcher', '--verb=patch,get', '--resource=configmaps']);
  await ok(['create', 'rolebinding', 'patcher', '--role=patcher', '--user=alice']);
  const map = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1"}}';
  const apply = ['apply', '--server-side', '--force-conflicts', '--validate=false', '-f', '-'];
  assert.match(
    await refused([...apply, ...AS_ALICE], map),
    /configmaps "m" is forbidden: User "alice" cannot create resource "configmaps"/,
  );
  await ok(apply, map);
  await ok([...apply, ...AS_ALICE], map.replace('"1"', '"2"'));
});

test('kubectl auth: can-i, its list, whoami, and what others may', { timeout: 120_000 }, async (t) => {
  const rig = await apiRig(t);
  const { ok } = kubectlOf(rig);
  assert.equal(await ok(['auth', 'can-i', '*', '*', '--all-namespaces']), 'yes');
  const { code, stdout } = await rig.kubectl(['auth', 'can-i', 'create', 'pods', ...AS_ALICE]);
  assert.deepEqual([code, stdout], [1, 'no\n']);
  await ok(['create', 'role', 'logs', '--verb=get', '--resource=pods/log']);
  await ok(['create', 'rolebinding', 'logs', '--role=logs', '--serviceaccount=default:default']);
  const account = ['--as', 'system:serviceaccount:default:default'];
  assert.equal(await ok(['auth', 'can-i', 'get', 'pods', '--subresource=log', ...account]), 'yes');
  assert.match(await ok(['auth', 'can-i', '--list', ...account]), /^pods\/log +\[\] +\[\] +\[get\]$/m);
  assert.match(await ok(['auth', 'can-i', '--list']), /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
  assert.match(
    await ok(['auth', 'whoami', ...account]),
    /Groups +\[system:serviceaccounts system:serviceaccounts:default system:authenticated\]/,
  );
  assert.match(await ok(['auth', 'whoami']), /Username +podwright-admin/);
  const review = (kind: string, spec: object): string =>
    JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, spec });
  const asked = { user: 'x', resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } };
  const answer = await ok(
    ['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'],
    review('SubjectAccessReview', asked),
  );
  assert.equal(answer, 'false');
});

test('TokenReview tells whose a token is, for whom, and refuses the others', {
  timeout: 120_000,
}, async (t) => {
  const { ok } = kubectlOf(await apiRig(t));
  const token = await ok(['create', 'token', 'default', '--audience', 'vault', '--duration', '20m']);
  const ask = async (of: string, audiences?: readonly string[]) => {
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: of, audiences },
    };
    return JSON.parse(await ok(['create', '-f', '-', '-o', 'json'], JSON.stringify(body))).status;
  };
  const { authenticated, user, audiences } = await ask(token, ['vault', 'other']);
  assert.deepEqual(
    [authenticated, audiences, user.username],
    [true, ['vault'], 'system:serviceaccount:default:default'],
  );
  assert.deepEqual(user.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ]);
  assert.match(Object.keys(user.extra).join(), /authentication.kubernetes.io\/credential-id/);
  const wrong = await ask(token);
  assert.equal(wrong.authenticated, undefined);
  assert.match(wrong.error, /invalid for the target audiences/);
  assert.match((await ask('nonsense')).error, /invalid bearer token/);
});

test('nobody grants what they do not have', { timeout: 120_000 }, async (t) => {
  const { ok, refused } = kubectlOf(await apiRig(t));
  await ok(['create', 'role', 'manager', '--verb=create,update,patch,get', '--resource=roles,rolebindings']);
  await ok(['create', 'rolebinding', 'manager', '--role=manager', '--user=alice']);
  const make = ['create', 'role', 'more', '--verb=get,list', '--resource=secrets', ...AS_ALICE];
  assert.match(
    await refused(make),
    /roles.rbac.authorization.k8s.io "more" is forbidden: user "alice" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get", "list"\]\}/,
  );
  assert.match(
    await refused([
      'create',
      'rolebinding',
      'up',
      '--clusterrole=cluster-admin',
      '--user=alice',
      ...AS_ALICE,
    ]),
    /attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}\n\{NonResourceURLs:\["\*"\]/,
  );
  await ok(['create', 'role', 'secrets', '--verb=get,list,watch', '--resource=secrets']);
  await ok(['create', 'rolebinding', 'secrets', '--role=secrets', '--user=alice']);
  await ok(make);
  // What is there already is no grant: it may be labelled.
  await ok(['create', 'role', 'strong', '--verb=delete', '--resource=secrets']);
  await ok(['label', 'role', 'strong', 'a=b', ...AS_ALICE]);
  await ok(['create', 'role', 'binder', '--verb=bind', '--resource=roles', '--resource-name=strong']);
  assert.match(
    await refused(['create', 'rolebinding', 's', '--role=strong', '--user=alice', ...AS_ALICE]),
    /not currently held/,
  );
  await ok(['create', 'rolebinding', 'binder', '--role=binder', '--user=alice']);
  await ok(['create', 'rolebinding', 's', '--role=strong', '--user=alice', ...AS_ALICE]);
});

test('what is wrong with roles and bindings is told', () => {
  const texts = (errors: readonly { field: string; message: string }[]) =>
    errors.map(({ field, message }) => `${field}: ${message}`);
  assert.deepEqual(
    texts(validateRole({ rules: [{ verbs: [] }, { verbs: ['get'], nonResourceURLs: ['/x'] }] })),
    [
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
      'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
    ],
  );
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: '' };
  const subjects = [
    { kind: 'ServiceAccount', name: 'a' },
    { kind: 'Robot', name: 'b' },
    { kind: 'User', name: '', apiGroup: 'rbac.authorization.k8s.io' },
  ];
  assert.deepEqual(texts(validateBinding({ roleRef, subjects }, 'Cluster')), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    'roleRef.name: Required value',
    'subjects[0].namespace: Required value',
    'subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    'subjects[2].name: Required value',
  ]);
});

test('a review or a binding that asks for nothing is told what it lacks', async (t) => {
  const { http } = await apiRig(t);
  const lacking = async (group: string, kind: string, namespaced: boolean): Promise<string> => {
    const ref = {
      group: `${group}.k8s.io`,
      version: 'v1',
      plural: `${kind.toLowerCase()}s`,
      kind,
      namespaced,
    };
    const metadata = { name: 'x', ...(namespaced ? { namespace: 'default' } : {}) };
    const told = await http.api.create(ref, { metadata }).then(
      () => 'nothing',
      (error: unknown) => (isPodwrightError(error, 'Invalid') ? error.message : String(error)),
    );
    return `${kind}: ${told}`;
  };
  const reviews = [
    [
      'authorization',
      'SelfSubjectAccessReview',
      false,
      /exactly one of nonResourceAttributes or resourceAttributes/,
    ],
    ['authorization', 'SubjectAccessReview', false, /at least one of user or group must be specified/],
    ['authorization', 'LocalSubjectAccessReview', true, /must match namespace/],
    ['authorization', 'SelfSubjectRulesReview', false, /no namespace on request/],
    ['authentication', 'TokenReview', false, /spec.token: Required value/],
  ] as const;
  for (const [group, kind, namespaced, text] of reviews)
    assert.match(await lacking(group, kind, namespaced), text);
  assert.match(await lacking('rbac.authorization', 'RoleBinding', true), /roleRef: Required value/);
  assert.match(await lacking('rbac.authorization', 'ClusterRoleBinding', false), /roleRef: Required value/);
});

test('who impersonates needs the right for each part of it', { timeout: 120_000 }, async (t) => {
  const rig = await apiRig(t);
  const { ok, refused } = kubectlOf(rig);
  const token = await ok(['create', 'token', 'default']);
  const own = (args: readonly string[]) => [
    ...args,
    '--token',
    token,
    '--kubeconfig',
    '/dev/null',
    '--server',
    rig.url,
    '--insecure-skip-tls-verify',
  ];
  const whoami = ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'];
  const pods = ['get', '--raw', '/api/v1/namespaces/default/pods'];
  assert.equal(await ok(own(whoami)), 'system:serviceaccount:default:default');
  assert.match(
    await refused(own([...pods, ...AS_ALICE])),
    /users "alice" is forbidden: User "system:serviceaccount:default:default" cannot impersonate resource "users" in API group "" at the cluster scope/,
  );
  await ok(['create', 'clusterrole', 'alices', '--verb=impersonate', '--resource=users']);
  await ok(['patch', 'clusterrole', 'alices', '--type=json', '-p', ONLY_ALICE]);
  await ok([
    'create',
    'clusterrolebinding',
    'alices',
    '--clusterrole=alices',
    '--serviceaccount=default:default',
  ]);
  assert.equal(await ok(own([...whoami, ...AS_ALICE])), 'alice');
  assert.match(await refused(own([...pods, ...AS_ALICE])), /User "alice" cannot list resource "pods"/);
  assert.match(await refused(own([...pods, '--as', 'bob'])), /users "bob" is forbidden/);
  assert.match(
    await refused(own([...pods, ...AS_ALICE, '--as-group', 'system:masters'])),
    /groups "system:masters" is forbidden/,
  );
  assert.match(
    await refused(own([...pods, '--as', 'system:serviceaccount:kube-system:default'])),
    /serviceaccounts "default" is forbidden: .*in the namespace "kube-system"/,
  );
});

test('the default roles are there at the start, mended at the next, and keep what was added', async (t) => {
  const rig = await apiRig(t);
  const { ok } = kubectlOf(rig);
  const names = (await ok(['get', 'clusterroles', '-o', 'name']))
    .split('\n')
    .map((name) => name.split('/')[1]);
  const some = ['admin', 'cluster-admin', 'edit', 'system:basic-user', 'system:public-info-viewer', 'view'];
  for (const name of some) assert.ok(names.includes(name), name);
  const { api } = rig.http;
  const discovery = await api.get(CLUSTER_ROLES, { name: 'system:discovery' });
  const added = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
  await api.update(CLUSTER_ROLES, { ...discovery, rules: [added] });
  await api.delete(CLUSTER_ROLE_BINDINGS, { name: 'cluster-admin' });
  const own = { ...(await api.get(CLUSTER_ROLES, { name: 'system:monitoring' })), rules: [] };
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  await api.update(CLUSTER_ROLES, { ...own, metadata: { ...own.metadata, annotations } });
  await ensureSystemRoles(rig.server.resources);
  const mended = await api.get(CLUSTER_ROLES, { name: 'system:discovery' });
  assert.deepEqual(mended.rules, [added, ...(discovery.rules ?? [])]);
  await api.get(CLUSTER_ROLE_BINDINGS, { name: 'cluster-admin' });
  assert.deepEqual((await api.get(CLUSTER_ROLES, { name: 'system:monitoring' })).rules, []);
});

test('an aggregated role has the rules of those its selectors choose, through another aggregated one, too', () => {
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const role = (name: string, rules: ClusterRole['rules'], labels = {}): ClusterRole => ({
    metadata: { name, labels },
    rules,
  });
  const gathering = (name: string, label: string, labels = {}): ClusterRole => ({
    ...role(name, [], labels),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: label } }] },
  });
  const roles = new Map(
    [
      gathering('edit', 'edit'),
      gathering('view', 'view', { to: 'edit' }),
      role('pods', [rule('pods')], { to: 'view' }),
      role('maps', [rule('configmaps'), rule('pods')], { to: 'view' }),
      role('other', [rule('secrets')]),
    ].map((one) => [one.metadata?.name, one]),
  );
  for (let pass = 0; pass < 3; pass += 1)
    for (const changed of planAggregation(roles.values())) roles.set(changed.metadata?.name, changed);
  assert.deepEqual(planAggregation(roles.values()), [], 'it rests');
  for (const name of ['view', 'edit'])
    assert.deepEqual(roles.get(name)?.rules, [rule('configmaps'), rule('pods')]);
});
