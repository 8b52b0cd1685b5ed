// Server-side apply: ownership, conflicts, force, and what goes when a manager lets go of it; through the API and kubectl.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { CONFIG_MAPS, PODS } from '../../src/client/resources.ts';
import type { ConfigMap, Container, Pod } from '../../src/kube/api-types.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';

const APPLY = 'application/apply-patch+yaml';
type Options = { readonly manager: string; readonly force?: boolean };

function applyMap(
  api: ResourceApi,
  data: Record<string, string>,
  { manager, force }: Options,
): Promise<ConfigMap> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data };
  return api.patch(CONFIG_MAPS, { name: 'm' }, { type: APPLY, body }, { fieldManager: manager, force });
}

function applyContainers(
  api: ResourceApi,
  containers: readonly Partial<Container>[],
  options: Options,
): Promise<Pod> {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers } };
  const { manager, force } = options;
  return api.patch(PODS, { name: 'p' }, { type: APPLY, body }, { fieldManager: manager, force });
}

function fieldsOf(object: ConfigMap | Pod, manager: string): unknown {
  return object.metadata?.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;
}

test('makes the object; what a manager no longer says goes, unless another owns it', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  const first = await applyMap(api, { a: '1', b: '1', c: '1' }, { manager: 'one' });
  assert.deepEqual(fieldsOf(first, 'one'), { 'f:data': { 'f:a': {}, 'f:b': {}, 'f:c': {} } });
  await applyMap(api, { b: '1' }, { manager: 'two' });
  const second = await applyMap(api, { a: '2' }, { manager: 'one' });
  assert.deepEqual(second.data, { a: '2', b: '1' });
  assert.deepEqual(fieldsOf(second, 'two'), { 'f:data': { 'f:b': {} } });
  const { resourceVersion } = second.metadata ?? {};
  const again = await applyMap(api, { a: '2' }, { manager: 'one' });
  assert.equal(again.metadata?.resourceVersion, resourceVersion, 'nothing changed, nothing was written');
});

test('another manager’s value is a conflict told by field; force takes it', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  await applyMap(api, { a: '1', b: '1' }, { manager: 'one' });
  await assert.rejects(applyMap(api, { a: '2', b: '1' }, { manager: 'two' }), (error) => {
    assert.ok(isPodwrightError(error, 'Conflict'));
    assert.equal(error.message, 'Apply failed with 1 conflict: conflict with "one" using v1: .data.a');
    const message = 'conflict with "one" using v1';
    assert.deepEqual(error.details.causes, [{ reason: 'FieldManagerConflict', message, field: '.data.a' }]);
    return true;
  });
  const forced = await applyMap(api, { a: '2' }, { manager: 'two', force: true });
  assert.deepEqual(forced.data, { a: '2', b: '1' });
  assert.deepEqual(fieldsOf(forced, 'one'), { 'f:data': { 'f:b': {} } });
  const shared = await applyMap(api, { a: '2' }, { manager: 'three' });
  assert.deepEqual(fieldsOf(shared, 'two'), fieldsOf(shared, 'three'), 'the same value is owned together');
});

test('an update takes what it changes; an apply meets it again', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  await applyMap(api, { a: '1', b: '1' }, { manager: 'one' });
  const merge = { type: 'application/merge-patch+json', body: { data: { a: '9' } } } as const;
  const updated = await api.patch(CONFIG_MAPS, { name: 'm' }, merge, { fieldManager: 'editor' });
  assert.deepEqual(fieldsOf(updated, 'editor'), { 'f:data': { 'f:a': {} } });
  assert.deepEqual(fieldsOf(updated, 'one'), { 'f:data': { 'f:b': {} } });
  await assert.rejects(
    applyMap(api, { a: '1', b: '1' }, { manager: 'one' }),
    /conflict with "editor" using v1 at /,
  );
});

test('lists are shared item by item', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  const port = { containerPort: 80 };
  await applyContainers(api, [{ name: 'a', image: 'a:1', ports: [port] }], { manager: 'one' });
  const both = await applyContainers(api, [{ name: 'a', image: 'a:1' }], { manager: 'two' });
  assert.deepEqual(fieldsOf(both, 'two'), {
    'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
  });
  assert.deepEqual(fieldsOf(both, 'one'), {
    'f:spec': {
      'f:containers': {
        'k:{"name":"a"}': {
          '.': {},
          'f:image': {},
          'f:name': {},
          'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
        },
      },
    },
  });
  const image = await applyContainers(api, [{ name: 'a', image: 'a:2' }], { manager: 'two', force: true });
  assert.deepEqual(image.spec?.containers[0]?.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  assert.equal(image.spec?.containers[0]?.image, 'a:2');
});

test('kubectl: apply --server-side, diff, conflict, client-side to server-side, prune', {
  timeout: 300_000,
}, async (t) => {
  const { kubectl } = await apiRig(t);
  const serverSide = ['apply', '--server-side', '-f', '-'];
  const created = await kubectl(serverSide, POD_MANIFEST);
  assert.equal(created.stdout, 'pod/web serverside-applied\n', created.stderr);
  const newer = POD_MANIFEST.replace('busybox:1', 'busybox:2');
  const diff = await kubectl(['diff', '--server-side', '-f', '-'], newer);
  assert.match(diff.stdout, /-\s+image: busybox:1\n\+\s+image: busybox:2/, diff.stderr);
  assert.equal((await kubectl([...serverSide], newer)).code, 0);
  await kubectl(['set', 'image', 'pod/web', 'b=busybox:3']);
  const conflict = await kubectl(serverSide, newer);
  assert.match(
    conflict.stderr,
    /conflict with "kubectl-set" using v1 at .*: \.spec\.containers\[name="b"\]\.image/,
  );
  assert.equal((await kubectl([...serverSide, '--force-conflicts'], newer)).code, 0);

  const map = (name: string) =>
    `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, labels: {set: x}}, data: {k: v}}`;
  const prune = ['apply', '--prune', '-l', 'set=x', '--prune-allowlist=core/v1/ConfigMap', '-f', '-'];
  assert.equal((await kubectl(prune, `${map('one')}\n---\n${map('two')}`)).code, 0);
  const pruned = await kubectl(prune, map('one'));
  assert.match(pruned.stdout, /configmap\/two pruned/, pruned.stderr);
  const moved = await kubectl(serverSide, map('one').replace('k: v', 'k: w'));
  assert.equal(moved.stdout, 'configmap/one serverside-applied\n', moved.stderr);
});
