// A pod and the API: what a container finds of it, and what its ServiceAccount opens. Asked from inside, by the client
// library that in-cluster programs use, with nothing but the container's own files and variables.
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import { readKubeconfig } from '../../src/client/http-client.ts';
import type { KubeObject, ResourceRef } from '../../src/client/resource-api.ts';
import { CONFIG_MAPS, PODS, SERVICE_ACCOUNTS } from '../../src/client/resources.ts';
import { eventually, ROOT, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

const rbac = (
  plural: string,
  kind: string,
): ResourceRef<KubeObject & { readonly [field: string]: unknown }> => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

const DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** This very Node and its packages, in a container: where they are on the machine, and where there. */
const HOST_FILES = [
  ['/usr/lib', '/lib'],
  ['/usr/lib64', '/lib64'],
  [realpathSync(process.execPath), '/node'],
  [join(ROOT, 'node_modules'), '/node_modules'],
] as const;
const volumes = HOST_FILES.map(([path], index) => ({ name: `host-${index}`, hostPath: { path } }));
const volumeMounts = HOST_FILES.map(([, mountPath], index) => ({
  name: `host-${index}`,
  mountPath,
  readOnly: true,
}));
const program = shell('app', 'exec sleep 3600', { volumeMounts });

describe('from inside a pod', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    const metadata = { namespace: 'default', name: 'reader' };
    await engine.api.create(SERVICE_ACCOUNTS, { metadata });
    await engine.api.create(rbac('roles', 'Role'), {
      metadata,
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
    });
    await engine.api.create(rbac('rolebindings', 'RoleBinding'), {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'default' }],
    });
    const spec = { serviceAccountName: 'reader', volumes };
    await engine.api.create(PODS, podOf('client', [program], spec));
    await engine.api.create(PODS, podOf('on-node', [program], { ...spec, hostNetwork: true }));
    const securityContext = { runAsUser: 1234 };
    const plain = shell('app', 'exec sleep 3600');
    await engine.api.create(PODS, podOf('own-user', [plain], { securityContext }));
    await engine.api.create(PODS, podOf('without', [plain], { automountServiceAccountToken: false }));
    await Promise.all(['client', 'on-node', 'own-user', 'without'].map((name) => engine.waitReady(name)));
  });
  after(() => engine.close());

  const inside = async (pod: string, script: string): Promise<string> =>
    (await engine.kube('exec', pod, '--', 'sh', '-c', `(${script}) 2>&1 || true`)).trim();

  /** Status codes of calls by @kubernetes/client-node's in-cluster configuration, which checks the server's certificate. */
  const calls = async (pod: string, ...expressions: readonly string[]): Promise<readonly unknown[]> => {
    const source = `
      import { KubeConfig, CoreV1Api } from '@kubernetes/client-node';
      const config = new KubeConfig();
      config.loadFromCluster();
      const api = config.makeApiClient(CoreV1Api);
      const results = [];
      for (const call of [${expressions.map((one) => `() => ${one}`).join(', ')}])
        results.push(await call().then((found) => found.items.map((one) => one.metadata.name), (error) => error.code ?? String(error)));
      console.log(JSON.stringify(results));`;
    const answer = await engine.kube('exec', pod, '--', '/node', '--input-type=module', '-e', source);
    return JSON.parse(answer) as unknown[];
  };

  test('its Role opens what it names, and nothing else', async () => {
    const [own, secrets, elsewhere, everywhere] = await calls(
      'client',
      "api.listNamespacedPod({ namespace: 'default' })",
      "api.listNamespacedSecret({ namespace: 'default' })",
      "api.listNamespacedPod({ namespace: 'kube-system' })",
      'api.listPodForAllNamespaces()',
    );
    assert.deepEqual(own, ['client', 'on-node', 'own-user', 'without']);
    assert.deepEqual([secrets, elsewhere, everywhere], [403, 403, 403]);
  });

  test('it answers at kubernetes.default.svc, by the name in the certificate', async () => {
    const source = `
      import { readFileSync } from 'node:fs';
      import { get } from 'node:https';
      const read = (name) => readFileSync('${DIR}/' + name, 'utf8');
      const headers = { authorization: 'Bearer ' + read('token') };
      const options = { ca: read('ca.crt'), headers };
      get('https://kubernetes.default.svc/api/v1/namespaces/' + read('namespace') + '/pods/client', options, (answer) => console.log(answer.statusCode));`;
    assert.equal(
      (await engine.kube('exec', 'client', '--', '/node', '--input-type=module', '-e', source)).trim(),
      '200',
    );
  });

  test('a pod on the network of the node reaches it, too', async () => {
    const [own, secrets] = await calls(
      'on-node',
      "api.listNamespacedPod({ namespace: 'default' })",
      "api.listNamespacedSecret({ namespace: 'default' })",
    );
    assert.deepEqual(own, ['client', 'on-node', 'own-user', 'without']);
    assert.equal(secrets, 403);
  });

  test('the files and variables are those of Kubernetes', async () => {
    assert.equal(await inside('client', `ls ${DIR} | tr '\\n' ' '`), 'ca.crt namespace token');
    assert.equal(await inside('client', `cat ${DIR}/namespace`), 'default');
    assert.match(await inside('client', `cat ${DIR}/ca.crt`), /BEGIN CERTIFICATE/);
    assert.equal(await inside('client', `touch ${DIR}/x 2> /dev/null || echo read-only`), 'read-only');
    const variables = await inside('client', 'env | grep ^KUBERNETES_ | sort');
    assert.match(variables, /^KUBERNETES_PORT=tcp:\/\/10\.96\.0\.1:443$/m);
    assert.match(variables, /^KUBERNETES_PORT_443_TCP_ADDR=10\.96\.0\.1$/m);
    assert.match(variables, /^KUBERNETES_SERVICE_HOST=10\.96\.0\.1$/m);
    assert.match(variables, /^KUBERNETES_SERVICE_PORT_HTTPS=443$/m);
    assert.equal(
      (await engine.kube('get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}')).trim(),
      '10.96.0.1',
    );
    assert.match(await engine.kube('get', 'endpoints', 'kubernetes'), /kubernetes +10\.96\.0\.1:443 /);
    assert.match(
      await engine.kube('get', 'endpointslices', '-l', 'kubernetes.io/service-name=kubernetes'),
      /kubernetes +IPv4 +443 +10\.96\.0\.1 /,
    );
  });

  test('the token is its user’s alone where all containers are one user’s', async () => {
    assert.equal(await inside('own-user', `stat -L -c '%u %a' ${DIR}/token`), '1234 600');
    assert.equal(await inside('client', `stat -L -c '%u %a' ${DIR}/token`), '0 644');
  });

  test('who wants no token has none, and without one the API says nothing', async () => {
    assert.equal(await inside('without', `ls ${DIR} 2> /dev/null || echo none`), 'none');
    const anonymous = `
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
      const base = 'https://kubernetes.default.svc';
      for (const path of ['/api/v1/pods', '/apis', '/metrics', '/livez'])
        console.log((await fetch(base + path)).status);`;
    const codes = await engine.kube(
      'exec',
      'client',
      '--',
      '/node',
      '--no-warnings',
      '--input-type=module',
      '-e',
      anonymous,
    );
    assert.equal(codes.trim().split('\n').join(' '), '403 403 403 200');
  });

  test('view and edit are made of their parts, and open what their names say', async () => {
    await engine.kube(
      'create',
      'rolebinding',
      'view',
      '--clusterrole=view',
      '--serviceaccount=default:default',
    );
    const may = async (...asked: readonly string[]): Promise<string> => {
      const account = 'system:serviceaccount:default:default';
      return (await engine.kubectl('auth', 'can-i', ...asked, '--as', account)).stdout.trim();
    };
    assert.equal(await may('list', 'pods'), 'yes');
    assert.equal(await may('list', 'pods.metrics.k8s.io'), 'yes');
    assert.equal(await may('get', 'secrets'), 'no');
    assert.equal(await may('create', 'pods'), 'no');
    await engine.kube(
      'create',
      'rolebinding',
      'edit',
      '--clusterrole=edit',
      '--serviceaccount=default:default',
    );
    assert.equal(await may('get', 'secrets'), 'yes');
    assert.equal(await may('create', 'pods', '--subresource=exec'), 'yes');
    assert.equal(await may('create', 'rolebindings'), 'no');
  });

  test('the token of a pod that is gone is worth nothing', async () => {
    const token = await inside('own-user', `cat ${DIR}/token`);
    const server = readKubeconfig(engine.kubeconfig).server;
    const flags = ['--kubeconfig', '/dev/null', '--insecure-skip-tls-verify', '--server', server];
    const ask = () => engine.kubectl('get', '--raw', '/api', '--token', token, ...flags);
    assert.match((await ask()).stdout, /APIVersions/);
    await engine.kube('delete', 'pod', 'own-user', '--grace-period=1');
    assert.match((await ask()).stderr, /Unauthorized/);
  });

  test('a namespace gets its account and its CA again when they are deleted', async () => {
    await engine.kube('create', 'namespace', 'fresh');
    await engine.kube('-n', 'fresh', 'delete', 'serviceaccount/default', 'configmap/kube-root-ca.crt');
    const found = async (): Promise<true | undefined> => {
      try {
        await engine.api.get(SERVICE_ACCOUNTS, { namespace: 'fresh', name: 'default' });
        const map = await engine.api.get(CONFIG_MAPS, { namespace: 'fresh', name: 'kube-root-ca.crt' });
        return map.data?.['ca.crt']?.includes('BEGIN CERTIFICATE') === true || undefined;
      } catch (error) {
        if (isPodwrightError(error, 'NotFound')) return undefined;
        throw error;
      }
    };
    await eventually('both are there again', found);
  });
});
