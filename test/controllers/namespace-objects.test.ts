// The plan for what every namespace has: made where it is missing, mended where it was changed, nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NamespaceObjects, planNamespaceObjects } from '../../src/controllers/namespace-objects.ts';
import { keyOf } from '../../src/controllers/object-key.ts';
import type { ConfigMap, Namespace, ServiceAccount } from '../../src/kube/api-types.ts';
import { defaultServiceAccount, rootCaConfigMap } from '../../src/kube/namespace-objects.ts';

const CA = 'certificate';
const byKey = <T extends Namespace | ServiceAccount | ConfigMap>(...objects: readonly T[]): Map<string, T> =>
  new Map(objects.map((one) => [keyOf(one), one]));

const namespace = (name: string, more: Namespace['metadata'] = {}): Namespace => ({
  metadata: { name, ...more },
});
const stepsOf = (known: Partial<NamespaceObjects>): readonly string[] =>
  planNamespaceObjects({ namespaces: byKey(), accounts: byKey(), configMaps: byKey(), ...known }, CA).map(
    (step) =>
      `${step.kind} ${'account' in step ? step.account.metadata?.namespace : step.configMap.metadata?.namespace}`,
  );

test('both are made in a namespace that has neither, and nothing where both are', () => {
  const namespaces = byKey(namespace('a'), namespace('b'));
  assert.deepEqual(stepsOf({ namespaces }), [
    'createAccount a',
    'createConfigMap a',
    'createAccount b',
    'createConfigMap b',
  ]);
  const accounts = byKey(defaultServiceAccount('a'), defaultServiceAccount('b'));
  const configMaps = byKey(rootCaConfigMap('a', CA), rootCaConfigMap('b', CA));
  assert.deepEqual(stepsOf({ namespaces, accounts, configMaps }), []);
});

test('another certificate is mended, what else was added stays', () => {
  const changed = {
    ...rootCaConfigMap('a', 'old'),
    metadata: { namespace: 'a', name: 'kube-root-ca.crt', labels: { x: 'y' } },
  };
  const known = {
    namespaces: byKey(namespace('a')),
    accounts: byKey(defaultServiceAccount('a')),
    configMaps: byKey(changed),
  };
  const [step] = planNamespaceObjects(known, CA);
  assert.deepEqual(step, {
    kind: 'updateConfigMap',
    configMap: { ...changed, data: { 'ca.crt': CA } },
  });
});

test('a namespace that is going gets nothing', () => {
  const going = namespace('a', { deletionTimestamp: '2030-01-01T00:00:00Z' });
  assert.deepEqual(stepsOf({ namespaces: byKey(going) }), []);
});
