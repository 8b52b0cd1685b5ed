// Real kubectl against the API server alone; the node and the status writer are fakes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeApi } from '../../src/client/node-api.ts';
import { EVENTS, PODS } from '../../src/client/resources.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';
import { KUBECTL } from '../lib/engine.ts';

/** Answers logs with a line and runs "commands" that echo; "fail" ends with 3. Ports are on this machine. */
const echoNode: NodeApi = {
  logs: async ({ pod, container }) => Readable.from([Buffer.from(`log of ${pod}/${container}\n`)]),
  exec: async ({ command, stdin, stdout, stderr }) => {
    const run = async (): Promise<number> => {
      const input = stdin === undefined ? '' : await text(stdin);
      await new Promise((resolve) => stdout.write(`${command.join(' ')}|${input}`, resolve));
      await new Promise((resolve) => (stderr ?? stdout).write('complaint', resolve));
      return command[0] === 'fail' ? 3 : 0;
    };
    return { exitCode: run(), resize: () => {} };
  },
  attach: (request) => echoNode.exec({ ...request, command: ['attached'] }),
  connectPort: async ({ port }) => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  },
  get: async (path) => (path === '/echo' ? { contentType: 'text/plain', body: 'echo' } : undefined),
  usage: async () => ({
    nodeName: 'n',
    atMs: Date.now(),
    windowMs: 1000,
    node: { cpuNanoCores: 0, memoryBytes: 0 },
    pods: [],
  }),
};

test('apply, get, change, describe, delete', { timeout: 300_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t, { node: echoNode });
  const ok = async (args: string[], stdin?: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, stdin);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  assert.equal(
    await ok(['apply', '-f', '-', '--dry-run=server'], POD_MANIFEST),
    'pod/web created (server dry run)\n',
  );
  assert.equal(await ok(['apply', '-f', '-'], POD_MANIFEST), 'pod/web created\n');
  assert.equal(await ok(['apply', '-f', '-'], POD_MANIFEST), 'pod/web unchanged\n');
  const [head, row] = (await ok(['get', 'pods', '-o', 'wide'])).split('\n');
  assert.match(head ?? '', /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES/);
  assert.match(row ?? '', /^web +0\/2 +Pending +0 +\d+s +<none> +<none> +<none> +<none>/);
  await ok(['apply', '-f', '-'], POD_MANIFEST.replace('busybox:1', 'busybox:2'));
  assert.equal(
    await ok(['get', 'po', 'web', '-o', 'jsonpath={.spec.containers[*].image}']),
    'nginx:1 busybox:2',
  );
  await ok(['label', 'pod', 'web', 'tier=front']);
  await ok(['annotate', 'pod', 'web', 'note=x']);
  assert.match(await ok(['get', 'pods', '-l', 'tier=front', '-o', 'name']), /pod\/web/);
  const metadata = { name: 'web.1', namespace: 'default' };
  const { uid } = (await server.resources.get(PODS, { name: 'web' })).metadata ?? {};
  const about = { kind: 'Pod', namespace: 'default', name: 'web', uid, apiVersion: 'v1' };
  await server.resources.create(EVENTS, {
    metadata,
    involvedObject: about,
    reason: 'Pulled',
    message: 'Image pulled',
    type: 'Normal',
  });
  assert.match(await ok(['describe', 'pod', 'web']), /Pulled[\s\S]*Image pulled/);
  assert.match(await ok(['events']), /Pulled +Pod\/web +Image pulled/);
  assert.equal(await ok(['logs', 'web', '-c', 'a']), 'log of web/a\n');
  assert.equal(await ok(['delete', 'pod', 'web']), 'pod "web" deleted from default namespace\n');
  assert.match(await ok(['api-resources']), /pods +po +v1 +true +Pod/);
  assert.match(await ok(['explain', 'pod.spec.containers.image']), /FIELD: image <string>/);
  assert.match(await ok(['version']), /Server Version: v1\.36\.2\+podwright/);
});

test('a List, and what OpenAPI tells', { timeout: 300_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const item = (name: string): string =>
    `- {apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, data: {k: v}}`;
  const list = ['apiVersion: v1', 'kind: List', 'items:', item('one'), item('two')].join('\n');
  const created = await kubectl(['create', '-f', '-'], list);
  assert.equal(created.stdout, 'configmap/one created\nconfigmap/two created\n', created.stderr);
  const applied = await kubectl(['apply', '-f', '-'], list.replaceAll('v}', 'w}'));
  assert.match(applied.stdout, /configmap\/one configured\nconfigmap\/two configured/, applied.stderr);
  const { stdout } = await kubectl(['explain', 'pod.spec.containers.livenessProbe.periodSeconds']);
  assert.match(stdout, /FIELD: periodSeconds <integer>[\s\S]*How often \(in seconds\) to perform the probe/);
  const v2 = await kubectl(['get', '--raw', '/openapi/v2']);
  const { definitions } = JSON.parse(v2.stdout) as {
    definitions: { [name: string]: { description?: string } };
  };
  assert.match(definitions['io.k8s.api.core.v1.Pod']?.description ?? '', /collection of containers/);
});

test('create of what kubectl sends as protobuf', { timeout: 300_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  for (const args of [
    ['create', 'namespace', 'team'],
    ['-n', 'team', 'create', 'configmap', 'c', '--from-literal=a=b'],
    ['-n', 'team', 'create', 'secret', 'generic', 's', '--from-literal=a=b'],
    ['-n', 'team', 'create', 'serviceaccount', 'x'],
  ]) {
    const { code, stderr } = await kubectl(args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
  }
  const { stdout } = await kubectl([
    '-n',
    'team',
    'get',
    'cm/c',
    'secret/s',
    '-o',
    'jsonpath={.items[*].data.a}',
  ]);
  assert.equal(stdout, 'b Yg==');
});

test('wait sees a status that another client writes', { timeout: 300_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t);
  await kubectl(['create', '-f', '-'], POD_MANIFEST);
  const waiting = kubectl(['wait', '--for=condition=Ready', 'pod/web', '--timeout=120s']);
  await sleep(300);
  const body = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
  const patch = { type: 'application/strategic-merge-patch+json', body } as const;
  await server.resources.patch(PODS, { name: 'web' }, patch, { subresource: 'status' });
  assert.deepEqual(await waiting, { code: 0, stdout: 'pod/web condition met\n', stderr: '' });
});

for (const transport of ['WebSocket', 'SPDY'] as const) {
  test(`exec, attach and port-forward over ${transport}`, { timeout: 300_000 }, async (t) => {
    const { kubectl, kubeconfigPath, server: apiServer } = await apiRig(t, { node: echoNode });
    await kubectl(['create', '-f', '-'], POD_MANIFEST);
    const running = { type: 'application/merge-patch+json', body: { status: { phase: 'Running' } } } as const;
    await apiServer.resources.patch(PODS, { name: 'web' }, running, { subresource: 'status' });
    const on = String(transport === 'WebSocket');
    const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: on, KUBECTL_PORT_FORWARD_WEBSOCKETS: on };
    const piped = await kubectl(['exec', '-i', 'web', '-c', 'a', '--', 'cat'], 'through stdin', env);
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, 'cat|through stdin', 'complaint']);
    const failed = await kubectl(['exec', 'web', '-c', 'a', '--', 'fail'], '', env);
    assert.equal(failed.code, 3, failed.stderr);
    const attached = await kubectl(['attach', '-i', 'web', '-c', 'a'], 'hello', env);
    assert.match(attached.stdout, /attached\|hello/, attached.stderr);

    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      socket.on('end', () => socket.end(`heard ${bytes} bytes`));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const forward = spawn(KUBECTL, ['port-forward', 'pod/web', `:${port}`], {
      env: { ...process.env, ...env, KUBECONFIG: kubeconfigPath },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => forward.kill());
    const said = await once(forward.stdout, 'data');
    const local = Number(/127\.0\.0\.1:(\d+)/.exec(String(said[0]))?.[1]);
    const answers = [10, 3_000_000, 0].map(async (bytes) => {
      const socket = connect({ port: local, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(Buffer.alloc(bytes));
      return text(socket);
    });
    const heard = ['heard 10 bytes', 'heard 3000000 bytes', 'heard 0 bytes'];
    assert.deepEqual(await Promise.all(answers), heard);
  });
}

test('bad input is told by field and reason', { timeout: 300_000 }, async (t) => {
  const { kubectl, url } = await apiRig(t);
  const unknown = await kubectl(['create', '-f', '-'], POD_MANIFEST.replace('spec:', 'spec:\n  foo: 1'));
  assert.match(unknown.stderr, /strict decoding error: unknown field "spec\.foo"/);
  const wrong = await kubectl(['create', '-f', '-'], POD_MANIFEST.replace('"9"', '9'));
  assert.match(
    wrong.stderr,
    /json: cannot unmarshal number into Go struct field Container\.spec\.containers\.command of type string/,
  );
  const twice = await kubectl(['create', '-f', '-'], POD_MANIFEST.replace('name: b', 'name: a'));
  assert.match(twice.stderr, /spec\.containers\[1\]\.name: Duplicate value: "a"/);
  const warned = await kubectl(
    ['create', '-f', '-'],
    POD_MANIFEST.replace('spec:', 'spec:\n  securityContext: {seLinuxOptions: {level: s0}}'),
  );
  assert.match(warned.stderr, /Warning: spec\.securityContext\.seLinuxOptions/);
  assert.equal(warned.code, 0);
  const stranger = [
    '--kubeconfig=/dev/null',
    `--server=${url}`,
    '--insecure-skip-tls-verify',
    '--token=wrong',
  ];
  const { code, stderr } = await kubectl([...stranger, 'get', 'pods']);
  assert.notEqual(code, 0);
  assert.match(stderr, /Unauthorized|must be logged in/);
});
