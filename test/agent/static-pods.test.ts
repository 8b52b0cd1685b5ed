// Static pods from a real directory: appear, change, disappear, come back after a deletion, and bad files hurt nobody.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseManifest, StaticPods } from '../../src/agent/static-pods.ts';
import { silentLog } from '../../src/base/log.ts';
import type { EventInput } from '../../src/client/event-recorder.ts';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { MemoryApi } from '../lib/memory-api.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';

const manifest = (image: string): string => `apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { containers: [{ name: a, image: "${image}" }] }
`;

type Scene = { readonly api: MemoryApi; readonly directory: string; readonly events: EventInput[] };

async function scene(t: TestContext): Promise<Scene> {
  const clock = new VirtualClock();
  const api = new MemoryApi(clock);
  const directory = await mkdtemp(join(tmpdir(), 'static-pods-'));
  const events: EventInput[] = [];
  const recorder = { record: (event: EventInput) => void events.push(event) };
  const pods = new StaticPods({ api, clock, log: silentLog, recorder, node: { name: 'node' }, directory });
  t.after(async () => {
    await pods.stop();
    await rm(directory, { recursive: true });
  });
  await pods.start();
  return { api, directory, events };
}

/** The next change of pods or events that fits; the directory is watched by the kernel, in real time. */
async function until<T>(what: string, probe: () => T | undefined): Promise<T> {
  const endMs = Date.now() + 60_000;
  for (;;) {
    const found = probe();
    if (found !== undefined) return found;
    assert.ok(Date.now() < endMs, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const web = (api: MemoryApi): Pod | undefined =>
  api.all(PODS).find((pod) => pod.metadata?.name === 'web-node');

test('a manifest becomes a bound mirror pod; deleted, it comes back; changed, it is replaced; removed, it goes', async (t) => {
  const { api, directory } = await scene(t);
  const file = join(directory, 'web.yaml');
  await writeFile(file, manifest('busybox:1'));
  const first = await until('created', () => web(api));
  assert.equal(first.spec?.nodeName, 'node');
  assert.equal(first.metadata?.annotations?.['kubernetes.io/config.source'], file);
  assert.notEqual(first.metadata?.annotations?.['kubernetes.io/config.mirror'], undefined);

  const key = { namespace: 'default', name: 'web-node' };
  await api.delete(PODS, key, { gracePeriodSeconds: 0 });
  const second = await until('created again', () => web(api));
  assert.notEqual(second.metadata?.uid, first.metadata?.uid);

  await writeFile(file, manifest('busybox:2'));
  await until('asked to end', () => web(api)?.metadata?.deletionTimestamp);
  await api.delete(PODS, key, { gracePeriodSeconds: 0 });
  const third = await until('replaced', () => web(api));
  assert.equal(third.spec?.containers[0]?.image, 'busybox:2');

  await rm(file);
  await until('asked to end', () => web(api)?.metadata?.deletionTimestamp);
});

test('a bad file is reported as an event, and the others run', async (t) => {
  const { api, directory, events } = await scene(t);
  await writeFile(join(directory, 'bad.yaml'), 'kind: Pod\nspec: [');
  await writeFile(join(directory, 'web.yaml'), manifest('busybox:1'));
  await until('created', () => web(api));
  const event = await until('reported', () => events[0]);
  assert.equal(event.reason, 'FailedValidation');
  assert.match(event.message, /bad\.yaml/);
});

test('a manifest without pods gives none; something else than a pod is refused', () => {
  assert.deepEqual(parseManifest('', 'f', 'node'), []);
  assert.deepEqual(parseManifest('---\n# nothing\n', 'f', 'node'), []);
  assert.throws(() => parseManifest('kind: Service\nmetadata: { name: x }', 'f', 'node'), {
    code: 'InvalidInput',
  });
});
