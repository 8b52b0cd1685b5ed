// The service "kubernetes" and its endpoints, over the starts of a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureKubernetesService } from '../../src/apiserver/kubernetes-service.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../../src/client/resources.ts';
import { apiRig } from '../lib/api-rig.ts';

test('the service and its endpoints lead to one address, written only when it changes', {
  timeout: 60_000,
}, async (t) => {
  const { server, store } = await apiRig(t);
  const { resources } = server;
  const key = { namespace: 'default', name: 'kubernetes' };
  const addresses = async () => {
    const { spec } = await resources.get(SERVICES, key);
    const { subsets } = await resources.get(ENDPOINTS, key);
    const { endpoints } = await resources.get(ENDPOINT_SLICES, key);
    return [
      [spec?.clusterIP, ...(spec?.clusterIPs ?? [])],
      subsets?.flatMap((one) => one.addresses?.map(({ ip }) => ip)),
      endpoints?.flatMap((one) => one.addresses),
    ];
  };
  await ensureKubernetesService(resources, '10.96.0.1');
  assert.deepEqual(await addresses(), [['10.96.0.1', '10.96.0.1'], ['10.96.0.1'], ['10.96.0.1']]);
  const { revision } = store;
  await ensureKubernetesService(resources, '10.96.0.1');
  assert.equal(store.revision, revision);
  await ensureKubernetesService(resources, '172.20.0.1');
  assert.deepEqual(await addresses(), [['172.20.0.1', '172.20.0.1'], ['172.20.0.1'], ['172.20.0.1']]);
});
