// The log collection sidecar: every line the app wrote arrives, none twice, also over a crash of the collector.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { CONFIG_MAPS, PODS } from '../../src/client/resources.ts';
import type { ConfigMap, Pod } from '../../src/kube/api-types.ts';
import { type BulkEndpoint, startBulkEndpoint } from '../lib/bulk-endpoint.ts';
import { eventually, ROOT, TestEngine } from '../lib/engine.ts';
import { processesOf } from '../lib/processes.ts';

const LINES = 1_500;

describe('examples/log-collector.yaml', () => {
  const engine = new TestEngine();
  let endpoint: BulkEndpoint;
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'rsyslog');
  });
  after(async () => {
    await engine.close();
    await endpoint?.close();
  });

  /** The example as it is, but for where the endpoint listens and that the app stops after LINES lines. */
  async function apply(): Promise<void> {
    const [config, pod] = parseAllDocuments(readFileSync(`${ROOT}/examples/log-collector.yaml`, 'utf8')).map(
      (document) => document.toJS() as unknown,
    ) as [ConfigMap, Pod];
    await engine.api.create(CONFIG_MAPS, {
      ...config,
      metadata: { ...config.metadata, namespace: 'default' },
      data: { ...config.data, ELASTICSEARCH_PORT: String(endpoint.port) },
    });
    const [app] = pod.spec?.containers ?? [];
    const script = app?.args?.[0]
      ?.replace('while true', `while [ $n -lt ${LINES} ]`)
      .concat('sleep 3600 & wait $!\n');
    const initContainers = pod.spec?.initContainers?.map((container) => ({
      ...container,
      env: container.env?.map((one) =>
        one.name === 'ELASTICSEARCH_SERVER' ? { name: one.name, value: engine.gateway } : one,
      ),
    }));
    await engine.api.create(PODS, {
      ...pod,
      metadata: { ...pod.metadata, namespace: 'default' },
      spec: { ...pod.spec, initContainers, containers: [{ ...app, name: 'app', args: [script ?? ''] }] },
    });
  }

  test('every line arrives once, though the collector is killed in the middle', async () => {
    // The bridge, and with it the gateway's address, is there once the engine has its first pod: listen on all, answer
    // on this machine only.
    endpoint = await startBulkEndpoint('0.0.0.0');
    await apply();
    await engine.waitReady('log-collector');
    await eventually('the first lines arrive', () => (endpoint.documents().length > 500 ? true : undefined));
    const uid = (await engine.pod('log-collector')).metadata?.uid ?? '';
    const collector = processesOf(uid).find(({ command }) => command.startsWith('rsyslogd'));
    process.kill(collector?.pid ?? assert.fail('no collector runs'), 'SIGKILL');
    await eventually('all lines arrive', () => (endpoint.documents().length >= LINES ? true : undefined));
    const numbers = endpoint
      .documents()
      .map(({ source }) => Number(/line (\d+) of the app/.exec(String(source.message))?.[1]))
      .sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: LINES }, (_, index) => index + 1),
    );
    const pod = await engine.pod('log-collector');
    assert.equal(pod.status?.initContainerStatuses?.[0]?.restartCount, 1, 'the collector was started again');
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0, 'the app knows nothing of it');
    assert.equal(endpoint.documents()[0]?.source.pod, 'log-collector');
  });
});
