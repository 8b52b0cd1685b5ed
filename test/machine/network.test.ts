// The network of pods on the real kernel and the real plug-ins. Needs root.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { PortMapping } from '../../src/machine/model/sandbox.ts';
import { CNI_PLUGIN_DIRS, type CniNetworkOptions } from '../../src/machine/network/cni.ts';
import type { Network } from '../../src/machine/network/network.ts';
import { createPodNetwork } from '../../src/machine/network/pod-network.ts';
import { runProgram } from '../../src/machine/system/spawn.ts';
import { freePort } from '../lib/ports.ts';
import { networkContract } from './network-contract.ts';
import {
  bridgeRig,
  cniRig,
  endRig,
  fetchHere,
  inside,
  listenIn,
  type Namespace,
  type NetworkRig,
  namespace,
  output,
  signal,
} from './network-rig.ts';

networkContract("the engine's own bridge", bridgeRig);
networkContract('CNI plug-ins', cniRig);

describe("the engine's own bridge", () => {
  const rigs: NetworkRig[] = [];
  const namespaces: Namespace[] = [];
  const rig = async (podCidr?: string): Promise<NetworkRig> => {
    const made = await bridgeRig(podCidr === undefined ? {} : { podCidr });
    rigs.push(made);
    return made;
  };
  const pod = async (portMappings: readonly PortMapping[] = []): Promise<Namespace> => {
    const made = await namespace(portMappings);
    namespaces.push(made);
    return made;
  };
  afterEach(async () => {
    const pods = namespaces.splice(0);
    for (const one of rigs.splice(0)) {
      for (const { request } of pods) await one.network.remove(request);
      await one.network.tearDown();
      assert(!existsSync(`/sys/class/net/${one.bridge}`), 'the bridge is left');
      assert(!(await output('nft', 'list', 'tables')).includes(one.bridge.slice(3)), 'the table is left');
      await endRig(one, []);
    }
    for (const { name } of pods) await runProgram('ip', ['netns', 'delete', name]);
  });

  it('says when every address is taken, and goes on when one is free again, whatever still holds its interface', async () => {
    const net = await rig('10.200.252.0/29');
    const pods: Namespace[] = [];
    for (let i = 0; i < 5; i += 1) pods.push(await pod());
    for (const { request } of pods) await net.network.add(request, signal);
    const late = await pod();
    await assert.rejects(
      net.network.add(late.request, signal),
      /every pod address of 10\.200\.252\.0\/29 is taken; .*--pod-cidr/,
    );
    const [, , former] = pods;
    assert(former !== undefined);
    await net.network.remove(former.request);
    // The former pod's namespace is still there, interface and all.
    const [ip] = await net.network.add(late.request, signal);
    closeLater(await listenIn(late.name, 8080));
    assert.equal(await fetchHere(ip ?? '', 8080), `from ${late.name}`);
    assert.doesNotMatch(await inside(former.name, 'ip', '-o', 'link'), /eth0/);
  });

  const closers: (() => Promise<void>)[] = [];
  const closeLater = (close: () => Promise<void>): void => void closers.push(close);
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it('lets an address that was given back rest, also after a restart', async () => {
    const net = await rig();
    const [a, b, c] = [await pod(), await pod(), await pod()];
    const [first] = await net.network.add(a.request, signal);
    await net.network.add(b.request, signal);
    await net.network.remove(a.request);
    const next = await net.restarted();
    const [third] = await next.add(c.request, signal);
    assert.notEqual(third, first);
    await next.remove(c.request);
  });

  it('keeps open host ports over a restart, and makes its rules anew when somebody flushed them', async () => {
    const net = await rig();
    const [one, two] = [await freePort(), await freePort()];
    const a = await pod([{ protocol: 'TCP', containerPort: 8080, hostPort: one, hostIP: '127.0.0.1' }]);
    await net.network.add(a.request, signal);
    closeLater(await listenIn(a.name, 8080));
    await net.restarted();
    assert.equal(await fetchHere('127.0.0.1', one), `from ${a.name}`);
    await output('nft', 'delete', 'table', 'ip', `podwright-${net.bridge.slice(3)}`);
    const b = await pod([{ protocol: 'TCP', containerPort: 8080, hostPort: two }]);
    await net.network.add(b.request, signal);
    closeLater(await listenIn(b.name, 8080));
    assert.equal(await fetchHere('127.0.0.1', one), `from ${a.name}`);
    assert.equal(await fetchHere('127.0.0.1', two), `from ${b.name}`);
  });

  it('turns a UDP flow that went nowhere to the pod that opens the port', async () => {
    const net = await rig();
    const hostPort = await freePort();
    const client = createSocket('udp4').bind(0, '127.0.0.1');
    await new Promise((resolve) => client.once('listening', resolve));
    client.on('error', () => {});
    closeLater(() => new Promise((resolve) => client.close(() => resolve())));
    const say = (): Promise<void> =>
      new Promise((resolve) => client.send('hello', hostPort, '127.0.0.1', () => resolve()));
    await say();
    const a = await pod([{ protocol: 'UDP', containerPort: 5353, hostPort }]);
    const heard = await listenIn(a.name, 5353, 'udp');
    closeLater(heard);
    await net.network.add(a.request, signal);
    const answer = new Promise((resolve) => client.once('message', (text) => resolve(String(text))));
    await say();
    assert.equal(await answer, `from ${a.name}`);
  });

  it('keeps two engines on one machine apart', async () => {
    const [net, other] = [await rig(), await rig('10.200.251.0/24')];
    const [a, b] = [await pod(), await pod()];
    await net.network.add(a.request, signal);
    const [ip] = await other.network.add(b.request, signal);
    assert.match(ip ?? '', /^10\.200\.251\./);
    await other.network.tearDown();
    assert(existsSync(`/sys/class/net/${other.bridge}`), 'a bridge with a pod stays');
    await other.network.remove(b.request);
    await other.network.tearDown();
    assert(!existsSync(`/sys/class/net/${other.bridge}`));
    assert.match(await inside(a.name, 'ip', 'route'), /default/);
    assert((await output('nft', 'list', 'tables')).includes(net.bridge.slice(3)));
  });

  it('removes the pods of an engine that was started with a CNI configuration since', async () => {
    const net = await rig();
    const a = await pod();
    await net.network.add(a.request, signal);
    const dirs = { dataDir: net.dir, runDir: net.dir, logDir: net.dir };
    const instance = net.bridge.slice(3);
    const { podCidr } = net;
    const pluginDirs = CNI_PLUGIN_DIRS;
    const log = silentLog;
    const next = createPodNetwork({ dirs, instance, podCidr, pluginDirs, confDir: '/nowhere', log });
    await next.start();
    await next.remove(a.request);
    assert.deepEqual(await net.leases(), []);
  });
});

describe('CNI configuration of the user', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'podwright-net-conf-'));
  });
  after(() => rm(dir, { recursive: true }));

  const withConfDir = async (
    files: Readonly<Record<string, string>>,
    use: (network: Network, pod: Namespace, confDir: string) => Promise<void>,
    options: Partial<CniNetworkOptions> = {},
  ): Promise<void> => {
    const confDir = await mkdtemp(join(dir, 'net.d-'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(confDir, name), content);
    const state = await mkdtemp(join(dir, 'state-'));
    const dirs = { dataDir: state, runDir: state, logDir: state };
    const instance = randomBytes(4).toString('hex');
    const network = createPodNetwork({
      dirs,
      instance,
      podCidr: '10.200.249.0/24',
      pluginDirs: CNI_PLUGIN_DIRS,
      confDir,
      log: silentLog,
      ...options,
    });
    await network.start();
    const pod = await namespace();
    try {
      await use(network, pod, confDir);
      assert(!existsSync(`/sys/class/net/pw-${instance}`), 'no bridge of ours');
    } finally {
      await network.remove(pod.request);
      await network.tearDown();
      await runProgram('ip', ['netns', 'delete', pod.name]);
    }
  };

  const ptp = (dataDir: string): string =>
    JSON.stringify({
      cniVersion: '0.4.0',
      name: 'mine',
      type: 'ptp',
      ipam: {
        type: 'host-local',
        dataDir,
        ranges: [[{ subnet: '10.200.250.0/24' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    });

  it('takes the first file by name, and undoes with the configuration it added with', async () => {
    const leaseDir = join(dir, 'ptp-leases');
    await withConfDir(
      { '20-other.conf': 'not even JSON', '10-mine.conf': ptp(leaseDir), 'README.txt': '' },
      async (network, pod, confDir) => {
        const [ip] = await network.add(pod.request, signal);
        assert.match(ip ?? '', /^10\.200\.250\./);
        await rm(join(confDir, '10-mine.conf'));
        await network.remove(pod.request);
        assert.deepEqual(
          (await readdir(join(leaseDir, 'mine'))).filter((name) => /^\d/.test(name)),
          [],
        );
      },
    );
  });

  it('says what is wrong with it', async () => {
    const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{}, /no CNI configuration \(\*\.conflist, \*\.conf, \*\.json\) in /],
      [{ 'a.conf': '{' }, /a\.conf: not JSON/],
      [{ 'a.conflist': '{"name":"x","plugins":[]}' }, /a\.conflist: "plugins" is missing or empty/],
      [{ 'a.conf': '{"type":"bridge"}' }, /a\.conf: "name" is missing/],
      [
        { 'a.conf': '{"name":"x","cniVersion":"1.0.0","type":"nosuch"}' },
        /no such plug-in in .*containernetworking-plugins/,
      ],
      [
        { 'a.conf': '{"name":"x","cniVersion":"9.9.9","type":"ptp"}' },
        /CNI ADD ptp for pod default\/pwt-.*(incompatible|unsupported)/i,
      ],
    ];
    for (const [files, message] of cases) {
      await withConfDir(files, async (network, pod) => {
        await assert.rejects(network.add(pod.request, signal), message);
      });
    }
  });

  it('gives up on a hung plug-in within its bound, and other pods do not wait for it', async () => {
    const pluginDir = join(dir, 'plugins');
    await mkdir(pluginDir);
    const hang =
      '#!/bin/sh\ncase "$CNI_ARGS" in *K8S_POD_NAMESPACE=slow*) [ "$CNI_COMMAND" = DEL ] || exec sleep 30;; esac\necho "{}"\n';
    await writeFile(join(pluginDir, 'maybe'), hang);
    await chmod(join(pluginDir, 'maybe'), 0o755);
    const conf = { 'a.conf': JSON.stringify({ cniVersion: '1.0.0', name: 'x', type: 'maybe' }) };
    const options = { pluginDirs: [pluginDir, ...CNI_PLUGIN_DIRS], pluginTimeoutMs: 1000 };
    await withConfDir(
      conf,
      async (network, pod) => {
        const slow = { ...pod.request, sandboxId: 'slow', pod: { ...pod.request.pod, namespace: 'slow' } };
        const order: string[] = [];
        const failing = network.add(slow, signal).catch((error: unknown) => {
          order.push('slow');
          return error;
        });
        await network.add(pod.request, signal);
        order.push('quick');
        assert(isPodwrightError(await failing, 'ProgramTimeout'));
        assert.deepEqual(order, ['quick', 'slow']);
      },
      options,
    );
  });
});

it('refuses a CIDR that is none', () => {
  const dirs = { dataDir: '/x', runDir: '/x', logDir: '/x' };
  for (const podCidr of ['', '10.0.0.0', '10.0.0.0/33', 'fd00::/64', '10.0.0.0/30']) {
    const options = { dirs, instance: 'x', pluginDirs: [], log: silentLog, podCidr };
    assert.throws(() => createPodNetwork(options), /want an IPv4 range like/);
  }
});
