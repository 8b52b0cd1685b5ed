// Tables for what Kubernetes says about a pod's volumes: each row is a source and the errors it gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec, Volume, VolumeMount } from '../../src/kube/api-types.ts';
import { defaultPod } from '../../src/kube/defaults/pod.ts';
import { refusedFields } from '../../src/kube/unsupported-fields.ts';
import { validatePod } from '../../src/kube/validation/pod.ts';
import { validateVolumes } from '../../src/kube/validation/volumes.ts';

type Source = Omit<Volume, 'name'>;
const spec = (source: Source): PodSpec => ({ containers: [], volumes: [{ name: 'v', ...source }] });
const errorsOf = (source: Source): readonly string[] =>
  validateVolumes(spec(source)).map(({ field, message }) => `${field}: ${message}`);

test('volumes of files', () => {
  const named = (fieldPath: string) => ({ path: 'p', fieldRef: { fieldPath } });
  const table: readonly (readonly [Source, readonly string[]])[] = [
    [{ configMap: { name: 'c', items: [{ key: 'k', path: 'a/b' }] } }, []],
    [
      { configMap: { name: 'c', defaultMode: 0o1000 } },
      ['configMap.defaultMode: Invalid value: 512: must be between 0 and 511, inclusive'],
    ],
    [
      { secret: { secretName: 's', items: [{ key: 'k', path: '..x' }] } },
      ['secret.items[0].path: Invalid value: "..x": must not start with \'..\''],
    ],
    [
      { secret: { secretName: 's', items: [{ key: 'k', path: 'a/../b' }] } },
      ['secret.items[0].path: Invalid value: "a/../b": must not contain \'..\''],
    ],
    [{ downwardAPI: { items: [named('metadata.labels'), named("metadata.annotations['a.b/c']")] } }, []],
    [
      { downwardAPI: { items: [named('status.podIP')] } },
      [
        'downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
      ],
    ],
    [
      { downwardAPI: { items: [{ path: 'p' }] } },
      ['downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required'],
    ],
    [
      { downwardAPI: { items: [{ path: 'p', resourceFieldRef: { resource: 'limits.cpu' } }] } },
      ['downwardAPI.items[0].resourceFieldRef.containerName: Required value'],
    ],
    [
      {
        downwardAPI: { items: [{ ...named('metadata.name'), resourceFieldRef: { resource: 'limits.cpu' } }] },
      },
      [
        'downwardAPI.items[0]: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously',
      ],
    ],
    [{ projected: { sources: [{ secret: { name: 's' } }, { configMap: { name: 'c' } }] } }, []],
    [{ projected: { sources: [{ secret: {} }] } }, ['projected.sources[0].secret.name: Required value']],
    [
      { projected: { sources: [{ secret: { name: 's' }, configMap: { name: 'c' } }] } },
      ['projected.sources[0].configMap: Forbidden: may not specify more than 1 volume type per source'],
    ],
    [
      {
        projected: {
          sources: [
            { secret: { name: 's', items: [{ key: 'k', path: 'p' }] } },
            { downwardAPI: { items: [named('metadata.uid')] } },
          ],
        },
      },
      ['projected.sources: Invalid value: "p": conflicting duplicate paths'],
    ],
  ];
  for (const [source, expected] of table) {
    assert.deepEqual(
      errorsOf(source),
      expected.map((text) => `spec.volumes[0].${text}`),
    );
  }
});

test('an image volume', () => {
  assert.deepEqual(errorsOf({ image: { reference: 'x:1', pullPolicy: 'Never' } }), []);
  assert.deepEqual(errorsOf({ image: { pullPolicy: 'Sometimes' } }), [
    'spec.volumes[0].image.reference: Required value',
    'spec.volumes[0].image.pullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
  ]);
  const policyOf = (reference: string) =>
    defaultPod({ spec: spec({ image: { reference } }) }).spec?.volumes?.[0]?.image?.pullPolicy;
  assert.deepEqual([policyOf('x'), policyOf('x:1')], ['Always', 'IfNotPresent']);
});

test('more than one source, and what Podwright does not have, are refused by name', () => {
  assert.deepEqual(errorsOf({ emptyDir: {}, hostPath: { path: '/x' } }), [
    'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
  ]);
  const refused = (source: Source) => refusedFields({ spec: spec(source) }).map(({ field }) => field);
  assert.deepEqual(refused({ projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }), []);
  assert.deepEqual(refused({ projected: { sources: [{ clusterTrustBundle: { path: 't' } }] } }), [
    'spec.volumes[0].projected.sources[0].clusterTrustBundle',
  ]);
  assert.deepEqual(refused({ emptyDir: { medium: 'HugePages' } }), ['spec.volumes[0].emptyDir.medium']);
  assert.deepEqual(refused({ emptyDir: { medium: 'Memory' } }), []);
  assert.deepEqual(refused({ downwardAPI: {} }), []);
});

test('a token lives from ten minutes to 2^32 seconds', () => {
  const token = (serviceAccountToken: { path: string; expirationSeconds?: number }) =>
    errorsOf({ projected: { sources: [{ serviceAccountToken }] } });
  const at = 'spec.volumes[0].projected.sources[0].serviceAccountToken';
  assert.deepEqual(token({ path: 't', expirationSeconds: 600 }), []);
  assert.deepEqual(token({ path: '../t', expirationSeconds: 599 }), [
    `${at}.path: Invalid value: "../t": must not contain '..'`,
    `${at}.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes`,
  ]);
  assert.match(
    token({ path: 't', expirationSeconds: 2 ** 32 + 1 }).join(),
    /may not specify a duration larger than 2\^32 seconds/,
  );
});

test('defaults: modes, and the version of a field reference', () => {
  const items = [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }];
  const [volume] =
    defaultPod({ spec: spec({ projected: { sources: [{ downwardAPI: { items } }] } }) }).spec?.volumes ?? [];
  assert.deepEqual(volume?.projected, {
    defaultMode: 0o644,
    sources: [
      { downwardAPI: { items: [{ path: 'p', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } }] } },
    ],
  });
});

test('mounts: propagation and recursive read-only', () => {
  const errors = (mount: Partial<VolumeMount>, privileged = false): readonly string[] => {
    const volumeMounts = [{ name: 'v', mountPath: '/v', ...mount }];
    const one = { name: 'c', image: 'x', volumeMounts, securityContext: { privileged } };
    const pod = defaultPod({ spec: { ...spec({ emptyDir: {} }), containers: [one] } });
    return validatePod(pod).map(({ field, message }) => `${field.replace(/^.*\./, '')}: ${message}`);
  };
  assert.deepEqual(errors({ mountPropagation: 'Bidirectional' }, true), []);
  assert.deepEqual(errors({ mountPropagation: 'Bidirectional' }), [
    'mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
  ]);
  assert.deepEqual(errors({ recursiveReadOnly: 'Enabled', readOnly: true }), []);
  assert.deepEqual(errors({ recursiveReadOnly: 'Disabled' }), []);
  assert.deepEqual(errors({ recursiveReadOnly: 'IfPossible', mountPropagation: 'HostToContainer' }), [
    'recursiveReadOnly: Forbidden: may only be specified when readOnly is true',
    'recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified',
  ]);
});
