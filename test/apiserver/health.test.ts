// Health and figures of the API server alone: what probes and Prometheus read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFigures } from '../../src/base/figures.ts';
import { NAMESPACES } from '../../src/client/resources.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';

test('health says each check, one check, and what fails', { timeout: 60_000 }, async (t) => {
  // Without a node nothing that is sent is carried out: alive, and not ready.
  const { kubectl } = await apiRig(t);
  const raw = async (path: string): Promise<string> => {
    const { stdout, stderr } = await kubectl(['get', '--raw', path]);
    return stdout + stderr.replaceAll('\\n', '\n');
  };
  assert.equal(await raw('/livez'), 'ok');
  assert.equal(await raw('/healthz'), 'ok');
  assert.equal(await raw('/livez?verbose'), '[+]ping ok\n[+]store ok\nlivez check passed\n');
  assert.equal(await raw('/livez/ping'), 'ok');
  assert.match(await raw('/livez/nothing'), /NotFound/);
  assert.match(await raw('/livez/node'), /NotFound/);
  const all = await raw('/readyz?verbose');
  assert.match(all, /\[\+\]store-room ok\n\[-\]node failed: reason withheld\n\[\+\]shutdown ok\n/);
  assert.match(all, /readyz check failed/);
  assert.match(await raw('/readyz/node'), /no node is there/);
  const without = '[+]ping ok\n[+]store ok\n[+]store-room ok\n[+]node excluded: ok\n[+]shutdown ok\n';
  assert.equal(await raw('/readyz?verbose&exclude=node'), `${without}readyz check passed\n`);
  assert.match(await raw('/readyz?verbose&exclude=node&exclude=x'), /cannot be excluded: no matches for "x"/);
});

test('requests are counted under kube-apiserver’s names', { timeout: 60_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const metrics = async (): Promise<string> => (await kubectl(['get', '--raw', '/metrics'])).stdout;
  const counted = async (labels: RegExp): Promise<number> => {
    const line = (await metrics())
      .split('\n')
      .find((one) => one.startsWith('apiserver_request_total') && labels.test(one));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const created =
    /verb="POST",group="",version="v1",resource="pods",subresource="",scope="resource",component="apiserver",dry_run="",code="201"/;
  const missed = /verb="GET",.*resource="pods".*code="404"/;
  const before = [await counted(created), await counted(missed)];
  await kubectl(['create', '-f', '-'], POD_MANIFEST);
  await kubectl(['get', 'pod', 'nobody']);
  assert.deepEqual(
    [await counted(created), await counted(missed)],
    before.map((one) => one + 1),
  );
  const text = await metrics();
  assert.match(text, /apiserver_request_duration_seconds_bucket\{le="0.005",verb="POST",/);
  assert.match(text, /apiserver_resource_objects\{group="",resource="pods"\} 1\n/);
  assert.match(text, /# TYPE apiserver_request_total counter/);
});

test('a watch is a long-running request for as long as it lasts', { timeout: 60_000 }, async (t) => {
  const { kubectl, http } = await apiRig(t);
  const running = async (): Promise<string | undefined> => {
    const { stdout } = await kubectl(['get', '--raw', '/metrics']);
    return /apiserver_longrunning_requests\{verb="WATCH",.*resource="namespaces".*\} (\d+)/.exec(stdout)?.[1];
  };
  const ended = new AbortController();
  const events = http.api.watch(NAMESPACES, { signal: ended.signal })[Symbol.asyncIterator]();
  await events.next();
  assert.equal(await running(), '1');
  ended.abort();
  await events.return?.();
  for (let look = 0; look < 100 && (await running()) !== '0'; look += 1);
  assert.equal(await running(), '0');
});

test('observations made before anybody looks are all there', async () => {
  const figures = createFigures();
  const add = figures.counter({ name: 'x_total', help: 'x', labels: ['a'] });
  const observe = figures.histogram({ name: 'y_seconds', help: 'y', buckets: [1, 2] });
  for (let i = 0; i < 25_000; i += 1) add({ a: 'b' });
  observe({}, 1.5);
  const undo = figures.gauge({ name: 'z', help: 'z' }, () => [{ value: 7 }]);
  const text = await figures.text();
  assert.match(text, /^x_total\{a="b"\} 25000$/m);
  assert.match(text, /^y_seconds_bucket\{le="1"\} 0$/m);
  assert.match(text, /^y_seconds_bucket\{le="2"\} 1$/m);
  assert.match(text, /^z 7$/m);
  add({ a: 'b' });
  undo();
  assert.match(await figures.text(), /^x_total\{a="b"\} 25001$/m);
  assert.doesNotMatch(await figures.text('y_'), /x_total|^z/m);
});
