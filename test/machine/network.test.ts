// The CNI network on the real plug-ins, in network namespaces of its own. Needs root.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { podUid } from '../../src/base/brand.ts';
import { isPodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { PortMapping } from '../../src/machine/machine.ts';
import {
  CNI_PLUGIN_DIRS,
  type CniNetwork,
  type CniNetworkOptions,
  createCniNetwork,
} from '../../src/machine/network/cni.ts';
import { runProgram, runProgramChecked } from '../../src/machine/system/spawn.ts';

const signal = new AbortController().signal;

async function output(program: string, ...args: string[]): Promise<string> {
  return (await runProgramChecked(program, args)).stdout;
}

const inside = (netns: string, ...command: string[]): Promise<string> =>
  output('ip', 'netns', 'exec', netns, ...command);

/** A pod's namespace as the sandbox code would make it. */
type Namespace = { readonly name: string; readonly request: Parameters<CniNetwork['add']>[0] };

async function namespace(portMappings: readonly PortMapping[] = []): Promise<Namespace> {
  const name = `pwt-${randomBytes(4).toString('hex')}`;
  await output('ip', 'netns', 'add', name);
  const pod = { uid: podUid(name), namespace: 'default', name };
  return { name, request: { pod, sandboxId: `${name}_0`, netnsPath: `/run/netns/${name}`, portMappings } };
}

/** An instance under a directory of its own, with what it leaves on the machine. */
type Instance = {
  readonly network: CniNetwork;
  readonly options: CniNetworkOptions;
  readonly bridge: string;
  readonly gateway: string;
  readonly dir: string;
  /** A second engine over the same directories, as after kill -9. */
  restarted(): Promise<CniNetwork>;
};

async function instance(overrides: Partial<CniNetworkOptions> = {}): Promise<Instance> {
  const dir = await mkdtemp(join(tmpdir(), 'podwright-net-'));
  const name = randomBytes(4).toString('hex');
  const third = randomInt(1, 250);
  const options = {
    dirs: { dataDir: dir, runDir: dir, logDir: dir },
    instance: name,
    podCidr: `10.200.${third}.0/24`,
    pluginDirs: CNI_PLUGIN_DIRS,
    log: silentLog,
    ...overrides,
  };
  const start = async (): Promise<CniNetwork> => {
    const network = createCniNetwork(options);
    await network.start();
    return network;
  };
  const network = await start();
  return { network, options, bridge: `pw-${name}`, gateway: `10.200.${third}.1`, dir, restarted: start };
}

async function listenIn(netns: string, port: number): Promise<() => Promise<void>> {
  const program = `require('net').createServer(s=>s.end('from ${netns}')).listen(${port},'0.0.0.0',()=>console.log('up'))`;
  const child = spawn('ip', ['netns', 'exec', netns, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
}

const CONNECT = (host: string, port: number): string[] => [
  process.execPath,
  '-e',
  `const s=require('net').connect({host:'${host}',port:${port},timeout:3000});s.pipe(process.stdout);s.on('timeout',()=>{s.destroy(new Error('timeout'))})`,
];
const fetchHere = async (host: string, port: number): Promise<string> =>
  Buffer.concat(await connect({ host, port, timeout: 3000 }).toArray()).toString();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert(typeof address === 'object' && address !== null);
  return address.port;
}

const hostAddress = (): string => {
  const external = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(
      ({ internal, family, address }) => !internal && family === 'IPv4' && !address.startsWith('10.200.'),
    );
  assert(external !== undefined, 'this machine has no address but loopback');
  return external.address;
};

const ports = (bridge: string): Promise<string[]> => readdir(`/sys/class/net/${bridge}/brif`);
const leases = async ({ dir, bridge }: Instance): Promise<string[]> => {
  const leaseDir = join(dir, 'cni/leases', bridge);
  return existsSync(leaseDir) ? (await readdir(leaseDir)).filter((name) => /^\d/.test(name)) : [];
};
/** iptables rules that name a sandbox. */
const rulesOf = async (text: string): Promise<string[]> =>
  (await output('iptables-save')).split('\n').filter((line) => line.includes(text));

describe('CNI network', () => {
  let net: Instance;
  const namespaces: Namespace[] = [];
  const pod = async (portMappings: readonly PortMapping[] = []): Promise<Namespace> => {
    const made = await namespace(portMappings);
    namespaces.push(made);
    return made;
  };
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    net = await instance();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    for (const { name, request } of namespaces.splice(0)) {
      await net.network.remove(request);
      await runProgram('ip', ['netns', 'delete', name]);
    }
    await net.network.tearDown();
    await rm(net.dir, { recursive: true });
    assert(!existsSync(`/sys/class/net/${net.bridge}`), 'the bridge is left');
    assert(!(await output('nft', 'list', 'tables')).includes(net.options.instance), 'the table is left');
  });

  it('gives a namespace lo, one interface, an address and a default route', async () => {
    const a = await pod();
    const [ip] = await net.network.add(a.request, signal);
    const links = JSON.parse(await inside(a.name, 'ip', '-j', 'address', 'show')) as {
      ifname: string;
      flags: string[];
      address: string;
      addr_info: { local: string; family: string }[];
    }[];
    assert.deepEqual(links.map(({ ifname }) => ifname).sort(), ['eth0', 'lo']);
    assert(links.every(({ flags }) => flags.includes('UP')));
    const eth0 = links.find(({ ifname }) => ifname === 'eth0');
    assert.equal(eth0?.addr_info.find(({ family }) => family === 'inet')?.local, ip);
    const record = JSON.parse(
      await readFile(join(net.dir, 'cni/results', `${a.request.sandboxId}.json`), 'utf8'),
    );
    assert.equal(
      record.result.interfaces.find(({ sandbox }: { sandbox?: string }) => sandbox)?.mac,
      eth0?.address,
    );
    const routes = JSON.parse(await inside(a.name, 'ip', '-j', 'route')) as {
      dst: string;
      gateway?: string;
    }[];
    assert.equal(routes.find(({ dst }) => dst === 'default')?.gateway, net.gateway);
  });

  it('lets two pods reach each other and the host', async () => {
    const [a, b] = [await pod(), await pod()];
    const [[ipA], [ipB]] = await Promise.all([
      net.network.add(a.request, signal),
      net.network.add(b.request, signal),
    ]);
    assert(ipA !== undefined && ipB !== undefined && ipA !== ipB);
    closers.push(await listenIn(b.name, 8080));
    assert.equal(await inside(a.name, ...CONNECT(ipB, 8080)), `from ${b.name}`);
    assert.equal(await fetchHere(ipB, 8080), `from ${b.name}`);
    const server: Server = createServer((socket) => void socket.end('from the host')).listen(0, '0.0.0.0');
    await new Promise((resolve) => server.once('listening', resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const address = server.address();
    assert(typeof address === 'object' && address !== null);
    assert.equal(await inside(a.name, ...CONNECT(net.gateway, address.port)), 'from the host');
  });

  it('answers on a host port at loopback, at the host address and for the pod itself, until it is removed', async () => {
    const hostPort = await freePort();
    const a = await pod([{ protocol: 'TCP', containerPort: 8080, hostPort }]);
    await net.network.add(a.request, signal);
    closers.push(await listenIn(a.name, 8080));
    assert.equal(await fetchHere('127.0.0.1', hostPort), `from ${a.name}`);
    assert.equal(await fetchHere(hostAddress(), hostPort), `from ${a.name}`);
    assert.equal(await inside(a.name, ...CONNECT(hostAddress(), hostPort)), `from ${a.name}`);
    assert.notDeepEqual(await rulesOf(a.request.sandboxId), []);
    await net.network.remove(a.request);
    assert.deepEqual(await rulesOf(a.request.sandboxId), []);
    await assert.rejects(fetchHere('127.0.0.1', hostPort), /ECONNREFUSED/);
  });

  it('leaves no veth, lease, rule or record behind, however often it is removed', async () => {
    const before = await output('nft', 'list', 'ruleset');
    const a = await pod();
    await net.network.add(a.request, signal);
    assert.equal((await ports(net.bridge)).length, 1);
    assert.equal((await leases(net)).length, 1);
    await net.network.remove(a.request);
    await net.network.remove(a.request);
    assert.deepEqual(await ports(net.bridge), []);
    assert.deepEqual(await leases(net), []);
    assert.deepEqual(await readdir(join(net.dir, 'cni/results')), []);
    const own = (ruleset: string): string =>
      ruleset.slice(ruleset.indexOf(`table ip podwright-${net.options.instance}`)).split('\n}')[0] ?? '';
    assert.equal(own(await output('nft', 'list', 'ruleset')), own(before));
  });

  it('removes what never was, and what a dead engine left, also without the namespace', async () => {
    const [never, whole, half] = [
      await pod(),
      await pod([{ protocol: 'UDP', containerPort: 53, hostPort: await freePort() }]),
      await pod(),
    ];
    await net.network.remove(never.request);
    await net.network.add(whole.request, signal);
    await net.network.add(half.request, signal);
    // As if the engine had died between the plug-ins and the second write of the record.
    const recordPath = join(net.dir, 'cni/results', `${half.request.sandboxId}.json`);
    const { result, ...begun } = JSON.parse(await readFile(recordPath, 'utf8'));
    assert(result !== undefined);
    await writeFile(recordPath, JSON.stringify(begun));
    await output('ip', 'netns', 'delete', whole.name);

    const next = await net.restarted();
    const { netnsPath, ...gone } = whole.request;
    await next.remove(gone);
    await next.remove(half.request);
    assert.deepEqual(await leases(net), []);
    assert.deepEqual(await rulesOf(whole.request.sandboxId), []);
    assert.deepEqual(await ports(net.bridge), []);
    assert(existsSync(`/sys/class/net/${net.bridge}`), 'start of the second engine kept the bridge');
    assert.deepEqual(await inside(half.name, 'ip', '-o', 'link', 'show', 'type', 'veth'), '');
    assert(netnsPath !== undefined);
    await readyAgain(net, next);
  });

  /** The afterEach's first engine still remembers; let it see what the second one did. */
  const readyAgain = async (of: Instance, next: CniNetwork): Promise<void> => {
    net = { ...of, network: next };
  };

  it('gives back what nobody owns', async () => {
    const [kept, lost] = [await pod(), await pod()];
    await net.network.add(kept.request, signal);
    await net.network.add(lost.request, signal);
    await writeFile(join(net.dir, 'cni/results', 'cut-off.json'), '');
    await writeFile(
      join(net.dir, 'cni/leases', net.bridge, net.gateway.replace(/1$/, '77')),
      'cut-off\r\neth0',
    );
    await output('ip', 'netns', 'delete', lost.name);
    const next = await net.restarted();
    await next.removeUnowned(new Set([kept.request.sandboxId]));
    assert.equal((await leases(net)).length, 1);
    assert.deepEqual(await readdir(join(net.dir, 'cni/results')), [`${kept.request.sandboxId}.json`]);
    await readyAgain(net, next);
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
    assert.deepEqual(await leases(net), []);
  });

  it('says when every address is taken, and goes on when one is free again', async () => {
    await net.network.tearDown();
    await rm(net.dir, { recursive: true });
    net = await instance({ podCidr: '10.200.252.0/29' });
    const pods: Namespace[] = [];
    for (let i = 0; i < 5; i += 1) pods.push(await pod());
    for (const { request } of pods) await net.network.add(request, signal);
    const late = await pod();
    await assert.rejects(
      net.network.add(late.request, signal),
      /every pod address of 10\.200\.252\.0\/29 is taken; .*--pod-cidr/,
    );
    await net.network.remove(pods[2]?.request ?? late.request);
    assert.deepEqual((await net.network.add(late.request, signal)).length, 1);
  });

  it('keeps two engines on one machine apart', async () => {
    const other = await instance({ podCidr: '10.200.251.0/24' });
    const [a, b] = [await pod(), await namespace()];
    try {
      await net.network.add(a.request, signal);
      const [ip] = await other.network.add(b.request, signal);
      assert.match(ip ?? '', /^10\.200\.251\./);
      await other.network.tearDown();
      assert(existsSync(`/sys/class/net/${other.bridge}`), 'a bridge with a pod stays');
      await other.network.remove(b.request);
      await other.network.tearDown();
      assert(!existsSync(`/sys/class/net/${other.bridge}`));
      assert.match(await inside(a.name, 'ip', 'route'), /default/);
      assert((await output('nft', 'list', 'tables')).includes(net.options.instance));
    } finally {
      await runProgram('ip', ['netns', 'delete', b.name]);
      await rm(other.dir, { recursive: true, force: true });
    }
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
    use: (net: Instance, pod: Namespace, confDir: string) => Promise<void>,
    options: Partial<CniNetworkOptions> = {},
  ): Promise<void> => {
    const confDir = await mkdtemp(join(dir, 'net.d-'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(confDir, name), content);
    const net = await instance({ confDir, ...options });
    const pod = await namespace();
    try {
      await use(net, pod, confDir);
    } finally {
      await net.network.remove(pod.request);
      await net.network.tearDown();
      await runProgram('ip', ['netns', 'delete', pod.name]);
      await rm(net.dir, { recursive: true });
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
      async (net, pod, confDir) => {
        const [ip] = await net.network.add(pod.request, signal);
        assert.match(ip ?? '', /^10\.200\.250\./);
        assert(!existsSync(`/sys/class/net/${net.bridge}`), 'no bridge of ours');
        await rm(join(confDir, '10-mine.conf'));
        await net.network.remove(pod.request);
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
      await withConfDir(files, async (net, pod) => {
        await assert.rejects(net.network.add(pod.request, signal), message);
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
      async (net, pod) => {
        const slow = { ...pod.request, sandboxId: 'slow', pod: { ...pod.request.pod, namespace: 'slow' } };
        const order: string[] = [];
        const failing = net.network.add(slow, signal).catch((error: unknown) => {
          order.push('slow');
          return error;
        });
        await net.network.add(pod.request, signal);
        order.push('quick');
        assert(isPodwrightError(await failing, 'ProgramTimeout'));
        assert.deepEqual(order, ['quick', 'slow']);
      },
      options,
    );
  });
});

it('refuses a CIDR that is none', () => {
  const options = {
    dirs: { dataDir: '/x', runDir: '/x', logDir: '/x' },
    instance: 'x',
    pluginDirs: [],
    log: silentLog,
  };
  for (const podCidr of ['', '10.0.0.0', '10.0.0.0/33', 'fd00::/64', '10.0.0.0/30']) {
    assert.throws(() => createCniNetwork({ ...options, podCidr }), /want an IPv4 range like/);
  }
});
