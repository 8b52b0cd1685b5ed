// The adapter: the app has /metrics only, nginx beside it answers /healthz from them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';

describe('examples/adapter.yaml', () => {
  const engine = new TestEngine();
  let address = '';
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'nginx');
    await engine.kube('apply', '-f', 'examples/adapter.yaml');
    await engine.waitReady('adapter');
    address = (await engine.pod('adapter')).status?.podIP ?? '';
  });
  after(() => engine.close());

  /** As a monitor outside the pod asks. */
  async function healthz(): Promise<string> {
    const response = await fetch(`http://${address}:8081/healthz`, { signal: AbortSignal.timeout(30_000) });
    return `${response.status} ${(await response.text()).trim()}`;
  }

  const inApp = (script: string): Promise<string> =>
    engine.kube('exec', 'adapter', '-c', 'app', '--', 'sh', '-c', script);
  const answers = (expected: string): Promise<true> =>
    eventually(`/healthz answers ${expected}`, async () =>
      (await healthz().catch(() => '')) === expected ? true : undefined,
    );

  test('an outside monitor is told whether the app is healthy, and why not', async () => {
    await answers('200 healthy');
    assert.equal((await fetch(`http://${address}:8081/metrics`)).status, 404, 'the adapter adapts, no more');
    await inApp('echo "app_queue_length{queue=\\"in\\"} 5000" > /www/metrics');
    await answers('503 app_queue_length is 5000, more than 1000');
    await inApp('rm /www/metrics');
    await answers('503 the app does not answer');
  });

  test("the pod's readiness follows it: the sidecar's probe asks the same question", async () => {
    await engine.kube('wait', '--for=condition=Ready=false', 'pod/adapter', '--timeout=120s');
    const pod = await engine.pod('adapter');
    assert.equal(pod.status?.initContainerStatuses?.[0]?.ready, false);
    assert.equal(pod.status?.containerStatuses?.[0]?.ready, true, 'the app has no probe of its own');
    await inApp('echo "app_queue_length 7" > /www/metrics');
    await engine.waitReady('adapter');
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    assert.ok(
      statuses.every(({ restartCount }) => restartCount === 0),
      'nothing was restarted for it',
    );
  });
});
