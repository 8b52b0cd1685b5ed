// One engine with several nodes: each has its own name, capacity, labels, taints, addresses and cgroups; pods run on each,
// and one node never touches what is another's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Node, Pod } from '../../src/kube/api-types.ts';
import { eventually, KUBECTL, ROOT, run } from '../lib/engine.ts';
import { TestLab } from '../lib/lab.ts';
import { freePort } from '../lib/ports.ts';
import { processesOf } from '../lib/processes.ts';

const NODES = 'a=1250Mi pods=5, b=2Gi cpu=1 example.com/gpu=2 label:zone=east taint:dedicated=db:NoSchedule';

const serverOn = (node: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `on-${node}` },
  spec: {
    nodeSelector: { 'kubernetes.io/hostname': node },
    tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'web',
        image: 'localhost/podwright/busybox:1',
        command: [
          'sh',
          '-c',
          `echo ${node} > /tmp/index.html; echo started on ${node}; exec httpd -f -v -p 80 -h /tmp`,
        ],
        ports: [{ containerPort: 80, hostPort: 28080 }],
        readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
        resources: { requests: { memory: '64Mi' } },
      },
    ],
  },
});

describe('podwright lab', () => {
  const lab = new TestLab(NODES, 'busybox');
  const pods = new Map<string, Pod>();
  before(async () => {
    await lab.start();
    for (const node of ['a', 'b']) {
      const file = join(lab.dir, `${node}.json`);
      writeFileSync(file, JSON.stringify(serverOn(node)));
      await lab.kube('apply', '-f', file);
    }
    await lab.kube('wait', '--for=condition=Ready', 'pod/on-a', 'pod/on-b', '--timeout=60s');
    for (const node of ['a', 'b'])
      pods.set(node, JSON.parse(await lab.kube('get', 'pod', `on-${node}`, '-o', 'json')) as Pod);
  });
  after(() => lab.close());

  const ipOf = (node: string): string =>
    pods.get(node)?.status?.podIP ?? assert.fail(`no address on ${node}`);

  test('kubectl shows each node with what was said of it', async () => {
    const names = await lab.kube('get', 'nodes', '-o', 'name');
    assert.deepEqual(names.split('\n'), ['node/a', 'node/b']);
    const a = JSON.parse(await lab.kube('get', 'node', 'a', '-o', 'json')) as Node;
    const b = JSON.parse(await lab.kube('get', 'node', 'b', '-o', 'json')) as Node;
    assert.equal(a.status?.allocatable?.memory, '1250Mi');
    assert.equal(a.status?.allocatable?.pods, '5');
    assert.equal(b.status?.allocatable?.cpu, '1');
    assert.equal(b.status?.allocatable?.['example.com/gpu'], '2');
    assert.equal(b.metadata?.labels?.zone, 'east');
    assert.deepEqual(b.spec?.taints, [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }]);
    assert.match(b.spec?.podCIDR ?? '', /\.128\/25$/);
    assert.notEqual(a.spec?.podCIDR, b.spec?.podCIDR);
  });

  test('logs, exec and port-forward reach the pods of every node', async () => {
    for (const node of ['a', 'b']) {
      assert.match(await lab.kube('logs', `on-${node}`), new RegExp(`^started on ${node}`));
      assert.equal(await lab.kube('exec', `on-${node}`, '--', 'cat', '/tmp/index.html'), node);
      const port = await freePort();
      const forward = spawn(KUBECTL, ['port-forward', `pod/on-${node}`, `${port}:80`], {
        env: { ...process.env, KUBECONFIG: lab.kubeconfig },
        stdio: 'ignore',
      });
      const text = await eventually('the forwarded port answers', () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          (response) => response.text(),
          () => undefined,
        ),
      );
      assert.equal(text.trim(), node);
      forward.kill();
    }
  });

  test('pods of two nodes reach each other under their own addresses', async () => {
    const other = await lab.kube('exec', 'on-a', '--', 'wget', '-qO-', `http://${ipOf('b')}/`);
    assert.equal(other, 'b');
    // The server sees who asks: no masquerade between nodes.
    assert.match(await lab.kube('logs', 'on-b'), new RegExp(`${ipOf('a')}\\]?:`));
  });

  test("one host port on two nodes: each answers at its node's address", async () => {
    for (const node of ['a', 'b']) {
      const address = await lab.kube('get', 'node', node, '-o', 'jsonpath={.status.addresses[0].address}');
      assert.equal((await (await fetch(`http://${address}:28080/`)).text()).trim(), node);
    }
  });

  test("each node's pods live in its own cgroup, which holds them to its memory", () => {
    for (const [node, memory] of [
      ['a', 1250 * 2 ** 20],
      ['b', 2 * 2 ** 30],
    ] as const) {
      const uid = pods.get(node)?.metadata?.uid ?? '';
      const [process] = processesOf(uid);
      const groups = readFileSync(`/proc/${process?.pid}/cgroup`, 'utf8');
      assert.match(groups, new RegExp(`/podwright-${lab.instance(node)}/burstable/pod${uid}/`));
      const parent = `podwright-${lab.instance(node)}`;
      const [v1, v2] = [
        `/sys/fs/cgroup/memory/${parent}/memory.limit_in_bytes`,
        `/sys/fs/cgroup/${parent}/memory.max`,
      ];
      assert.equal(Number(readFileSync(groups.includes(':memory:') ? v1 : v2, 'utf8')), memory);
    }
  });

  test('a pod that no node can take is told so, node by node', async () => {
    const file = join(lab.dir, 'large.json');
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'large' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'localhost/podwright/busybox:1',
            resources: { requests: { memory: '1500Mi' } },
          },
        ],
      },
    };
    writeFileSync(file, JSON.stringify(pod));
    await lab.kube('apply', '-f', file);
    const event = await eventually('the event', async () => {
      const events = await lab.kube(
        'get',
        'events',
        '-o',
        'jsonpath={.items[?(@.reason=="FailedScheduling")].message}',
      );
      return events || undefined;
    });
    assert.equal(
      event,
      '0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {dedicated: db}. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
  });

  test('killed and started again, every node takes up its own pods', async () => {
    const before = ['a', 'b'].map((node) => processesOf(pods.get(node)?.metadata?.uid ?? ''));
    await lab.kill();
    await lab.start();
    assert.deepEqual(
      ['a', 'b'].map((node) => processesOf(pods.get(node)?.metadata?.uid ?? '')),
      before,
    );
    for (const node of ['a', 'b'])
      assert.equal(await lab.kube('exec', `on-${node}`, '--', 'cat', '/tmp/index.html'), node);
  });

  test('a second lab in the same directory is refused, and so is a directory that holds something else', async () => {
    const start = (...flags: readonly string[]) => run(join(ROOT, 'podwright'), ['lab', ...flags]);
    const second = await start('--nodes', NODES, '--dir', lab.dir);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another one already runs on/);
    const foreign = await start('--nodes', 'a', '--dir', join(lab.dir, 'data'));
    assert.equal(foreign.code, 1);
    assert.match(foreign.stderr, /it is not empty, and no lab made it/);
    const config = join(lab.dir, 'scheduler.yaml');
    writeFileSync(config, 'apiVersion: v1\nkind: Pod\n');
    const unread = await start('--nodes', NODES, '--dir', lab.dir, '--scheduler-config', config);
    assert.equal(unread.code, 1);
    assert.match(unread.stderr, /scheduler configuration: apiVersion: want KubeSchedulerConfiguration/);
    const others = await start('--nodes', 'x', '--dir', lab.dir);
    assert.match(others.stderr, /was left with the nodes a, b/);
    assert.equal(await lab.kube('get', 'pod', 'on-a', '-o', 'jsonpath={.status.phase}'), 'Running');
  });
});
