// The OCI configurations as pure functions: what is asked against what comes out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupLayout } from '../../src/machine/cgroups/layout.ts';
import { cpuQuota, cpuShares, cpuWeight } from '../../src/machine/cgroups/settings.ts';
import type { ContainerConfig } from '../../src/machine/model/container.ts';
import {
  availableCapabilities,
  CAPABILITIES,
  capabilitiesOf,
} from '../../src/machine/runtime/capabilities.ts';
import {
  type ContainerSpecInput,
  commandOf,
  containerSpec,
  infraSpec,
  type MachineFacts,
} from '../../src/machine/runtime/oci-spec.ts';
import { resolveUser } from '../../src/machine/runtime/users.ts';
import { containerConfig, podIdentity, sandboxConfig } from './machine-contract.ts';

const pod = podIdentity('spec');
const sandbox = sandboxConfig(pod);
const facts: MachineFacts = {
  cgroupVersion: 'v2',
  capabilities: new Set(CAPABILITIES),
  oomScoreAdj: 0,
  devices: [],
};

const container = (change: Partial<ContainerConfig> = {}): ContainerConfig =>
  containerConfig(pod, { name: 'main', imageId: 'sha256:x', command: ['run'], ...change });

const input = (change: Partial<ContainerSpecInput> = {}): ContainerSpecInput => ({
  config: container(),
  sandbox,
  image: {},
  user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
  rootfs: '/rootfs',
  infraPid: 42,
  cgroupsPath: '/engine/pod/container',
  mounts: [],
  shmDir: '/shm',
  facts,
  ...change,
});

test('command and args against ENTRYPOINT and CMD, as Kubernetes’ table has them', () => {
  const image = { Entrypoint: ['/ep-1'], Cmd: ['foo', 'bar'] };
  const { command: _, ...plain } = container();
  assert.deepEqual(commandOf(plain, image), ['/ep-1', 'foo', 'bar']);
  assert.deepEqual(commandOf({ ...plain, command: ['/ep-2'] }, image), ['/ep-2']);
  assert.deepEqual(commandOf({ ...plain, args: ['zoo', 'boo'] }, image), ['/ep-1', 'zoo', 'boo']);
  assert.deepEqual(commandOf({ ...plain, command: ['/ep-2'], args: ['zoo'] }, image), ['/ep-2', 'zoo']);
});

test('namespaces: the pod’s are joined, the others are new', () => {
  const of = (change: Partial<ContainerSpecInput>): unknown => containerSpec(input(change)).linux.namespaces;
  assert.deepEqual(of({}), [
    { type: 'mount' },
    { type: 'cgroup' },
    { type: 'network', path: '/proc/42/ns/net' },
    { type: 'uts', path: '/proc/42/ns/uts' },
    { type: 'ipc', path: '/proc/42/ns/ipc' },
    { type: 'pid' },
  ]);
  const node = { ...sandbox, namespaces: { network: 'node', ipc: 'node', pid: 'node' } } as const;
  assert.deepEqual(of({ sandbox: node }), [{ type: 'mount' }, { type: 'cgroup' }]);
  assert.ok(JSON.stringify(of({ targetPid: 7 })).includes('/proc/7/ns/pid'));
});

test('mounts: parents before children, and a volume replaces what would be there', () => {
  const bind = (destination: string) => ({ destination, type: 'bind', source: '/s', options: ['rbind'] });
  const mounts = [bind('/a/b/c'), bind('/dev/shm'), bind('/a')];
  const destinations = containerSpec(input({ mounts })).mounts.map((mount) => mount.destination);
  assert.ok(destinations.indexOf('/a') < destinations.indexOf('/a/b/c'));
  assert.equal(destinations.filter((destination) => destination === '/dev/shm').length, 1);
});

test('a ready filter stands beside the profile, and only for the engine’s own profiles', () => {
  const readyFilter = (): string => 'bpf';
  const own = containerSpec(input({ readyFilter }));
  assert.deepEqual(own.annotations, { 'run.oci.seccomp_bpf_data': 'bpf' });
  assert.ok(own.linux.seccomp !== undefined, 'runc would run unconfined');
  const { security, ...rest } = container({});
  const local = { ...rest, security: { ...security, seccomp: { kind: 'Localhost', path: '/p' } } } as const;
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] };
  assert.deepEqual(containerSpec(input({ config: local, seccomp, readyFilter })).annotations, {});
  const free = { ...rest, security: { ...security, seccomp: { kind: 'Unconfined' } } } as const;
  assert.deepEqual(containerSpec(input({ config: free, readyFilter })).annotations, {});
});

test('no annotation of a user’s reaches the runtime', () => {
  const config = container({
    annotations: { 'run.oci.seccomp_bpf_data': 'AAAA', 'run.oci.handler': 'krun' },
  });
  assert.deepEqual(containerSpec(input({ config })).annotations, {});
});

test('environment: the container’s own wins over the image’s', () => {
  const config = container({ env: [{ name: 'A', value: 'own' }] });
  const { env } = containerSpec(input({ config, image: { Env: ['A=image', 'B=image=too'] } })).process;
  assert.ok(env.includes('A=own') && env.includes('B=image=too') && !env.includes('A=image'));
});

test('out-of-memory scores are never lowered without CAP_SYS_RESOURCE', () => {
  const poor = { ...facts, capabilities: new Set(['CAP_CHOWN']), oomScoreAdj: 100 };
  const config = container({ oomScoreAdj: -997 });
  assert.equal(containerSpec(input({ config, facts: poor })).process.oomScoreAdj, 100);
  assert.equal(containerSpec(input({ config })).process.oomScoreAdj, -997);
  const infra = { config: sandbox, rootfs: '/r', args: ['/pause'], cgroupsPath: '/x' };
  assert.equal(infraSpec({ ...infra, facts: poor }).process.oomScoreAdj, 100);
});

test('capabilities: the default set, drops, additions, and never more than the machine has', () => {
  const all = new Set(CAPABILITIES);
  const wish = { privileged: false, addCapabilities: [], dropCapabilities: [] };
  assert.equal(capabilitiesOf(wish, all).length, 14);
  assert.deepEqual(
    capabilitiesOf({ ...wish, dropCapabilities: ['all'], addCapabilities: ['net_raw'] }, all),
    ['CAP_NET_RAW'],
  );
  assert.deepEqual(capabilitiesOf({ ...wish, privileged: true }, all), CAPABILITIES);
  assert.deepEqual(capabilitiesOf({ ...wish, addCapabilities: ['SYS_ADMIN'] }, new Set(['CAP_CHOWN'])), [
    'CAP_CHOWN',
  ]);
  assert.deepEqual(
    [...availableCapabilities('CapBnd:\t0000000000000003\n')],
    ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'],
  );
});

test('users: names and numbers, groups, home', () => {
  const database = { passwd: 'root:x:0:0::/root:\nweb:x:33:34::/srv:\n', group: 'extra:x:50:web,other\n' };
  const wish = { imageUser: 'web', supplementalGroups: [7] };
  assert.deepEqual(resolveUser(wish, database), { uid: 33, gid: 34, additionalGids: [7, 50], home: '/srv' });
  assert.deepEqual(resolveUser({ ...wish, imageUser: '5:6' }, database), {
    uid: 5,
    gid: 6,
    additionalGids: [7],
    home: '/',
  });
  const strict = { ...wish, supplementalGroupsPolicy: 'Strict' } as const;
  assert.deepEqual(resolveUser(strict, database).additionalGids, [7]);
  assert.equal(resolveUser({ ...wish, runAsUser: 33 }, database).gid, 34);
  assert.equal(resolveUser({ ...wish, runAsGroup: 9 }, database).gid, 9);
  assert.throws(() => resolveUser({ ...wish, imageUser: 'nobody' }, database), { code: 'ConfigFailed' });
});

test('cgroup numbers are the kubelet’s', () => {
  assert.deepEqual([0, 1, 250, 1000].map(cpuShares), [2, 2, 256, 1024]);
  assert.deepEqual([2, 1024, 262144].map(cpuWeight), [1, 39, 10000]);
  assert.deepEqual([1, 500, 2000].map(cpuQuota), [1000, 50000, 200000]);
});

test('the cgroup layout is read off the mounts', () => {
  const v1 = '30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct';
  const v2 = '31 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw';
  const { version, v1: controllers, unified } = cgroupLayout(`${v1}\n${v2}\n`);
  assert.deepEqual(
    [version, controllers.get('cpuacct'), unified],
    ['hybrid', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/unified'],
  );
  assert.equal(cgroupLayout(v1).version, 'v1');
  assert.equal(cgroupLayout('31 29 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw').version, 'v2');
});
