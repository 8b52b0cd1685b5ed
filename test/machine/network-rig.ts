// Networks of pods under test, in network namespaces of their own: the engine's own bridge, and the same by CNI plug-ins.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { podUid } from '../../src/base/brand.ts';
import { silentLog } from '../../src/base/log.ts';
import type { PortMapping } from '../../src/machine/model/sandbox.ts';
import { createBridgeNetwork } from '../../src/machine/network/bridge-network.ts';
import { CNI_PLUGIN_DIRS, createCniNetwork } from '../../src/machine/network/cni.ts';
import type { Network } from '../../src/machine/network/network.ts';
import { runProgram, runProgramChecked } from '../../src/machine/system/spawn.ts';

export const signal = new AbortController().signal;

export async function output(program: string, ...args: string[]): Promise<string> {
  return (await runProgramChecked(program, args)).stdout;
}

export const inside = (netns: string, ...command: string[]): Promise<string> =>
  output('ip', 'netns', 'exec', netns, ...command);

/** A pod's namespace as the sandbox code would make it. */
export type Namespace = { readonly name: string; readonly request: Parameters<Network['add']>[0] };

export async function namespace(portMappings: readonly PortMapping[] = []): Promise<Namespace> {
  const name = `pwt-${randomBytes(4).toString('hex')}`;
  await output('ip', 'netns', 'add', name);
  const pod = { uid: podUid(name), namespace: 'default', name };
  return { name, request: { pod, sandboxId: `${name}_0`, netnsPath: `/run/netns/${name}`, portMappings } };
}

/** A network under a directory of its own, and what it leaves on the machine. */
export type NetworkRig = {
  readonly network: Network;
  readonly dir: string;
  readonly bridge: string;
  readonly podCidr: string;
  readonly gateway: string;
  /** A second engine over the same directories, as after kill -9. */
  restarted(): Promise<Network>;
  /** The addresses that are given away, by what is on disk. */
  leases(): Promise<readonly string[]>;
  /** Files that remember sandboxes. */
  records(): Promise<readonly string[]>;
};

export type RigOptions = { readonly podCidr?: string };

type Made = Pick<NetworkRig, 'dir' | 'bridge' | 'podCidr'> & { readonly instance: string };

async function place(options: RigOptions): Promise<Made> {
  const dir = await mkdtemp(join(tmpdir(), 'podwright-net-'));
  const instance = randomBytes(4).toString('hex');
  const podCidr = options.podCidr ?? `10.200.${randomInt(1, 250)}.0/24`;
  return { dir, instance, bridge: `pw-${instance}`, podCidr };
}

async function rigOf(
  made: Made,
  start: () => Promise<Network>,
  leases: NetworkRig['leases'],
  recordDir: string,
): Promise<NetworkRig> {
  const { dir, bridge, podCidr } = made;
  const gateway = podCidr.replace(/0\/\d+$/, '1');
  const records = (): Promise<string[]> => readdir(recordDir);
  return { network: await start(), dir, bridge, podCidr, gateway, restarted: start, leases, records };
}

/** The engine's own. */
export async function bridgeRig(options: RigOptions = {}): Promise<NetworkRig> {
  const made = await place(options);
  const { dir, instance, podCidr } = made;
  const dirs = { dataDir: dir, runDir: dir, logDir: dir };
  const start = async (): Promise<Network> => {
    const network = createBridgeNetwork({ dirs, instance, podCidr, serves: 'new pods', log: silentLog });
    await network.start();
    return network;
  };
  const leaseDir = join(dir, 'network/leases');
  const leases = async (): Promise<string[]> =>
    Promise.all(
      (await readdir(leaseDir)).map(
        async (name) => JSON.parse(await readFile(join(leaseDir, name), 'utf8')).address,
      ),
    );
  return rigOf(made, start, leases, leaseDir);
}

/** The same by the plug-ins that a user's configuration would name. */
export async function cniRig(options: RigOptions = {}): Promise<NetworkRig> {
  const made = await place(options);
  const { dir, bridge, podCidr } = made;
  const confDir = join(dir, 'net.d');
  const leaseDir = join(dir, 'leases');
  await mkdir(confDir);
  await writeFile(join(confDir, 'pods.conflist'), bridgeConfiguration({ bridge, podCidr, leaseDir }));
  const start = async (): Promise<Network> => {
    const dirs = { dataDir: dir, runDir: dir, logDir: dir };
    const network = createCniNetwork({ dirs, confDir, pluginDirs: CNI_PLUGIN_DIRS, log: silentLog });
    await network.start();
    return network;
  };
  const leases = async (): Promise<string[]> =>
    existsSync(join(leaseDir, bridge))
      ? (await readdir(join(leaseDir, bridge))).filter((name) => /^\d/.test(name))
      : [];
  return rigOf(made, start, leases, join(dir, 'cni/results'));
}

type BridgeConfiguration = { readonly bridge: string; readonly podCidr: string; readonly leaseDir: string };

const bridgeConfiguration = ({ bridge, podCidr, leaseDir }: BridgeConfiguration): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: bridge,
    plugins: [
      {
        type: 'bridge',
        bridge,
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: leaseDir,
          ranges: [[{ subnet: podCidr }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', snat: true, capabilities: { portMappings: true } },
    ],
  });

/** Ends what the test made. */
export async function endRig(rig: NetworkRig, namespaces: readonly Namespace[]): Promise<void> {
  for (const { name, request } of namespaces) {
    await rig.network.remove(request);
    await runProgram('ip', ['netns', 'delete', name]);
  }
  await rig.network.tearDown();
  // The user's bridge is the user's.
  await runProgram('ip', ['link', 'delete', rig.bridge]);
  await rm(rig.dir, { recursive: true });
}

/** A server in the namespace that says where it is. */
export async function listenIn(
  netns: string,
  port: number,
  protocol: 'tcp' | 'udp' = 'tcp',
): Promise<() => Promise<void>> {
  const text = `'from ${netns}'`;
  const up = "()=>console.log('up')";
  const program =
    protocol === 'tcp'
      ? `require('net').createServer(s=>s.end(${text})).listen(${port},'0.0.0.0',${up})`
      : `const s=require('dgram').createSocket('udp4').bind(${port},${up});s.on('message',(_,from)=>s.send(${text},from.port,from.address))`;
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

export const CONNECT = (host: string, port: number): string[] => [
  process.execPath,
  '-e',
  `const s=require('net').connect({host:'${host}',port:${port},timeout:30000});s.pipe(process.stdout);s.on('timeout',()=>{s.destroy(new Error('timeout'))})`,
];
export const fetchHere = async (host: string, port: number): Promise<string> =>
  Buffer.concat(await connect({ host, port, timeout: 30_000 }).toArray()).toString();

export const hostAddress = (): string => {
  const external = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(
      ({ internal, family, address }) => !internal && family === 'IPv4' && !address.startsWith('10.200.'),
    );
  assert(external !== undefined, 'this machine has no address but loopback');
  return external.address;
};

const ports = (bridge: string): Promise<string[]> => readdir(`/sys/class/net/${bridge}/brif`);

/** A dead namespace's interfaces go a moment after it, without anybody being told. */
export async function untilNoPorts(bridge: string): Promise<void> {
  const untilMs = Date.now() + 60_000;
  while ((await ports(bridge)).length > 0) {
    assert(Date.now() < untilMs, `ports are left on ${bridge}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
