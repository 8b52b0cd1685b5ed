// @kubernetes/client-node, the JavaScript client, against a real engine: typed clients, watch, informer, exec,
// port-forward, logs, and the object API with server-side apply.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

const namespace = 'default';
const engine = new TestEngine();
const config = new k8s.KubeConfig();

const page = 'echo up; mkdir /www; echo a-page > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www';
const podNamed = (name: string): k8s.V1Pod => podOf(name, [shell('main', page)]) as unknown as k8s.V1Pod;

/** The code of an answer that was no success. */
async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
  } catch (error) {
    if (error instanceof k8s.ApiException) return error.code;
    throw error;
  }
  return 200;
}

describe('@kubernetes/client-node', { timeout: 300_000 }, () => {
  let core: k8s.CoreV1Api;
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    config.loadFromFile(engine.kubeconfig);
    core = config.makeApiClient(k8s.CoreV1Api);
    await core.createNamespacedPod({ namespace, body: podNamed('web') });
    await eventually('web is ready', async () => {
      const { status } = await core.readNamespacedPod({ namespace, name: 'web' });
      return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True' ? true : undefined;
    });
  });
  after(() => engine.close());

  test('typed clients: create, list, replace, patch, delete', async () => {
    const made = await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { generateName: 'made-' }, data: { a: '1' } },
    });
    const name = made.metadata?.name ?? '';
    assert.match(name, /^made-.{5}$/);
    assert.ok(made.metadata?.creationTimestamp instanceof Date);
    const replaced = await core.replaceNamespacedConfigMap({
      namespace,
      name,
      body: { ...made, data: { a: '2' } },
    });
    assert.deepEqual(replaced.data, { a: '2' });
    assert.equal(await codeOf(core.replaceNamespacedConfigMap({ namespace, name, body: made })), 409);
    const patched = await core.patchNamespacedConfigMap({
      namespace,
      name,
      body: [{ op: 'add', path: '/data/b', value: '3' }],
    });
    assert.deepEqual(patched.data, { a: '2', b: '3' });
    const { items } = await core.listNamespacedConfigMap({
      namespace,
      fieldSelector: `metadata.name=${name}`,
    });
    assert.equal(items.length, 1);
    assert.equal((await core.deleteNamespacedConfigMap({ namespace, name })).status, 'Success');
    assert.equal(await codeOf(core.readNamespacedConfigMap({ namespace, name })), 404);
    const secret = { metadata: { name: 'hidden' }, stringData: { password: 'x' } };
    assert.deepEqual((await core.createNamespacedSecret({ namespace, body: secret })).data, {
      password: 'eA==',
    });
    const { items: nodes } = await core.listNode();
    assert.equal(nodes[0]?.metadata?.name, 'test-node');
    const { gitVersion } = await config.makeApiClient(k8s.VersionApi).getCode();
    assert.match(gitVersion, /^v1\.36/);
    const resources = await config.makeApiClient(k8s.AppsV1Api).getAPIResources();
    assert.ok(resources.resources.some(({ name: plural }) => plural === 'deployments'));
  });

  test('watch', async () => {
    const seen: string[] = [];
    const ended = Promise.withResolvers<unknown>();
    const watch = new k8s.Watch(config);
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const controller = await watch.watch(
      path,
      { labelSelector: 'of=watch' },
      (phase: string, object: k8s.V1ConfigMap) => void seen.push(`${phase} ${object.metadata?.name}`),
      ended.resolve,
    );
    const body = { metadata: { name: 'seen', labels: { of: 'watch' } }, data: {} };
    await core.createNamespacedConfigMap({ namespace, body });
    await core.patchNamespacedConfigMap({
      namespace,
      name: 'seen',
      body: [{ op: 'add', path: '/data', value: { a: 'b' } }],
    });
    await core.deleteNamespacedConfigMap({ namespace, name: 'seen' });
    await eventually('all three are seen', () => (seen.length >= 3 ? true : undefined));
    assert.deepEqual(seen, ['ADDED seen', 'MODIFIED seen', 'DELETED seen']);
    controller.abort();
    await ended.promise;
  });

  test('informer', async () => {
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'of=informer' });
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const informer = k8s.makeInformer(config, path, list, 'of=informer');
    const events: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, ({ metadata }) => void events.push(`${verb} ${metadata?.name}`));
    const named = (name: string) => ({ metadata: { name, labels: { of: 'informer' } } });
    await core.createNamespacedConfigMap({ namespace, body: named('before') });
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: named('after') });
    await core.deleteNamespacedConfigMap({ namespace, name: 'before' });
    await eventually('the informer knows', () => (events.includes('delete before') ? true : undefined));
    assert.deepEqual(events, ['add before', 'add after', 'delete before']);
    assert.deepEqual(
      informer.list(namespace).map(({ metadata }) => metadata?.name),
      ['after'],
    );
    await informer.stop();
  });

  test('exec, with input, output, errors and the exit code', async () => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const status = Promise.withResolvers<k8s.V1Status>();
    const command = ['sh', '-c', 'read x; echo got $x; echo bad >&2; exit 3'];
    const exec = new k8s.Exec(config);
    await exec.exec(namespace, 'web', 'main', command, stdout, stderr, stdin, false, status.resolve);
    stdin.write('input\n');
    const { status: outcome, details } = await status.promise;
    stdout.end();
    stderr.end();
    assert.equal(outcome, 'Failure');
    assert.deepEqual(details?.causes, [{ reason: 'ExitCode', message: '3' }]);
    assert.equal(await text(stdout), 'got input\n');
    assert.equal(await text(stderr), 'bad\n');
  });

  test('logs', async () => {
    const stream = new PassThrough();
    await new k8s.Log(config).log(namespace, 'web', 'main', stream, { tailLines: 1 });
    assert.equal(await text(stream), 'up\n');
    assert.equal(await core.readNamespacedPodLog({ namespace, name: 'web' }), 'up\n');
  });

  test('port-forward', async (t) => {
    const forward = new k8s.PortForward(config);
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      void forward.portForward(namespace, 'web', [8080], socket, null, socket);
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write('GET /index.html HTTP/1.0\r\n\r\n');
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    await eventually('the page comes through', () => (answer.includes('a-page') ? true : undefined));
  });

  test('the object API: any kind, server-side apply', async () => {
    const api = k8s.KubernetesObjectApi.makeApiClient(config);
    const spec = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'object', namespace },
      data: { a: '1' },
    };
    await api.create(spec);
    const apply = (body: k8s.KubernetesObject, force: boolean): Promise<k8s.V1ConfigMap> =>
      api.patch(body, undefined, undefined, 'applier', force, k8s.PatchStrategy.ServerSideApply);
    const applied = await apply({ ...spec, data: { b: '2' } } as k8s.KubernetesObject, false);
    assert.deepEqual(applied.data, { a: '1', b: '2' });
    const { managedFields } = applied.metadata ?? {};
    assert.ok(
      managedFields?.some(({ manager, operation }) => manager === 'applier' && operation === 'Apply'),
    );
    const conflicting = { ...spec, data: { a: '3', b: '2' } } as k8s.KubernetesObject;
    assert.equal(await codeOf(apply(conflicting, false)), 409);
    assert.deepEqual((await apply(conflicting, true)).data, { a: '3', b: '2' });
    const listed = await api.list('v1', 'ConfigMap', namespace);
    assert.ok(listed.items.some(({ metadata }) => metadata?.name === 'object'));
    assert.equal((await api.delete(spec)).status, 'Success');
  });

  test('metrics', async () => {
    const { items } = await new k8s.Metrics(config).getPodMetrics(namespace);
    assert.deepEqual(
      items[0]?.containers.map(({ name }) => name),
      ['main'],
    );
    const [top] = await k8s.topPods(core, new k8s.Metrics(config), namespace);
    assert.ok(Number(top?.Memory.CurrentUsage) > 0);
  });
});
