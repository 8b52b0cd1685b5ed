// Namespaces and who holds them: spec.finalizers, written through namespaces/finalize alone, and metadata.finalizers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace } from '../../src/kube/api-types.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';

const PATH = '/api/v1/namespaces/team';
const HELD = `{apiVersion: v1, kind: Namespace, metadata: {name: team}, spec: {finalizers: [example.com/hold]}}`;

async function namespaceOf({ kubectl }: ApiRig): Promise<Namespace | undefined> {
  const { stdout } = await kubectl(['get', 'ns', 'team', '-o', 'json', '--ignore-not-found']);
  return stdout === '' ? undefined : (JSON.parse(stdout) as Namespace);
}

const finalize = ({ kubectl }: ApiRig, finalizers: readonly string[]) => {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' }, spec: { finalizers } };
  return kubectl(['replace', '--raw', `${PATH}/finalize`, '-f', '-'], JSON.stringify(body));
};

async function ending(rig: ApiRig, manifest: string): Promise<void> {
  assert.equal((await rig.kubectl(['create', '-f', '-'], manifest)).code, 0);
  await rig.kubectl(['-n', 'team', 'create', 'configmap', 'c']);
  await rig.kubectl(['delete', 'ns', 'team', '--wait=false']);
}

const emptied = (rig: ApiRig): Promise<Namespace> =>
  eventually('the cleaner has done its part', async () => {
    const found = await namespaceOf(rig);
    return found?.spec?.finalizers?.includes('kubernetes') === false ? found : undefined;
  });

test('a namespace goes when the last of spec.finalizers does', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t);
  await ending(rig, HELD);
  const held = await emptied(rig);
  assert.deepEqual(held.spec?.finalizers, ['example.com/hold']);
  assert.equal(held.status?.phase, 'Terminating');
  assert.equal((await rig.kubectl(['-n', 'team', 'get', 'cm', '-o', 'name'])).stdout, '');
  const done = await finalize(rig, []);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(await namespaceOf(rig), undefined);
});

test('metadata.finalizers hold it, too, and never let its content go unseen', {
  timeout: 60_000,
}, async (t) => {
  const rig = await apiRig(t);
  await ending(rig, HELD.replace('name: team', 'name: team, finalizers: [example.com/me]'));
  await emptied(rig);
  // Not the last of all.
  await rig.kubectl(['patch', 'ns', 'team', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  assert.deepEqual((await namespaceOf(rig))?.spec?.finalizers, ['example.com/hold']);
  await finalize(rig, []);
  assert.equal(await namespaceOf(rig), undefined);
});

test('only namespaces/finalize writes spec.finalizers, and only by PUT', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t);
  const { kubectl } = rig;
  await kubectl(['create', 'ns', 'team']);
  await kubectl(['patch', 'ns', 'team', '--type=merge', '-p', '{"spec":{"finalizers":[]}}']);
  assert.deepEqual((await namespaceOf(rig))?.spec?.finalizers, ['kubernetes']);
  assert.match((await kubectl(['get', '--raw', `${PATH}/finalize`])).stderr, /MethodNotAllowed/);
  assert.match(
    (await finalize(rig, ['mine'])).stderr,
    /spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified/,
  );
  await finalize(rig, ['kubernetes', 'example.com/hold']);
  assert.deepEqual((await namespaceOf(rig))?.spec?.finalizers, ['kubernetes', 'example.com/hold']);
  // Not being deleted, it stays however few hold it.
  await finalize(rig, []);
  assert.equal((await namespaceOf(rig))?.status?.phase, 'Active');
  await kubectl(['create', 'clusterrole', 'ns', '--verb=update', '--resource=namespaces']);
  await kubectl(['create', 'clusterrolebinding', 'ns', '--clusterrole=ns', '--user=alice']);
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
  const asAlice = await kubectl(['replace', '--raw', `${PATH}/finalize`, '--as=alice', '-f', '-'], body);
  assert.match(asAlice.stderr, /cannot update resource "namespaces\/finalize"/);
});
