// What every network of pods does, whoever sets it up: the pod sees the same, and nothing of it is left.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import type { PortMapping } from '../../src/machine/model/sandbox.ts';
import type { Network } from '../../src/machine/network/network.ts';
import { freePort } from '../lib/ports.ts';
import {
  CONNECT,
  endRig,
  fetchHere,
  hostAddress,
  inside,
  listenIn,
  type Namespace,
  type NetworkRig,
  namespace,
  output,
  signal,
  untilNoPorts,
} from './network-rig.ts';

type Link = {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly family: string;
    readonly prefixlen: number;
    readonly broadcast?: string;
  }[];
};
type Route = {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
  readonly prefsrc?: string;
};

/** What a program in the pod can see of its IPv4 network. */
async function viewOf(netns: string): Promise<object> {
  const links = JSON.parse(await inside(netns, 'ip', '-j', 'address', 'show')) as Link[];
  const routes = JSON.parse(await inside(netns, 'ip', '-j', 'route')) as Route[];
  return {
    links: links.map(({ ifname, flags, mtu, addr_info }) => ({
      ifname,
      isUp: flags.includes('UP'),
      mtu,
      addresses: addr_info
        .filter(({ family }) => family === 'inet')
        .map(({ local, prefixlen, broadcast }) => ({ local, prefixlen, broadcast })),
    })),
    routes: routes.map(({ dst, gateway, dev, prefsrc }) => ({ dst, gateway, dev, prefsrc })),
  };
}

export function networkContract(name: string, make: () => Promise<NetworkRig>): void {
  describe(`${name}: network contract`, () => {
    let net: NetworkRig;
    const namespaces: Namespace[] = [];
    const closers: (() => Promise<void>)[] = [];
    const pod = async (portMappings: readonly PortMapping[] = []): Promise<Namespace> => {
      const made = await namespace(portMappings);
      namespaces.push(made);
      return made;
    };
    beforeEach(async () => {
      net = await make();
    });
    afterEach(async () => {
      for (const close of closers.splice(0)) await close();
      await endRig(net, namespaces.splice(0));
    });
    /** The afterEach's first engine still remembers; let it see what the second one did. */
    const goOnWith = (next: Network): void => {
      net = { ...net, network: next };
    };

    it('gives a namespace lo, one interface, an address and a default route', async () => {
      const a = await pod();
      const [ip] = await net.network.add(a.request, signal);
      const broadcast = net.podCidr.replace(/0\/24$/, '255');
      assert.deepEqual(await viewOf(a.name), {
        links: [
          {
            ifname: 'lo',
            isUp: true,
            mtu: 65536,
            addresses: [{ local: '127.0.0.1', prefixlen: 8, broadcast: undefined }],
          },
          { ifname: 'eth0', isUp: true, mtu: 1500, addresses: [{ local: ip, prefixlen: 24, broadcast }] },
        ],
        routes: [
          { dst: 'default', gateway: net.gateway, dev: 'eth0', prefsrc: undefined },
          { dst: net.podCidr, gateway: undefined, dev: 'eth0', prefsrc: ip },
        ],
      });
    });

    it('lets two pods reach each other and the host, each under a MAC address of its own', async () => {
      const [a, b] = [await pod(), await pod()];
      const [[ipA], [ipB]] = await Promise.all([
        net.network.add(a.request, signal),
        net.network.add(b.request, signal),
      ]);
      assert(ipA !== undefined && ipB !== undefined && ipA !== ipB);
      closers.push(await listenIn(b.name, 8080));
      assert.equal(await inside(a.name, ...CONNECT(ipB, 8080)), `from ${b.name}`);
      assert.equal(await fetchHere(ipB, 8080), `from ${b.name}`);
      const mac = async (of: Namespace): Promise<string> =>
        (JSON.parse(await inside(of.name, 'ip', '-j', 'link', 'show', 'eth0')) as Link[])[0]?.address ?? '';
      const known = JSON.parse(await inside(a.name, 'ip', '-j', 'neigh', 'show', ipB)) as {
        lladdr: string;
      }[];
      assert.equal(known[0]?.lladdr, await mac(b));
      assert.notEqual(await mac(a), await mac(b));
      const server = createServer((socket) => void socket.end('from the host')).listen(0, '0.0.0.0');
      await new Promise((resolve) => server.once('listening', resolve));
      closers.push(() => new Promise((resolve) => server.close(() => resolve())));
      const address = server.address();
      assert(typeof address === 'object' && address !== null);
      assert.equal(await inside(a.name, ...CONNECT(net.gateway, address.port)), 'from the host');
    });

    it('answers on a host port at loopback, at the host address, for a neighbour and for the pod itself, until it is removed', async () => {
      const hostPort = await freePort();
      const [a, neighbour] = [await pod([{ protocol: 'TCP', containerPort: 8080, hostPort }]), await pod()];
      await net.network.add(a.request, signal);
      await net.network.add(neighbour.request, signal);
      closers.push(await listenIn(a.name, 8080));
      assert.equal(await fetchHere('127.0.0.1', hostPort), `from ${a.name}`);
      assert.equal(await fetchHere(hostAddress(), hostPort), `from ${a.name}`);
      assert.equal(await inside(neighbour.name, ...CONNECT(hostAddress(), hostPort)), `from ${a.name}`);
      assert.equal(await inside(a.name, ...CONNECT(hostAddress(), hostPort)), `from ${a.name}`);
      await net.network.remove(a.request);
      await assert.rejects(fetchHere('127.0.0.1', hostPort), /ECONNREFUSED/);
      assert(!(await output('nft', 'list', 'ruleset')).includes(` ${hostPort} `));
    });

    it('leaves no interface, lease or record behind, however often it is removed', async () => {
      const a = await pod();
      await net.network.add(a.request, signal);
      assert.equal((await net.leases()).length, 1);
      await net.network.remove(a.request);
      await net.network.remove(a.request);
      assert.deepEqual(await net.leases(), []);
      assert.deepEqual(await net.records(), []);
      await output('ip', 'netns', 'delete', a.name);
      await untilNoPorts(net.bridge);
    });

    it('removes what never was, and what a dead engine left, also without the namespace', async () => {
      const [never, whole] = [
        await pod(),
        await pod([{ protocol: 'UDP', containerPort: 53, hostPort: await freePort() }]),
      ];
      await net.network.remove(never.request);
      await net.network.add(whole.request, signal);
      await output('ip', 'netns', 'delete', whole.name);
      const next = await net.restarted();
      goOnWith(next);
      const { netnsPath, ...gone } = whole.request;
      assert(netnsPath !== undefined);
      await next.remove(gone);
      assert.deepEqual(await net.leases(), []);
      assert.deepEqual(await net.records(), []);
      await untilNoPorts(net.bridge);
      assert((await readdir('/sys/class/net')).includes(net.bridge), 'the second engine kept the bridge');
    });

    it('gives back what nobody owns, and keeps what somebody does', async () => {
      const [kept, lost] = [await pod(), await pod()];
      const [ip] = await net.network.add(kept.request, signal);
      await net.network.add(lost.request, signal);
      await output('ip', 'netns', 'delete', lost.name);
      const next = await net.restarted();
      goOnWith(next);
      await next.retain(new Set([kept.request.sandboxId]));
      assert.deepEqual(await net.leases(), [ip]);
      assert.deepEqual(await net.records(), [`${kept.request.sandboxId}.json`]);
      assert.match(await inside(kept.name, 'ip', '-o', 'link'), /eth0/);
    });

    it('undoes a set-up that failed half-way', async () => {
      const a = await pod();
      // The name inside is taken: the plug-in and the kernel find out at different points of their work.
      await inside(a.name, 'ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other');
      await assert.rejects(net.network.add(a.request, signal), (error) =>
        isPodwrightError(error, 'NetworkFailed'),
      );
      assert.deepEqual(await net.leases(), []);
      assert.deepEqual(await net.records(), []);
      await untilNoPorts(net.bridge);
    });

    it('never touches a namespace that took over the path of a dead one', async () => {
      const [dead, other] = [await pod(), await pod()];
      await net.network.add(dead.request, signal);
      await net.network.add(other.request, signal);
      await net.network.remove({ ...dead.request, netnsPath: other.request.netnsPath });
      assert.match(await inside(other.name, 'ip', '-o', 'link'), /eth0/);
    });

    it('refuses a host port that another pod or a process has, and leaves nothing', async () => {
      const hostPort = await freePort();
      const mapping: PortMapping = { protocol: 'TCP', containerPort: 80, hostPort };
      const [a, b] = [await pod([mapping]), await pod([{ ...mapping, hostIP: '127.0.0.1' }])];
      await net.network.add(a.request, signal);
      await assert.rejects(net.network.add(b.request, signal), (error) => {
        assert(isPodwrightError(error, 'PortInUse'));
        assert.equal(error.message, `host port 127.0.0.1:${hostPort}/TCP: pod default/${a.name} has it`);
        return true;
      });
      await net.network.remove(a.request);
      const server = createServer().listen(hostPort, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      closers.push(() => new Promise((resolve) => server.close(() => resolve())));
      await assert.rejects(net.network.add(b.request, signal), /a process on this machine listens there/);
      assert.deepEqual(await net.leases(), []);
    });
  });
}
