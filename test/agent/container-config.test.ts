// Tables for what a spec becomes on the machine: commands, environment, security, resources, sandbox, volumes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigContext, containerConfig } from '../../src/agent/container-config.ts';
import { downwardVersion, type NodeFacts } from '../../src/agent/downward.ts';
import { expand } from '../../src/agent/expansion.ts';
import { oomScoreAdj, podResources } from '../../src/agent/resource-config.ts';
import { sandboxConfig } from '../../src/agent/sandbox-config.ts';
import { containerSecurity } from '../../src/agent/security-config.ts';
import type { Sources } from '../../src/agent/sources.ts';
import { volumeSetup } from '../../src/agent/volume-config.ts';
import type {
  ConfigMap,
  Container,
  CSIDriver,
  EnvVar,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  Secret,
  Volume,
} from '../../src/kube/api-types.ts';
import { hostsText } from '../../src/machine/etc-files.ts';
import type { ContainerConfig } from '../../src/machine/model/container.ts';
import { container, podOf, sidecar } from './world.ts';

const facts: NodeFacts = {
  hostIps: ['192.0.2.1'],
  podIps: ['10.200.0.2', 'fd00::2'],
  allocatable: { cpuMilli: 2000, memoryBytes: 4 * 1024 ** 3 },
};

const configMaps: Record<string, ConfigMap> = {
  settings: {
    data: { color: 'blue', 'app.conf': 'a=1\n' },
    binaryData: { logo: Buffer.from([0, 255]).toString('base64') },
  },
};
const secrets: Record<string, Secret> = { login: { data: { user: Buffer.from('anna').toString('base64') } } };
const claims: Record<string, PersistentVolumeClaim> = {
  data: { spec: { volumeName: 'disk' }, status: { phase: 'Bound' } },
  old: { spec: { volumeName: 'host' }, status: { phase: 'Bound' } },
  waiting: { spec: {}, status: { phase: 'Pending' } },
  disks: { spec: { volumeName: 'disks' }, status: { phase: 'Bound' } },
  attached: { spec: { volumeName: 'attached' }, status: { phase: 'Bound' } },
  'p-scratch': { spec: { volumeName: 'disk' }, status: { phase: 'Bound' } },
};
const drivers: Record<string, CSIDriver> = {
  'both.example.com': {
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      fsGroupPolicy: 'File',
      volumeLifecycleModes: ['Ephemeral', 'Persistent'],
    },
  },
  'old.example.com': { spec: {} },
};
const volumes: Record<string, PersistentVolume> = {
  disks: {
    spec: {
      accessModes: ['ReadWriteMany'],
      csi: { driver: 'both.example.com', volumeHandle: 'h1', volumeAttributes: { a: 'b' } },
    },
  },
  attached: { spec: { csi: { driver: 'old.example.com', volumeHandle: 'h2' } } },
  disk: { spec: { local: { path: '/disk' } } },
  host: { spec: { hostPath: { path: '/host', type: 'Directory' } } },
};
const images = new Map([['war', { id: 'sha256:w', tags: [], digests: [], sizeBytes: 1, user: '' }]]);
const sources: Sources = {
  namespace: 'default',
  configMap: (name) => configMaps[name],
  secret: (name) => secrets[name],
  claim: (name) => claims[name],
  volume: (name) => volumes[name],
  driver: (name) => drivers[name],
  runtimeClass: (name) => (name === 'small' ? { metadata: { name }, handler: 'runc' } : undefined),
  token: (_pod, { audience = 'api' }) => (audience === 'lost' ? undefined : `token for ${audience}`),
};

function configOf(one: Container, pod: Pod = podOf({ containers: [one] })): ContainerConfig {
  const instance = { attempt: 0, sandboxAttempt: 0, imageId: 'sha256:x', imageUser: '', annotations: {} };
  const context: ConfigContext = { pod, sources, facts, instance };
  return containerConfig(one, context);
}

const envOf = (env: readonly EnvVar[], more: Partial<Container> = {}, pod?: Pod): Record<string, string> =>
  Object.fromEntries(
    configOf(container('a', { env, ...more }), pod).env.map(({ name, value }) => [name, value]),
  );

test('$(NAME) is expanded, $$ escapes, what is unknown stays', () => {
  const values = new Map([
    ['A', '1'],
    ['B', '$(A)'],
  ]);
  const table: readonly (readonly [string, string])[] = [
    ['x $(A) y', 'x 1 y'],
    ['$(B)', '$(A)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(C)', '$(C)'],
    ['$A $[A] $(', '$A $[A] $('],
    ['100$$', '100$'],
  ];
  for (const [text, expected] of table) assert.equal(expand(text, values), expected, text);
});

test('command and args are expanded with the environment; empty ones are the image’s', () => {
  const config = configOf(
    container('a', { command: ['sh', '-c', 'echo $(X)'], args: [], env: [{ name: 'X', value: 'hi' }] }),
  );
  assert.deepEqual(config.command, ['sh', '-c', 'echo hi']);
  assert.equal(config.args, undefined);
});

test('env: later over earlier, envFrom below env, prefix, references to what came before', () => {
  const env = envOf(
    [
      { name: 'CFG_color', value: 'red' },
      { name: 'BOTH', value: '$(CFG_color)-$(user)' },
    ],
    {
      envFrom: [
        { prefix: 'CFG_', configMapRef: { name: 'settings' } },
        { secretRef: { name: 'login' } },
        { configMapRef: { name: 'absent', optional: true } },
      ],
    },
  );
  assert.equal(env.CFG_color, 'red');
  assert.equal(env.user, 'anna');
  assert.equal(env.BOTH, 'red-anna');
});

test('fieldRef: every documented path', () => {
  const pod = podOf(
    { serviceAccountName: 'robot' },
    { labels: { app: 'x', b: 'y "z"' }, annotations: { 'example.com/note': 'n' } },
  );
  const table: readonly (readonly [string, string])[] = [
    ['metadata.name', 'p'],
    ['metadata.namespace', 'default'],
    ['metadata.uid', 'uid-p'],
    ["metadata.labels['app']", 'x'],
    ["metadata.annotations['example.com/note']", 'n'],
    ['metadata.labels', 'app="x"\nb="y \\"z\\""'],
    ['spec.nodeName', 'node'],
    ['spec.serviceAccountName', 'robot'],
    ['status.hostIP', '192.0.2.1'],
    ['status.hostIPs', '192.0.2.1'],
    ['status.podIP', '10.200.0.2'],
    ['status.podIPs', '10.200.0.2,fd00::2'],
  ];
  for (const [fieldPath, expected] of table) {
    assert.equal(
      envOf([{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }], {}, pod).X,
      expected,
      fieldPath,
    );
  }
});

test('resourceFieldRef: divisors round up, what is not limited is the node', () => {
  const resources = { limits: { cpu: '1500m', memory: '100Mi' }, requests: { cpu: '250m' } };
  const table: readonly (readonly [string, string | undefined, string])[] = [
    ['limits.cpu', undefined, '2'],
    ['limits.cpu', '1m', '1500'],
    ['requests.cpu', '1m', '250'],
    ['requests.cpu', undefined, '1'],
    ['limits.memory', '1Mi', '100'],
    ['requests.memory', '1Mi', '100'],
  ];
  for (const [resource, divisor, expected] of table) {
    const env = [{ name: 'X', valueFrom: { resourceFieldRef: { resource, divisor } } }];
    assert.equal(envOf(env, { resources }).X, expected, `${resource} / ${divisor}`);
  }
  const unlimited = [
    { name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Gi' } } },
  ];
  assert.equal(envOf(unlimited).X, '4');
});

test('what is missing is told in the kubelet’s words, and left out where it is optional', () => {
  const table: readonly (readonly [EnvVar['valueFrom'], string])[] = [
    [{ configMapKeyRef: { name: 'absent', key: 'k' } }, 'configmap "absent" not found'],
    [{ secretKeyRef: { name: 'absent', key: 'k' } }, 'secret "absent" not found'],
    [
      { configMapKeyRef: { name: 'settings', key: 'k' } },
      "couldn't find key k in ConfigMap default/settings",
    ],
    [{ secretKeyRef: { name: 'login', key: 'k' } }, "couldn't find key k in Secret default/login"],
  ];
  for (const [valueFrom, message] of table) {
    assert.throws(() => envOf([{ name: 'X', valueFrom }]), { code: 'ConfigFailed', message });
  }
  const optional = { configMapKeyRef: { name: 'absent', key: 'k', optional: true } };
  assert.deepEqual(envOf([{ name: 'X', valueFrom: optional }]), {});
});

test('subPathExpr is expanded and must stay within the volume', () => {
  const mounts = (subPathExpr: string): ContainerConfig =>
    configOf(
      container('a', {
        env: [{ name: 'N', value: 'x' }],
        volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr }],
      }),
    );
  assert.deepEqual(mounts('logs/$(N)').mounts[0]?.source, { kind: 'volume', name: 'v', subPath: 'logs/x' });
  assert.throws(() => mounts('$(M)'), /missing value for "M"/);
  assert.throws(() => mounts('../$(N)'), /must stay within the volume/);
});

test('securityContext: the container’s wins over the pod’s, and runAsNonRoot is checked', () => {
  const pod = podOf({
    securityContext: { runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] },
  });
  const security = containerSecurity(pod, container('a', { securityContext: { runAsUser: 9 } }), '');
  assert.equal(security.runAsUser, 9);
  assert.equal(security.runAsGroup, 2);
  assert.deepEqual(security.supplementalGroups, [4, 3]);
  assert.deepEqual(security.seccomp, { kind: 'RuntimeDefault' });

  const nonRoot = (runAsUser: number | undefined, imageUser: string): unknown =>
    containerSecurity(
      podOf(),
      container('a', { securityContext: { runAsNonRoot: true, runAsUser } }),
      imageUser,
    );
  assert.throws(
    () => nonRoot(0, ''),
    /container's runAsUser breaks non-root policy \(pod: "p_default\(uid-p\)", container: a\)/,
  );
  assert.throws(() => nonRoot(undefined, ''), /container has runAsNonRoot and image will run as root/);
  assert.throws(
    () => nonRoot(undefined, 'nobody'),
    /non-numeric user \(nobody\), cannot verify user is non-root/,
  );
  assert.doesNotThrow(() => nonRoot(undefined, '65534:65534'));
  assert.doesNotThrow(() => nonRoot(7, ''));
});

test('OOM scores by QoS class, sidecars never above the apps', () => {
  const memory = 4 * 1024 ** 3;
  const burstable = container('a', { resources: { requests: { memory: '1Gi' } } });
  const guaranteed = container('a', { resources: { limits: { cpu: '1', memory: '1Gi' } } });
  assert.equal(oomScoreAdj(podOf(), container('a'), memory), 1000);
  assert.equal(oomScoreAdj(podOf({ containers: [guaranteed] }), guaranteed, memory), -997);
  assert.equal(oomScoreAdj(podOf({ containers: [burstable] }), burstable, memory), 750);
  const helper = sidecar('s');
  assert.equal(
    oomScoreAdj(podOf({ initContainers: [helper], containers: [burstable] }), helper, memory),
    750,
  );
});

test('a RuntimeClass names the handler of every container, and its overhead widens the pod’s limits', () => {
  const handlerOf = (runtimeClassName: string | undefined): string | undefined =>
    configOf(container('a'), podOf({ runtimeClassName })).runtimeHandler;
  assert.equal(handlerOf(undefined), undefined);
  assert.equal(handlerOf('small'), 'runc');
  assert.throws(() => handlerOf('absent'), { message: 'runtimeclass.node.k8s.io "absent" not found' });
  const limits = { cpu: '500m', memory: '1Gi' };
  const spec = {
    overhead: { cpu: '100m', memory: '1Gi' },
    containers: [container('a', { resources: { limits } })],
  };
  assert.deepEqual(podResources(podOf(spec)), {
    cpuRequestMilli: 100,
    cpuLimitMilli: 600,
    memoryLimitBytes: 2 * 1024 ** 3,
  });
});

test('the pod’s cgroup is limited only where all containers are', () => {
  const limited = container('a', { resources: { limits: { cpu: '500m', memory: '1Gi' } } });
  assert.deepEqual(
    podResources(podOf({ containers: [limited, container('b')] })).memoryLimitBytes,
    undefined,
  );
  const helper = sidecar('s', { resources: { limits: { cpu: '250m', memory: '1Gi' } } });
  const pod = podOf({ initContainers: [helper], containers: [limited] });
  assert.deepEqual(podResources(pod).cpuLimitMilli, 750);
  assert.deepEqual(podResources(pod).memoryLimitBytes, 2 * 1024 ** 3);
});

test('a pod with a subdomain has a full name, in its hosts file and, if it wishes, as its host name', () => {
  const names = (spec: Partial<PodSpec>): readonly (string | undefined)[] => {
    const config = sandboxConfig(podOf(spec), 0, { name: 'node' });
    const line = hostsText(config, ['10.0.0.2'])
      .split('\n')
      .find((one) => one.startsWith('10.0.0.2'));
    return [config.hostname, line];
  };
  const full = 'web.db.default.svc.cluster.local';
  for (const [spec, hostname, hosts] of [
    [{}, 'p', 'p'],
    [{ setHostnameAsFQDN: true }, 'p', 'p'],
    [{ hostname: 'web', subdomain: 'db' }, 'web', `${full}\tweb`],
    [{ hostname: 'web', subdomain: 'db', setHostnameAsFQDN: true }, full, full],
    [{ hostnameOverride: 'other', subdomain: 'db' }, 'other', 'other'],
  ] as const)
    assert.deepEqual(names(spec), [hostname, `10.0.0.2\t${hosts}`]);
  assert.throws(() => names({ hostname: 'w'.repeat(40), subdomain: 'db', setHostnameAsFQDN: true }), {
    message: /is too long \(64 characters is the max, 69 characters requested\)/,
  });
});

test('the sandbox: host name, namespaces, host ports, DNS', () => {
  const node = {
    name: 'node',
    dns: { nameservers: ['9.9.9.9'], searches: ['here'], options: ['ndots:1', 'rotate'] },
  };
  const plain = sandboxConfig(
    podOf({ containers: [container('a', { ports: [{ containerPort: 80, hostPort: 8080 }] })] }),
    0,
    node,
  );
  assert.equal(plain.hostname, 'p');
  assert.deepEqual(plain.namespaces, { network: 'pod', ipc: 'pod', pid: 'container' });
  assert.deepEqual(plain.portMappings, [{ protocol: 'TCP', containerPort: 80, hostPort: 8080 }]);
  assert.equal(plain.dns, 'node');

  const shared = sandboxConfig(
    podOf({ hostNetwork: true, shareProcessNamespace: true, hostname: 'web' }),
    0,
    node,
  );
  assert.equal(shared.hostname, 'node');
  assert.deepEqual(shared.namespaces, { network: 'node', ipc: 'pod', pid: 'pod' });

  const dnsConfig = {
    nameservers: ['1.1.1.1'],
    searches: ['there'],
    options: [{ name: 'ndots', value: '5' }],
  };
  assert.deepEqual(sandboxConfig(podOf({ dnsPolicy: 'None', dnsConfig }), 0, node).dns, {
    nameservers: ['1.1.1.1'],
    searches: ['there'],
    options: ['ndots:5'],
  });
  assert.deepEqual(sandboxConfig(podOf({ dnsPolicy: 'Default', dnsConfig }), 0, node).dns, {
    nameservers: ['9.9.9.9', '1.1.1.1'],
    searches: ['here', 'there'],
    options: ['rotate', 'ndots:5'],
  });
});

test('volumes: items, modes, binary data, optional, and what is wrong with which', () => {
  const setup = (volume: Volume) =>
    volumeSetup({ pod: podOf({ volumes: [volume] }), sources, facts, images, takeClaim: () => true })
      .volumes[0];
  assert.deepEqual(setup({ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }), {
    kind: 'emptyDir',
    name: 'v',
    medium: 'memory',
    sizeLimitBytes: 1024 ** 2,
  });
  const items = [{ key: 'logo', path: 'img/logo.bin', mode: 0o400 }];
  assert.deepEqual(setup({ name: 'v', configMap: { name: 'settings', items } }), {
    kind: 'files',
    name: 'v',
    medium: 'disk',
    files: [{ path: 'img/logo.bin', content: Buffer.from([0, 255]), mode: 0o400 }],
  });
  const all = setup({ name: 'v', configMap: { name: 'settings', defaultMode: 0o600 } });
  assert.deepEqual(all?.kind === 'files' && all.files.map(({ path, mode }) => [path, mode]), [
    ['color', 0o600],
    ['app.conf', 0o600],
    ['logo', 0o600],
  ]);
  assert.deepEqual(setup({ name: 'v', secret: { secretName: 'absent', optional: true } }), {
    kind: 'files',
    name: 'v',
    medium: 'memory',
    files: [],
  });
  const projected = setup({
    name: 'v',
    projected: {
      sources: [
        { secret: { name: 'login' } },
        { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
      ],
    },
  });
  assert.deepEqual(
    projected?.kind === 'files' &&
      projected.files.map(({ path, content }) => [path, Buffer.from(content).toString()]),
    [
      ['user', 'anna'],
      ['name', 'p'],
    ],
  );
  assert.deepEqual(setup({ name: 'war', image: { reference: 'w:1' } }), {
    kind: 'image',
    name: 'war',
    imageId: 'sha256:w',
  });
  assert.equal(setup({ name: 'up-already', image: { reference: 'w:1' } }), undefined);
  assert.throws(() => setup({ name: 'v', secret: { secretName: 'absent' } }), {
    message: 'MountVolume.SetUp failed for volume "v" : secret "absent" not found',
  });
  assert.throws(
    () => setup({ name: 'v', configMap: { name: 'settings', items: [{ key: 'k', path: 'k' }] } }),
    {
      message: 'MountVolume.SetUp failed for volume "v" : references non-existent config key: k',
    },
  );
  assert.throws(
    () => setup({ name: 'v', nfs: { server: 's', path: '/' } }),
    /volume type nfs is not supported/,
  );
});

test('labels and annotations concern only a pod that shows them in a volume', () => {
  const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
  const version = (volume: Volume, labels: Record<string, string>): string => {
    const pod = podOf({ volumes: [volume] });
    return downwardVersion({ ...pod, metadata: { ...pod.metadata, labels } });
  };
  for (const volume of [
    { name: 'v', downwardAPI: { items } },
    { name: 'v', projected: { sources: [{ downwardAPI: { items } }] } },
  ]) {
    assert.equal(version(volume, { a: '1' }), version(volume, { a: '1' }));
    assert.notEqual(version(volume, { a: '1' }), version(volume, { a: '2' }));
  }
  assert.equal(version({ name: 'v', emptyDir: {} }, { a: '1' }), '');
});

test('claims: what is bound to them, and what is wrong with which', () => {
  const setup = (volume: Volume) =>
    volumeSetup({ pod: podOf({ volumes: [volume] }), sources, facts, images, takeClaim: () => true })
      .volumes[0];
  const claim = (claimName: string, readOnly?: boolean): Volume => ({
    name: 'v',
    persistentVolumeClaim: { claimName, readOnly },
  });
  assert.deepEqual(setup(claim('data')), { kind: 'local', name: 'v', path: '/disk', readOnly: false });
  assert.deepEqual(setup(claim('data', true)), { kind: 'local', name: 'v', path: '/disk', readOnly: true });
  assert.deepEqual(setup(claim('old')), {
    kind: 'hostPath',
    name: 'v',
    path: '/host',
    type: 'Directory',
    readOnly: false,
  });
  const ephemeral = { volumeClaimTemplate: { spec: {} } };
  const table: readonly (readonly [Volume, string])[] = [
    [claim('absent'), 'persistentvolumeclaim "absent" not found'],
    [claim('waiting'), 'error processing PVC default/waiting: PVC is not bound'],
    [
      { name: 'scratch', ephemeral },
      'PVC default/p-scratch was not created for pod default/p (pod is not owner)',
    ],
  ];
  for (const [volume, words] of table)
    assert.throws(() => setup(volume), {
      message: `MountVolume.SetUp failed for volume "${volume.name}" : ${words}`,
    });
});

test('csi: inline and behind a claim, as its CSIDriver says', () => {
  const setup = (volume: Volume) =>
    volumeSetup({ pod: podOf({ volumes: [volume] }), sources, facts, images, takeClaim: () => true })
      .volumes[0];
  const csi = (driver: string, more: object = {}): Volume => ({ name: 'v', csi: { driver, ...more } });
  const inline = setup(
    csi('both.example.com', { volumeAttributes: { url: 'u' }, nodePublishSecretRef: { name: 'login' } }),
  );
  assert.ok(inline?.kind === 'csi');
  assert.match(inline.volumeHandle, /^csi-[0-9a-f]{64}$/);
  assert.deepEqual(
    [inline.lifecycle, inline.fsGroup, inline.secrets],
    ['Ephemeral', 'apply', { user: 'anna' }],
  );
  assert.equal(inline.attributes.url, 'u');
  assert.equal(inline.attributes['csi.storage.k8s.io/ephemeral'], 'true');
  assert.equal(inline.attributes['csi.storage.k8s.io/pod.name'], 'p');
  const claimed = setup({ name: 'v', persistentVolumeClaim: { claimName: 'disks', readOnly: true } });
  assert.ok(claimed?.kind === 'csi');
  assert.deepEqual(
    [claimed.lifecycle, claimed.volumeHandle, claimed.accessMode, claimed.readOnly, claimed.attributes.a],
    ['Persistent', 'h1', 'MULTI_NODE_MULTI_WRITER', true, 'b'],
  );
  const table: readonly (readonly [Volume, RegExp])[] = [
    [
      csi('absent.example.com'),
      /volume mode "Ephemeral" not supported by driver absent.example.com \(no CSIDriver object\)/,
    ],
    [
      csi('old.example.com'),
      /volume mode "Ephemeral" not supported by driver old.example.com \(only supports \["Persistent"\]\)/,
    ],
    [{ name: 'v', persistentVolumeClaim: { claimName: 'attached' } }, /must say attachRequired: false/],
  ];
  for (const [volume, words] of table) assert.throws(() => setup(volume), words);
});
