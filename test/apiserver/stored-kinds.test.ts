// Kinds that are stored and served faithfully: made by kubectl, shown in kubectl's columns, told of what does not act here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../src/client/resource-api.ts';
import { EVENTS } from '../../src/client/resources.ts';
import { apiRig } from '../lib/api-rig.ts';

const TEMPLATE = '{metadata: {labels: {app: w}}, spec: {containers: [{name: c, image: "i:1"}]}}';
const deployment = (selector: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {selector: {matchLabels: {app: ${selector}}}, template: ${TEMPLATE}}
`;

const OTHERS = `
{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {schedule: "* * * * *", jobTemplate: {spec: {template: ${TEMPLATE}}}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: rb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, subjects: [{kind: User, name: u}]}
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: w}, ports: [{port: 80}]}}
---
{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l}, spec: {holderIdentity: me}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 1, selector: {matchLabels: {app: w}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np}, spec: {podSelector: {matchLabels: {app: w}}}}
`;

test('kubectl makes and shows them', { timeout: 300_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const created = await kubectl(['apply', '-f', '-'], deployment('w'));
  assert.equal(created.stdout, 'deployment.apps/web created\n', created.stderr);
  assert.match(created.stderr, /Warning: Deployment is stored, but Podwright has no controller for it yet/);
  const shown = await kubectl(['get', 'deploy', '-o', 'wide']);
  assert.match(
    shown.stdout,
    /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/1 +0 +0 +\d+s +c +i:1 +app=w\n/,
  );
  const others = await kubectl(['apply', '-f', '-'], OTHERS);
  assert.equal(others.code, 0, others.stderr);
  assert.equal(others.stdout.match(/created/g)?.length, 8, others.stdout);
  const cells = async (...args: string[]): Promise<string> =>
    (await kubectl(['get', ...args, '--no-headers'])).stdout.trim().replace(/\s+/g, ' ');
  assert.match(await cells('rolebinding'), /^rb Role\/r \d+s$/);
  assert.match(await cells('svc'), /^s ClusterIP <none> <none> 80\/TCP \d+s$/);
  assert.match(await cells('lease'), /^l me \d+s$/);
  assert.match(await cells('pc', 'high'), /^high 1000 false \d+s PreemptLowerPriority$/);
  assert.match(await cells('pdb'), /^b 1 N\/A 0 \d+s$/);
  assert.match(await cells('netpol'), /^np app=w \d+s$/);
});

test('what the schema demands and what may not change', { timeout: 300_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const unfit = await kubectl(['create', '-f', '-'], deployment('other'));
  assert.match(unfit.stderr, /spec\.template\.metadata\.labels: Invalid value: .*`selector` does not match/);
  assert.equal((await kubectl(['create', '-f', '-'], deployment('w'))).code, 0);
  const change =
    '{"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}}';
  const changed = await kubectl(['patch', 'deploy', 'web', '--type=merge', '-p', change]);
  assert.match(changed.stderr, /spec\.selector: Invalid value: .*field is immutable/);
  const noHandler = '{"apiVersion":"node.k8s.io/v1","kind":"RuntimeClass","metadata":{"name":"x"}}';
  const missing = await kubectl(['create', '--validate=false', '-f', '-'], noHandler);
  assert.match(missing.stderr, /The RuntimeClass "x" is invalid: handler: Required value/);
});

test('an event is one object under both groups', { timeout: 60_000 }, async (t) => {
  const { kubectl, server } = await apiRig(t);
  const old = {
    metadata: { name: 'old', namespace: 'default' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    reason: 'Pulled',
    message: 'image pulled',
    source: { component: 'kubelet', host: 'n' },
    count: 3,
    type: 'Normal',
  };
  await server.resources.create(EVENTS, old);
  const get = async (...args: string[]): Promise<KubeObject & { [field: string]: unknown }> =>
    JSON.parse((await kubectl(['get', ...args, '-o', 'json'])).stdout);
  const shown = await get('events.events.k8s.io', 'old');
  assert.equal(shown.apiVersion, 'events.k8s.io/v1');
  assert.deepEqual(
    [shown.note, shown.regarding, shown.deprecatedCount, shown.deprecatedSource],
    [old.message, old.involvedObject, old.count, old.source],
  );

  const fresh = (extra: string): string => `{apiVersion: events.k8s.io/v1, kind: Event, metadata: {name: new},
    eventTime: "2026-01-02T03:04:05.000006Z", reportingController: test.io/c, reportingInstance: i, action: Look, reason: Seen,
    note: hello, regarding: {kind: Pod, namespace: default, name: web}, ${extra}}`;
  const refused = await kubectl(['create', '-f', '-'], fresh('type: Odd, deprecatedCount: 2'));
  assert.match(refused.stderr, /type: Invalid value: "": has invalid value: Odd/);
  assert.match(refused.stderr, /deprecatedCount: Invalid value: "": needs to be unset/);
  assert.equal((await kubectl(['apply', '--server-side', '-f', '-'], fresh('type: Warning'))).code, 0);
  const stored = await server.resources.get(EVENTS, { name: 'new' });
  assert.deepEqual(
    [stored.apiVersion, stored.message, stored.involvedObject?.name, stored.reportingComponent],
    ['v1', 'hello', 'web', 'test.io/c'],
  );
  const selected = await kubectl([
    'get',
    'events.events.k8s.io',
    '--field-selector=regarding.name=web',
    '-o',
    'name',
  ]);
  assert.equal(selected.stdout, 'event.events.k8s.io/new\nevent.events.k8s.io/old\n');
  assert.equal((await kubectl(['delete', 'events.events.k8s.io', 'old'])).code, 0);
  assert.match((await kubectl(['events'])).stdout, /Warning +Seen +Pod\/web +hello/);
  assert.equal((await kubectl(['get', 'ev', '-o', 'name'])).stdout, 'event/new\n');
});
