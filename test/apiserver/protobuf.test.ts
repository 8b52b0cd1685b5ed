// Bodies in protobuf: what kubectl's typed clients send, and client-go's for every kind of Kubernetes' own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { protobufFields } from '../../scripts/generate-protobuf-fields.ts';
import { NODES, PODS } from '../../src/client/resources.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';

test('the numbers of the fields are those of the published kubectl', () => {
  const file = join(import.meta.dirname, '../../src/kube/protobuf-fields.json');
  assert.ok(readFileSync(file, 'utf8') === protobufFields(), 'node scripts/generate-protobuf-fields.ts');
});

test('kubectl debug: a copy of a pod, and a pod on a node', { timeout: 60_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t);
  assert.equal((await kubectl(['apply', '-f', '-'], POD_MANIFEST)).code, 0);
  const copied = await kubectl(['debug', 'web', '--copy-to=twin', '--image=busybox:3', '--attach=false']);
  assert.equal(copied.code, 0, copied.stderr);
  const [web, twin] = [
    await server.resources.get(PODS, { name: 'web' }),
    await server.resources.get(PODS, { name: 'twin' }),
  ];
  assert.deepEqual(twin.spec?.containers.slice(0, 2), web.spec?.containers);
  assert.equal(twin.spec?.containers[2]?.image, 'busybox:3');
  assert.equal(twin.spec?.terminationGracePeriodSeconds, 5);

  await server.resources.create(NODES, { metadata: { name: 'n1' } });
  const onNode = await kubectl(['debug', 'node/n1', '--image=busybox:3', '--attach=false']);
  assert.equal(onNode.code, 0, onNode.stderr);
  const name = /pod\/(\S+)|(node-debugger-\S+)/.exec(onNode.stdout + onNode.stderr)?.[2] ?? '';
  const { spec } = await server.resources.get(PODS, { name });
  assert.equal(spec?.nodeName, 'n1');
  assert.equal(spec?.hostPID, true);
  assert.deepEqual(spec?.volumes?.[0], { name: 'host-root', hostPath: { path: '/', type: '' } });
  assert.deepEqual(spec?.tolerations?.[0], { operator: 'Exists' });
});

test('kubectl create, of every kind it has a generator for', { timeout: 120_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const commands = [
    'configmap c --from-literal=a=b',
    'cronjob cj --image=i --schedule=*/1\t*\t*\t*\t*',
    'deployment d --image=i --replicas=0 --port=80',
    'ingress i --rule=h/x*=s:80,tls=t --class=c',
    'job j --image=i',
    'namespace n',
    'poddisruptionbudget b --selector=app=w --min-available=50%',
    'priorityclass p --value=7 --preemption-policy=Never',
    'quota q --hard=cpu=1500m,memory=1Gi',
    'role r --verb=get,list --resource=pods,deployments.apps',
    'rolebinding rb --role=r --user=u --serviceaccount=default:sa',
    'clusterrole cr --verb=get --non-resource-url=/x',
    'clusterrolebinding crb --clusterrole=cr --group=g',
    'secret generic s --from-literal=a=b',
    'service clusterip svc --tcp=80:http',
    'serviceaccount sa',
  ];
  for (const command of commands) {
    const args = command.split(' ').map((word) => word.replaceAll('\t', ' '));
    const wanted = await kubectl(['create', ...args, '--dry-run=client', '-o', 'json']);
    const made = await kubectl(['create', ...args, '-o', 'json']);
    assert.equal(made.code, 0, `${command}: ${made.stderr}`);
    contains(JSON.parse(made.stdout), JSON.parse(wanted.stdout), command);
  }
});

/** Everything that kubectl meant is there; null and what is empty count as absent. */
function contains(made: unknown, wanted: unknown, path: string): void {
  if (wanted === null || wanted === '') return;
  if (typeof wanted !== 'object') {
    assert.equal(made, wanted, path);
    return;
  }
  for (const [key, value] of Object.entries(wanted)) {
    contains((made as { [key: string]: unknown } | undefined)?.[key], value, `${path}.${key}`);
  }
}
