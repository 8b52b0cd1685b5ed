// Tables for what Kubernetes says about PersistentVolumes, claims and classes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/kube/api-types.ts';
import type { FieldError } from '../../src/kube/field-error.ts';
import {
  validateClaim,
  validateClaimUpdate,
  validateCsiDriver,
  validatePersistentVolume,
  validatePersistentVolumeUpdate,
  validateStorageClass,
  validateStorageClassUpdate,
} from '../../src/kube/validation/storage.ts';

const texts = (errors: readonly FieldError[]): readonly string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`);

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;
const claim = (spec: ClaimSpec = {}): PersistentVolumeClaim => ({
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});

test('a claim', () => {
  const table: readonly (readonly [ClaimSpec, readonly string[]])[] = [
    [{}, []],
    [{ accessModes: [] }, ['spec.accessModes: Required value: at least 1 access mode is required']],
    [
      { accessModes: ['Any'] },
      [
        'spec.accessModes: Unsupported value: "Any": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
      ],
    ],
    [
      { accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] },
      ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
    ],
    [{ resources: {} }, ['spec.resources[storage]: Required value']],
    [
      { resources: { requests: { storage: '0' } } },
      ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ],
    [
      { volumeMode: 'Block' },
      [
        'spec.volumeMode: Unsupported value: "Block": supported values: "Filesystem": Podwright does not have this yet',
      ],
    ],
  ];
  for (const [spec, expected] of table) assert.deepEqual(texts(validateClaim(claim(spec))), expected);
});

test('what a claim or a volume asks for and nobody here does is refused by name', () => {
  const dataSource = { kind: 'PersistentVolumeClaim', name: 'other' };
  assert.deepEqual(texts(validateClaim(claim({ dataSource }))), [
    'spec.dataSource: Forbidden: Podwright does not have this yet',
  ]);
  const spec = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } };
  assert.deepEqual(texts(validatePersistentVolume({ spec: { ...spec, mountOptions: ['noatime'] } })), [
    'spec.mountOptions: Forbidden: may not specify mount options for this volume type',
  ]);
});

test('a claim gets its volume and its class once, and nothing else changes', () => {
  const table: readonly (readonly [ClaimSpec, ClaimSpec, 'may' | 'may not'])[] = [
    [{}, { volumeName: 'v' }, 'may'],
    [{}, { storageClassName: 'c' }, 'may'],
    [{ volumeName: 'v' }, { volumeName: 'w' }, 'may not'],
    [{ volumeName: 'v' }, {}, 'may not'],
    [{ storageClassName: '' }, { storageClassName: 'c' }, 'may not'],
    [{}, { resources: { requests: { storage: '2Gi' } } }, 'may not'],
  ];
  for (const [old, changed, expected] of table) {
    const errors = validateClaimUpdate(claim(changed), claim(old));
    assert.equal(errors.length === 0 ? 'may' : 'may not', expected, JSON.stringify([old, changed]));
  }
});

test('a volume', () => {
  type Spec = NonNullable<PersistentVolume['spec']>;
  const hostPath = { path: '/x' };
  const volume = (spec: Spec): PersistentVolume => ({
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, ...spec },
  });
  const table: readonly (readonly [Spec, readonly string[]])[] = [
    [{ hostPath }, []],
    [{}, ['spec: Required value: must specify a volume type']],
    [
      { hostPath: { path: '/a/../b' } },
      ['spec.hostPath.path: Invalid value: "/a/../b": must not contain \'..\''],
    ],
    [
      { hostPath, local: { path: '/x' } },
      [
        'spec.local: Forbidden: may not specify more than 1 volume type',
        'spec.nodeAffinity: Required value: Local volume requires node affinity',
      ],
    ],
    [
      { nfs: { server: 's', path: '/' } },
      [
        'spec.nfs: Unsupported value: "nfs": supported values: "csi", "hostPath", "local": Podwright does not have this yet',
      ],
    ],
    [{ hostPath, capacity: {} }, ['spec.capacity[storage]: Required value']],
    [
      { hostPath, persistentVolumeReclaimPolicy: 'Burn' },
      ['spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Retain"'],
    ],
  ];
  for (const [spec, expected] of table)
    assert.deepEqual(texts(validatePersistentVolume(volume(spec))), expected);
  const moved = validatePersistentVolumeUpdate(volume({ hostPath: { path: '/y' } }), volume({ hostPath }));
  assert.deepEqual(texts(moved), [
    'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
  ]);
});

test('a volume of a CSI driver, and the driver', () => {
  const spec = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } };
  const csi = { driver: 'd.example.com', volumeHandle: 'h' };
  assert.deepEqual(validatePersistentVolume({ spec: { ...spec, csi } }), []);
  const secret = validatePersistentVolume({
    spec: { ...spec, csi: { ...csi, nodeStageSecretRef: { name: 's' } } },
  });
  assert.deepEqual(
    secret.map(({ field }) => field),
    ['spec.csi.nodeStageSecretRef'],
  );
  assert.deepEqual(
    texts(validatePersistentVolume({ spec: { ...spec, csi: { driver: 'd', volumeHandle: '' } } })),
    ['spec.csi.volumeHandle: Required value'],
  );
  assert.deepEqual(
    texts(validateCsiDriver({ spec: { fsGroupPolicy: 'Some', volumeLifecycleModes: ['Eternal'] } })),
    [
      'spec.fsGroupPolicy: Unsupported value: "Some": supported values: "File", "None", "ReadWriteOnceWithFSType"',
      'spec.volumeLifecycleModes: Unsupported value: "Eternal": supported values: "Ephemeral", "Persistent"',
    ],
  );
});

test('a class', () => {
  assert.deepEqual(texts(validateStorageClass({ provisioner: '', reclaimPolicy: 'Recycle' })), [
    'provisioner: Required value',
    'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
  ]);
  const old = { provisioner: 'a', volumeBindingMode: 'Immediate' };
  assert.deepEqual(
    texts(validateStorageClassUpdate({ provisioner: 'b', volumeBindingMode: 'WaitForFirstConsumer' }, old)),
    [
      'provisioner: Forbidden: updates to provisioner are forbidden.',
      'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ],
  );
});
