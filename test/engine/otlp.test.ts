// An engine told of a collector by OpenTelemetry's variable sends it the steps of a pod's start.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

test('the steps of a pod arrive at the collector as one trace', async () => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => bodies.push(`${request.url} ${body}`));
    response.writeHead(200).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const engine = new TestEngine({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } });
  try {
    await engine.start();
    await engine.loadImage('busybox');
    const pod = await engine.api.create(PODS, podOf('seen', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('seen');
    const traceId = pod.metadata?.uid?.replaceAll('-', '') ?? assert.fail('no uid');
    for (const name of ['sandbox: network', 'create app: monitor and runtime', 'start app: runtime']) {
      const span = new RegExp(
        `^/v1/traces .*"traceId":"${traceId}","spanId":"[0-9a-f]{16}","name":"${name}"`,
      );
      await eventually(name, () => (bodies.some((body) => span.test(body)) ? true : undefined));
    }
  } finally {
    await engine.close();
    server.close();
  }
});
