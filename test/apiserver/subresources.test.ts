// Subresources that speak another kind: scale and eviction, by the kubectl commands that use them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ResourceRef } from '../../src/client/resource-api.ts';
import { NODES, POD_DISRUPTION_BUDGETS, PODS } from '../../src/client/resources.ts';
import { runDisruptionController } from '../../src/controllers/disruption/disruption-controller.ts';
import type { Deployment } from '../../src/kube/api-types.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';

const DEPLOYMENTS: ResourceRef<Deployment> = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};

test('kubectl scale', { timeout: 60_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t);
  assert.equal((await kubectl(['create', 'deployment', 'web', '--image=i'])).code, 0);
  const scaled = await kubectl(['scale', 'deployment', 'web', '--replicas=3']);
  assert.equal(scaled.stdout, 'deployment.apps/web scaled\n', scaled.stderr);
  const { metadata, spec } = await server.resources.get(DEPLOYMENTS, { name: 'web' });
  assert.deepEqual([spec?.replicas, metadata?.generation], [3, 2]);
  assert.ok(
    metadata?.managedFields?.some(
      ({ manager, subresource }) => manager === 'kubectl' && subresource === 'scale',
    ),
    JSON.stringify(metadata?.managedFields),
  );
  const scale = await kubectl(['get', 'deployment', 'web', '--subresource=scale', '-o', 'json']);
  const { status, kind } = JSON.parse(scale.stdout) as { status: object; kind: string };
  assert.deepEqual([kind, status], ['Scale', { replicas: 0, selector: 'app=web' }]);

  const unmet = await kubectl(['scale', 'deployment', 'web', '--current-replicas=9', '--replicas=1']);
  assert.match(unmet.stderr, /Expected replicas to be 9, was 3/);
  const negative = '{"spec":{"replicas":-1}}';
  const refused = await kubectl([
    'patch',
    'deploy',
    'web',
    '--subresource=scale',
    '--type=merge',
    '-p',
    negative,
  ]);
  assert.match(refused.stderr, /Invalid value: -1: must be greater than or equal to 0/);
  const zero = '{"spec":{"replicas":0}}';
  const patched = await kubectl([
    'patch',
    'deploy',
    'web',
    '--subresource=scale',
    '--type=merge',
    '-p',
    zero,
  ]);
  assert.equal(patched.code, 0, patched.stderr);
  assert.equal((await server.resources.get(DEPLOYMENTS, { name: 'web' })).spec?.replicas, 0);
  const absent = await kubectl(['scale', 'cm', 'kube-root-ca.crt', '--replicas=1']);
  assert.notEqual(absent.code, 0);
});

/** A pod that a node runs, as its agent would tell. */
async function readyPod({ server }: ApiRig, name: string): Promise<void> {
  const containers = [{ name: 'c', image: 'i' }];
  const metadata = { name, namespace: 'default', labels: { app: 'w' } };
  await server.resources.create(PODS, { metadata, spec: { nodeName: 'n1', containers } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  const patch = {
    type: 'application/merge-patch+json',
    body: { status: { phase: 'Running', conditions } },
  } as const;
  await server.resources.patch(PODS, { name }, patch, { subresource: 'status' });
}

test('kubectl drain asks the budget, and cordons', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t);
  const { kubectl, server } = rig;
  const ended = new AbortController();
  const options = { api: server.resources, clock: systemClock(), log: silentLog };
  const controller = runDisruptionController(options, ended.signal);
  t.after(async () => {
    ended.abort();
    await controller;
  });
  await server.resources.create(NODES, { metadata: { name: 'n1' } });
  await readyPod(rig, 'a');
  await readyPod(rig, 'b');
  const spec = { minAvailable: 1, selector: { matchLabels: { app: 'w' } } };
  await server.resources.create(POD_DISRUPTION_BUDGETS, { metadata: { name: 'one' }, spec });
  await eventually(
    'the budget allows one',
    async () =>
      /one +1 +N\/A +1 /.exec((await kubectl(['get', 'pdb', 'one', '--no-headers'])).stdout) ?? undefined,
  );

  const drained = await kubectl(['drain', 'n1', '--force', '--grace-period=0', '--timeout=3s']);
  assert.notEqual(drained.code, 0);
  assert.match(drained.stdout, /node\/n1 cordoned[\s\S]*pod\/[ab] evicted/);
  assert.match(drained.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
  assert.equal((await server.resources.list(PODS)).items.length, 1);
  const { status } = await server.resources.get(POD_DISRUPTION_BUDGETS, { name: 'one' });
  assert.deepEqual(
    [status?.disruptionsAllowed, status?.currentHealthy, status?.desiredHealthy, status?.expectedPods],
    [0, 1, 1, 1],
  );
  assert.match((await kubectl(['get', 'nodes'])).stdout, /n1 +\S+,SchedulingDisabled/);

  assert.equal((await kubectl(['delete', 'pdb', 'one'])).code, 0);
  const again = await kubectl(['drain', 'n1', '--force', '--grace-period=0', '--timeout=10s']);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual((await server.resources.list(PODS)).items, []);
  assert.equal((await kubectl(['uncordon', 'n1'])).stdout, 'node/n1 uncordoned\n');
});
