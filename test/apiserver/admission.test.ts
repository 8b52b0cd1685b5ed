// Admission that the cluster's own objects steer: priority classes, limit ranges, quotas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { apiRig } from '../lib/api-rig.ts';

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
