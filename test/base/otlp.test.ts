// Spans for an OpenTelemetry collector: what is sent, to whom, and what a collector that fails does not harm.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { BOUNDS } from '../../src/base/bounds.ts';
import { type LogFields, silentLog } from '../../src/base/log.ts';
import { exportSpans, otlpRequest, otlpTarget, traceIdOf } from '../../src/base/otlp.ts';
import { createSpans } from '../../src/base/spans.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';

const UID = '0f9a3c1e-1111-4222-8333-444455556666';

test('the endpoint is OpenTelemetry’s, and what is not spoken is refused by name', () => {
  assert.equal(otlpTarget({}), undefined);
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };
  assert.equal(otlpTarget(base)?.url.href, 'http://collector:4318/v1/traces');
  const own = { ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other/x' };
  assert.equal(otlpTarget(own)?.url.href, 'https://other/x');
  assert.equal(otlpTarget({ ...base, OTEL_SDK_DISABLED: 'true' }), undefined);
  assert.equal(otlpTarget({ ...base, OTEL_TRACES_EXPORTER: 'none' }), undefined);
  const headers = { ...base, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x, a=b' };
  assert.deepEqual(otlpTarget(headers)?.headers, { authorization: 'Bearer x', a: 'b' });
  const refused = [
    { ...base, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    { ...base, OTEL_EXPORTER_OTLP_HEADERS: 'nonsense' },
  ];
  for (const env of refused)
    assert.throws(() => otlpTarget(env), { code: 'InvalidInput', message: /OTEL_EXPORTER_OTLP_/ });
});

test('a pod is a trace: its uid is the id; times are nanoseconds; a failure is an error', () => {
  const times = { startMs: 1_700_000_000_000.25, endMs: 1_700_000_000_001 };
  const span = { subject: UID, name: 'sandbox: network', ...times, outcome: 'failed' } as const;
  const [resource] = otlpRequest([span], 'pods').resourceSpans;
  const sent = resource?.scopeSpans[0]?.spans[0];
  assert.equal(sent?.traceId, '0f9a3c1e111142228333444455556666');
  assert.match(sent?.spanId ?? '', /^[0-9a-f]{16}$/);
  assert.equal(sent?.startTimeUnixNano, '1700000000000250000');
  assert.equal(sent?.endTimeUnixNano, '1700000000001000000');
  assert.deepEqual(sent?.status, { code: 2 });
  assert.match(traceIdOf('warm-12345678'), /^[0-9a-f]{32}$/);
});

async function collector(status: number) {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.writeHead(status).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const target = otlpTarget({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  assert.ok(target !== undefined);
  return { bodies, target, close: () => server.close() };
}

test('spans go out together, at the latest at the end', async () => {
  const { bodies, target, close } = await collector(200);
  const clock = new VirtualClock(0);
  const spans = createSpans();
  const exporting = exportSpans(spans, target, { clock, log: silentLog });
  for (const name of ['a', 'b']) await spans.measure(UID, name, () => {});
  assert.equal(bodies.length, 0);
  await clock.advance(BOUNDS.otlpDelayMs);
  await spans.measure(UID, 'c', () => {});
  await exporting.stop();
  await spans.measure(UID, 'd', () => {});
  const names = bodies.map((body) => [...body.matchAll(/"name":"([a-d])"/g)].map(([, name]) => name));
  assert.deepEqual(names, [['a', 'b'], ['c']]);
  close();
});

test('a collector that refuses, and one that is not there, are told of once and harm nothing', async () => {
  const { target, close } = await collector(503);
  const warnings: LogFields[] = [];
  const log = { ...silentLog, warn: (_: string, fields: LogFields = {}) => void warnings.push(fields) };
  const clock = new VirtualClock(0);
  const spans = createSpans();
  const exporting = exportSpans(spans, target, { clock, log });
  for (let index = 0; index < BOUNDS.otlpSpans + 10; index++) await spans.measure(UID, 'a', () => {});
  await clock.advance(BOUNDS.otlpDelayMs);
  close();
  await spans.measure(UID, 'b', () => {});
  await exporting.stop();
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]?.collector, target.url.href);
});
