// What monitoring reads of an engine with real containers: kubectl top, the kubelet's pages behind the node proxy, and
// the metrics of all parts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

const engine = new TestEngine();

before(async () => {
  await engine.start();
  await engine.loadImage('busybox');
  const busy = shell('busy', 'while :; do :; done');
  const limits = { cpu: '200m', memory: '64Mi' };
  await engine.api.create(
    PODS,
    podOf('load', [{ ...busy, resources: { limits } }, shell('idle', 'exec sleep 3600')]),
  );
  await engine.waitReady('load');
});
after(() => engine.close());

/** "12m" and "3Mi", as kubectl top prints them. */
function usage(table: string, row: RegExp): readonly [milli: number, mebi: number] {
  const [, milli, mebi] = new RegExp(`${row.source}\\s+(\\d+)m\\s.*?(\\d+)Mi`, 'm').exec(table) ?? [];
  assert.ok(milli !== undefined, table);
  return [Number(milli), Number(mebi)];
}

test('kubectl top', { timeout: 120_000 }, async () => {
  const table = await engine.kube('top', 'pod', '--containers');
  const [busy] = usage(table, /^load\s+busy/);
  const [idle] = usage(table, /^load\s+idle/);
  // The limit is 200m; how much of it there is depends on who else works on the machine.
  assert.ok(busy > idle && busy >= 20 && busy <= 300, table);
  assert.match(await engine.kube('top', 'pod', 'load'), /^load\s+\d+m\s+\d+Mi/m);
  const [cpu, memory] = usage(await engine.kube('top', 'node'), /^test-node/);
  assert.ok(cpu >= busy / 2 && memory > 50, `${cpu} ${memory}`);
  assert.match((await engine.kubectl('top', 'pod', 'nobody')).stderr, /NotFound/);
  assert.match(
    await engine.kube('get', 'pods.metrics.k8s.io'),
    /NAME +CPU +MEMORY +WINDOW\nload +\d+m +\d+Ki +\d/,
  );
});

test('the kubelet behind the node proxy', { timeout: 120_000 }, async () => {
  const page = (path: string): Promise<string> =>
    engine.kube('get', '--raw', `/api/v1/nodes/test-node/proxy${path}`);
  assert.equal(await page('/healthz'), 'ok');
  const summary = JSON.parse(await page('/stats/summary')) as {
    node: { memory: { workingSetBytes: number }; fs: { availableBytes: number } };
    pods: {
      podRef: { name: string };
      network: { name: string; rxBytes: number };
      memory: { workingSetBytes: number };
      containers: { name: string; cpu: { usageCoreNanoSeconds: number } }[];
    }[];
  };
  const [pod] = summary.pods;
  assert.equal(pod?.podRef.name, 'load');
  assert.equal(pod?.network.name, 'eth0');
  assert.ok((pod?.memory.workingSetBytes ?? 0) > 0);
  assert.deepEqual(
    pod?.containers.map(({ name }) => name),
    ['busy', 'idle'],
  );
  assert.ok((pod?.containers[0]?.cpu.usageCoreNanoSeconds ?? 0) > 1e7);
  assert.ok(summary.node.fs.availableBytes > 0 && summary.node.memory.workingSetBytes > 0);
  assert.match(
    await page('/metrics/resource'),
    /pod_cpu_usage_seconds_total\{namespace="default",pod="load"\} [\d.]+/,
  );
  assert.match(
    await page('/metrics/cadvisor'),
    /container_network_receive_bytes_total\{.*interface="eth0"\} \d+/,
  );
  assert.match(await page('/metrics'), /kubelet_node_name\{node="test-node"\} 1/);
  assert.match(
    (await engine.kubectl('get', '--raw', '/api/v1/nodes/test-node/proxy/run')).stderr,
    /NotFound/,
  );
  assert.match(
    (await engine.kubectl('get', '--raw', '/api/v1/nodes/nobody/proxy/healthz')).stderr,
    /NotFound/,
  );
});

test('the metrics of all parts, and readiness', { timeout: 120_000 }, async () => {
  const metrics = async (): Promise<string> => engine.kube('get', '--raw', '/metrics');
  const text = await eventually('the pod’s start is counted', async () => {
    const found = await metrics();
    return /kubelet_pod_start_sli_duration_seconds_count [1-9]/.test(found) ? found : undefined;
  });
  assert.match(
    text,
    /scheduler_schedule_attempts_total\{result="scheduled",profile="default-scheduler"\} 1\n/,
  );
  assert.match(text, /scheduler_pending_pods\{queue="unschedulable"\} 0\n/);
  assert.match(text, /kubelet_running_containers\{container_state="running"\} 2\n/);
  assert.match(text, /kubelet_runtime_operations_total\{operation_type="start_container"\} 2\n/);
  assert.match(text, /apiserver_request_total\{verb="POST",/);
  assert.equal(await engine.kube('get', '--raw', '/readyz'), 'ok');
});
