// Admission that the cluster's own objects steer: priority classes, limit ranges, quotas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { PODS, RESOURCE_QUOTAS } from '../../src/client/resources.ts';
import { runQuotaController } from '../../src/controllers/quota/quota-controller.ts';
import { apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';

const pod = (name: string, spec: string): string =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {${spec}, containers: [{name: c, image: i}]}}`;

test("a priority class becomes the pod's priority", { timeout: 60_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t);
  const create = (text: string) => kubectl(['create', '-f', '-'], text);
  const made = async (text: string): Promise<void> => {
    const { code, stderr } = await create(text);
    assert.equal(code, 0, stderr);
  };
  const figures = async (name: string): Promise<unknown[]> => {
    const { spec } = await server.resources.get(PODS, { name });
    return [spec?.priorityClassName, spec?.priority, spec?.preemptionPolicy];
  };
  const none = await create(pod('none', 'priorityClassName: absent'));
  assert.match(none.stderr, /pods "none" is forbidden: no PriorityClass with name absent was found/);
  await made(pod('plain', 'hostNetwork: false'));
  assert.deepEqual(await figures('plain'), [undefined, 0, 'PreemptLowerPriority']);
  await made(pod('critical', 'priorityClassName: system-node-critical'));
  assert.deepEqual(await figures('critical'), [
    'system-node-critical',
    2_000_001_000,
    'PreemptLowerPriority',
  ]);

  assert.equal(
    (await kubectl(['create', 'priorityclass', 'low', '--value=5', '--preemption-policy=Never'])).code,
    0,
  );
  await made(pod('named', 'priorityClassName: low'));
  assert.deepEqual(await figures('named'), ['low', 5, 'Never']);
  const other = await create(pod('other', 'priorityClassName: low, priority: 7'));
  assert.match(
    other.stderr,
    /the integer value of priority \(7\) must not be provided in pod spec; .* computed 5/,
  );

  assert.equal(
    (await kubectl(['create', 'priorityclass', 'usual', '--value=9', '--global-default'])).code,
    0,
  );
  await made(pod('usual', 'hostNetwork: false'));
  assert.deepEqual(await figures('usual'), ['usual', 9, 'PreemptLowerPriority']);
  const second = await kubectl(['create', 'priorityclass', 'second', '--value=9', '--global-default']);
  assert.match(second.stderr, /PriorityClass usual is already marked as default/);
  const high = await kubectl(['create', 'priorityclass', 'high', '--value=1000000001']);
  assert.match(high.stderr, /maximum allowed value of a user defined priority is 1000000000/);
  const named = await kubectl(['create', 'priorityclass', 'system-mine', '--value=1']);
  assert.match(named.stderr, /system- prefix are reserved/);
});

const range = (limits: string): string =>
  `{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [${limits}]}}`;
const sized = (name: string, resources: string): string =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {containers: [{name: c, image: i, resources: ${resources}}]}}`;

test('a limit range fills in what containers leave out, and refuses what is out of it', {
  timeout: 60_000,
}, async (t) => {
  const { kubectl, server } = await apiRig(t);
  const create = (text: string) => kubectl(['create', '-f', '-'], text);
  const container = `{type: Container, default: {cpu: 500m}, min: {memory: 64Mi}, max: {memory: 1Gi}, maxLimitRequestRatio: {cpu: "4"}}`;
  const made = await create(range(`${container}, {type: Pod, max: {cpu: "2"}}`));
  assert.equal(made.code, 0, made.stderr);
  assert.equal(made.stderr, '');
  assert.equal((await create(sized('plain', '{}'))).code, 0);
  const { spec, status } = await server.resources.get(PODS, { name: 'plain' });
  assert.deepEqual(spec?.containers[0]?.resources, {
    limits: { cpu: '500m', memory: '1Gi' },
    requests: { cpu: '500m', memory: '1Gi' },
  });
  assert.equal(status?.qosClass, 'Guaranteed');
  const small = await create(sized('small', '{requests: {memory: 32Mi}}'));
  assert.match(
    small.stderr,
    /pods "small" is forbidden: minimum memory usage per Container is 64Mi, but request is 33554432/,
  );
  const large = await create(sized('large', '{limits: {memory: 2Gi}}'));
  assert.match(large.stderr, /maximum memory usage per Container is 1Gi, but limit is 2147483648/);
  const wide = await create(sized('wide', '{requests: {cpu: 100m}}'));
  assert.match(
    wide.stderr,
    /cpu max limit to request ratio per Container is 4, but provided ratio is 5\.000000/,
  );
  const whole = await create(sized('whole', '{limits: {cpu: "3"}, requests: {cpu: "3"}}'));
  assert.match(whole.stderr, /maximum cpu usage per Pod is 2, but limit is 3/);
});

test('a quota is kept, however many are made at once, and says what is used', {
  timeout: 60_000,
}, async (t) => {
  const { kubectl, server } = await apiRig(t);
  const ended = new AbortController();
  const { resources: api, kinds } = server;
  const controller = runQuotaController({ api, kinds, clock: systemClock(), log: silentLog }, ended.signal);
  t.after(async () => {
    ended.abort();
    await controller;
  });
  assert.equal(
    (await kubectl(['create', 'quota', 'q', '--hard=pods=5,requests.cpu=1,configmaps=3'])).code,
    0,
  );
  const silent = await kubectl(['create', '-f', '-'], sized('silent', '{}'));
  assert.match(
    silent.stderr,
    /pods "silent" is forbidden: failed quota: q: must specify requests\.cpu for: c/,
  );
  const made = await Promise.allSettled(
    Array.from({ length: 20 }, (_, at) => {
      const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }];
      return api.create(PODS, { metadata: { name: `p${at}` }, spec: { containers } });
    }),
  );
  assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 5);
  const over = await kubectl(['create', '-f', '-'], sized('over', '{requests: {cpu: 700m}}'));
  const wanted =
    'exceeded quota: q, requested: pods=1,requests.cpu=700m, used: pods=5,requests.cpu=500m, limited: pods=5,requests.cpu=1';
  assert.ok(over.stderr.includes(wanted), over.stderr);
  const shown = await eventually('the status tells', async () => {
    const { status } = await api.get(RESOURCE_QUOTAS, { name: 'q' });
    return status?.used?.pods === '5' ? status : undefined;
  });
  // The namespace's own kube-root-ca.crt is one.
  assert.deepEqual(shown.used, { pods: '5', 'requests.cpu': '500m', configmaps: '1' });
  assert.equal((await kubectl(['create', 'configmap', 'a'])).code, 0);
  assert.equal((await kubectl(['create', 'configmap', 'b'])).code, 0);
  assert.match(
    (await kubectl(['create', 'configmap', 'c'])).stderr,
    /configmaps "c" is forbidden: exceeded quota: q/,
  );
  assert.equal((await kubectl(['delete', 'configmap', 'a'])).code, 0);
  assert.equal((await kubectl(['create', 'configmap', 'c'])).code, 0);
  assert.match((await kubectl(['describe', 'quota', 'q'])).stdout, /configmaps +3 +3[\s\S]*pods +5 +5/);

  const scoped = await kubectl(['create', 'quota', 'best', '--hard=pods=0', '--scopes=BestEffort']);
  assert.equal(scoped.code, 0, scoped.stderr);
  await kubectl(['delete', 'quota', 'q']);
  const odd = await kubectl(['create', 'quota', 'odd', '--hard=services.nodeports=1']);
  assert.match(odd.stderr, /Warning: ResourceQuota: Podwright does not count services\.nodeports/);
  assert.match((await kubectl(['create', '-f', '-'], sized('be', '{}'))).stderr, /exceeded quota: best/);
  assert.equal((await kubectl(['create', '-f', '-'], sized('burst', '{requests: {cpu: 1m}}'))).code, 0);
});
