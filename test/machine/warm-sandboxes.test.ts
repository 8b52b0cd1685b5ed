// Sandboxes that were ready before their pod: taken by those that fit, by nobody else, and never left lying about.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sandboxDir } from '../../src/machine/layout.ts';
import type { PodIdentity } from '../../src/machine/model/pod-identity.ts';
import type { SandboxConfig } from '../../src/machine/model/sandbox.ts';
import { isAlive, killAndWait, processName } from '../../src/machine/system/processes.ts';
import { eventually } from '../lib/engine.ts';
import { traces } from '../lib/leaks.ts';
import { freePort } from '../lib/ports.ts';
import { type LinuxRig, makeLinuxRig, untilWarm, warmSandboxes } from './linux-rig.ts';
import {
  containerConfig,
  exit,
  logText,
  machineContract,
  podIdentity,
  sandboxConfig,
} from './machine-contract.ts';

machineContract('the Linux machine with warm sandboxes', () => makeLinuxRig({ warmSandboxes: 2 }));

const never = (): AbortSignal => new AbortController().signal;

const pidIn = (dir: string): number => Number(readFileSync(join(dir, 'pid'), 'utf8'));
const warmPids = (rig: LinuxRig): readonly number[] =>
  warmSandboxes(rig).map((id) => pidIn(join(rig.dirs.runDir, 'warm', id)));
const infraPid = ({ dirs }: LinuxRig, pod: PodIdentity): number => pidIn(sandboxDir(dirs, pod.uid, 0));

describe('warm sandboxes', { timeout: 120_000 }, () => {
  let rig: LinuxRig;
  before(async () => {
    rig = await makeLinuxRig({ warmSandboxes: 2 });
  });
  after(async () => rig.end());

  /** And whether it has the infra container that a warm sandbox had. */
  const startPod = async (name: string, change: Partial<SandboxConfig> = {}) => {
    await untilWarm(rig.parts);
    const ready = warmPids(rig);
    const pod = podIdentity(name);
    await rig.machine.createSandbox({ ...sandboxConfig(pod), ...change }, never());
    return { pod, isWarm: ready.includes(infraPid(rig, pod)) };
  };
  const output = async (pod: PodIdentity, script: string): Promise<string> => {
    const command = ['sh', '-c', script];
    const config = containerConfig(pod, { name: 'main', imageId: rig.imageId, command });
    const id = await rig.machine.createContainer(config, never());
    await rig.machine.startContainer(id);
    await exit(rig.machine, pod, id);
    return logText(rig.machine, id);
  };
  const removed = async (pod: PodIdentity): Promise<void> => {
    await rig.machine.removePod(pod.uid);
    assert.deepEqual(rig.traces(), []);
  };

  test('a pod takes one: hostname, address, shared memory and group are its own', async () => {
    const { pod, isWarm } = await startPod('taker', {
      qosClass: 'Burstable',
      podResources: { pidsLimit: 99 },
    });
    assert.ok(isWarm);
    const [sandbox] = rig.machine.observe(pod.uid).sandboxes;
    assert.ok(sandbox?.state.kind === 'ready');
    const seen = await output(
      pod,
      'hostname; cat /etc/hostname; ip -4 -o addr show eth0; touch /dev/shm/x; echo $?',
    );
    assert.match(seen, /^taker\ntaker\n/);
    assert.ok(seen.includes(`inet ${sandbox.state.ips[0]}/`), seen);
    assert.match(seen, /\n0\n$/);
    const groups = readFileSync(`/proc/${infraPid(rig, pod)}/cgroup`, 'utf8')
      .trim()
      .split('\n');
    const own = `/podwright-${rig.instance}/burstable/pod${pod.uid}/${pod.uid}_0`;
    for (const line of groups) if (line.includes('podwright-')) assert.ok(line.endsWith(own), line);
    assert.ok(groups.some((line) => /\b(memory|)[^:]*:\//.test(line) && line.endsWith(own)));
    assert.ok(!groups.some((line) => line.includes('warm')), groups.join());
    await removed(pod);
  });

  test('a host port leads to it, a shared process namespace is its own', async () => {
    const hostPort = await freePort();
    const { pod, isWarm } = await startPod('asks', {
      namespaces: { network: 'pod', ipc: 'pod', pid: 'pod' },
      portMappings: [{ protocol: 'TCP', containerPort: 80, hostPort, hostIP: '127.0.0.1' }],
    });
    assert.ok(isWarm);
    const command = ['sh', '-c', 'while :; do cat /proc/1/cmdline | nc -l -p 80; done'];
    const config = containerConfig(pod, { name: 'main', imageId: rig.imageId, command });
    await rig.machine.startContainer(await rig.machine.createContainer(config, never()));
    const ask = async (): Promise<string> =>
      Buffer.concat(await connect({ host: '127.0.0.1', port: hostPort, timeout: 1000 }).toArray()).toString();
    const text = await eventually('an answer', () => ask().catch(() => undefined), 10_000);
    assert.match(text, /^\/pause/);
    await removed(pod);
  });

  for (const [what, change] of Object.entries<Partial<SandboxConfig>>({
    'the node’s network': { namespaces: { network: 'node', ipc: 'pod', pid: 'container' } },
    'the node’s IPC': { namespaces: { network: 'pod', ipc: 'node', pid: 'container' } },
    'the node’s processes': { namespaces: { network: 'pod', ipc: 'pod', pid: 'node' } },
    'kernel settings': { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } },
  })) {
    test(`a pod with ${what} does not take one`, async () => {
      const { pod, isWarm } = await startPod('unfit', change);
      assert.equal(isWarm, false);
      await removed(pod);
    });
  }

  test('one that died is not taken', async () => {
    await untilWarm(rig.parts);
    await killAndWait(warmPids(rig));
    const pod = podIdentity('late');
    await rig.machine.createSandbox(sandboxConfig(pod), never());
    const infra = processName(infraPid(rig, pod));
    assert.ok(infra !== undefined && isAlive(infra));
    await removed(pod);
  });

  test('an engine that is killed leaves them to the next, which takes them away', async () => {
    await untilWarm(rig.parts);
    const former = warmPids(rig).map((pid) => processName(pid) ?? assert.fail('it is dead'));
    await rig.crash();
    assert.ok(!former.some(isAlive));
    await untilWarm(rig.parts);
    assert.deepEqual(rig.traces(), []);
  });

  test('there are never more than asked for', async () => {
    await untilWarm(rig.parts);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(warmSandboxes(rig).length, 2);
    assert.equal(readdirSync(join(rig.dirs.runDir, 'warm')).length, 2);
  });
});

test('they are given back for a pod that finds no address', { timeout: 60_000 }, async () => {
  // Six addresses, one of them the bridge's.
  const rig = await makeLinuxRig({ warmSandboxes: 3, podCidr: '10.200.251.0/29' });
  try {
    const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '80' };
    for (const name of ['a', 'b', 'c']) {
      const pod = podIdentity(name);
      await rig.machine.createSandbox({ ...sandboxConfig(pod), sysctls }, never());
    }
    assert.equal(rig.machine.pods().length, 3);
  } finally {
    await rig.end();
  }
});

test('the machine’s end leaves none, and none comes after', { timeout: 60_000 }, async () => {
  const rig = await makeLinuxRig({ warmSandboxes: 2 });
  const where = { dirs: Object.values(rig.dirs), instance: rig.instance };
  assert.ok(traces(where).length > 0);
  await rig.machine.close();
  assert.deepEqual(traces(where), []);
  await rig.end();
});
