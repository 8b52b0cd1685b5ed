// The monitoring sidecar: a real Prometheus sees what the other containers of its pod do, and is released alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, IMAGES, TestEngine } from '../lib/engine.ts';
import { lastingProcessesOf, processesOf } from '../lib/processes.ts';

const REQUESTS = 20;
/** The same image under another name: enough for a release, and no second build. */
const NEXT_IMAGE = 'localhost/podwright/prometheus:2';

describe('examples/monitor.yaml', () => {
  const engine = new TestEngine();
  let address = '';
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'haproxy', 'prometheus');
    await engine.kube('apply', '-f', 'examples/monitor.yaml');
    await engine.waitReady('monitor');
    address = (await engine.pod('monitor')).status?.podIP ?? '';
  });
  after(() => engine.close());

  /** The first value of an instant query, 0 when there is none; undefined while Prometheus does not answer. */
  async function query(expression: string): Promise<number | undefined> {
    const url = `http://${address}:9090/api/v1/query?${new URLSearchParams({ query: expression })}`;
    try {
      const { data } = (await (await fetch(url)).json()) as {
        data: { result: readonly { value: readonly [number, string] }[] };
      };
      return Number(data.result[0]?.value[1] ?? 0);
    } catch {
      return undefined;
    }
  }

  const atLeast = (wanted: number, expression: string): Promise<number> =>
    eventually(`${expression} >= ${wanted}`, async () => {
      const value = await query(expression);
      return value !== undefined && value >= wanted ? value : undefined;
    });

  test('it scrapes the app and the proxy over localhost, and counts what goes through', async () => {
    await atLeast(2, 'sum(up)');
    for (let i = 0; i < REQUESTS; i += 1) {
      assert.equal(await (await fetch(`http://${address}:8000/`)).text(), 'hello from app\n');
    }
    const counted = await atLeast(REQUESTS, 'haproxy_backend_http_responses_total{proxy="app",code="2xx"}');
    assert.equal(counted, REQUESTS);
    await atLeast(2, 'app_turns_total');
    await assert.rejects(fetch(`http://${address}:8404/metrics`), 'what only the pod may see stays in it');
  });

  test('a new image for it restarts it alone, and its history goes on', async () => {
    const archive = join(engine.dir, 'next.tar');
    const copy = [`oci-archive:${IMAGES}/prometheus.tar`, `oci-archive:${archive}:${NEXT_IMAGE}`];
    execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', ...copy]);
    assert.equal((await engine.podwright('image', 'load', archive)).code, 0);
    const before = await engine.pod('monitor');
    // The app's loop starts a new sleep each turn.
    const others = (await lastingProcessesOf(before.metadata?.uid ?? '')).filter(
      ({ command }) => !/^(prometheus|sleep)/.test(command),
    );
    // A history worth keeping, before anything is released.
    await atLeast(2, 'count_over_time(up{job="app"}[5m])');
    const releasedAt = Date.now() / 1000;
    await engine.kube('set', 'image', 'pod/monitor', `monitor=${NEXT_IMAGE}`);
    const after = await eventually('the new image runs', async () => {
      const pod = await engine.pod('monitor');
      const status = pod.status?.initContainerStatuses?.[0];
      return status?.image === NEXT_IMAGE && status.state?.running !== undefined ? pod : undefined;
    });
    assert.deepEqual(
      after.status?.containerStatuses?.map(({ restartCount }) => restartCount),
      [0, 0],
    );
    const pids = new Set(processesOf(after.metadata?.uid ?? '').map(({ pid }) => pid));
    for (const { pid, command } of others) assert.ok(pids.has(pid), `${command} kept its process`);
    await atLeast(2, `count_over_time(up{job="app"}[5m] @ ${releasedAt})`);
    await atLeast(
      1,
      `count_over_time(up{job="app"}[5m]) - count_over_time(up{job="app"}[5m] @ ${releasedAt})`,
    );
  });
});
