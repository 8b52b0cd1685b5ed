// What the machine itself needs before pods can talk: forwarding, one masquerade rule for the engine's whole CIDR, and the
// host ports as elements of maps, in an nftables table of its own (rules per pod would cost every start and leak one by
// one). Not the pods' interfaces.
//
// Invariant: the table is a function of the engine and of who has which host port; installing it anew changes nothing for
// what is there already.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, isPodwrightError, PodwrightError } from '../../base/errors.ts';
import { readIfExists } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import type { PortMapping } from '../model/sandbox.ts';
import { runProgram, runProgramChecked } from '../system/spawn.ts';
import type { PodService } from './network.ts';

export type HostRules = {
  /** Name of the nftables table and mark of our rules elsewhere: "podwright-<instance>". */
  readonly name: string;
  readonly bridge: string;
  readonly podCidr: string;
  /** Pods on other nodes of the engine, too: they are reached as they are, without masquerade. */
  readonly clusterCidr: string;
  /** Remembers what was changed, over restarts. */
  readonly stateDir: string;
  readonly log: Log;
};

const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';
const rememberedForward = ({ stateDir }: HostRules): string => join(stateDir, 'ip-forward-was-off');

/** The host ports of a pod and where they lead. */
export type HostPorts = { readonly address: string; readonly portMappings: readonly PortMapping[] };

export const isAnyAddress = (hostIP: string | undefined): boolean =>
  hostIP === undefined || hostIP === '' || hostIP === '0.0.0.0';

/** Map and key of a host port, as nft writes them. */
function keyOf({ hostIP, protocol, hostPort }: PortMapping): readonly [map: string, key: string] {
  const port = `${protocol.toLowerCase()} . ${hostPort}`;
  return isAnyAddress(hostIP) ? ['ports', port] : ['address-ports', `${hostIP} . ${port}`];
}

function addElements(name: string, { address, portMappings }: HostPorts): string[] {
  return portMappings.map((mapping) => {
    const [map, key] = keyOf(mapping);
    return `add element ip ${name} ${map} { ${key} : ${address} . ${mapping.containerPort} }`;
  });
}

function addService(name: string, { address, port, target }: PodService): string {
  return `add element ip ${name} services { ${address} . ${port} : ${target.address} . ${target.port} }`;
}

/**
 * Replaces in one transaction what an earlier engine of the same instance left. A pod that reaches itself or a neighbour
 * through a host port, and whoever does so from 127.0.0.1, must be answered through here: their source is replaced. That
 * loopback's addresses are routed to the bridge at all (route_localnet) must not let pods in (CVE-2020-8558); a service
 * leads there for what was addressed to it alone.
 */
function tableScript(
  { name, bridge, podCidr, clusterCidr }: HostRules,
  { ports, services }: Openings,
): string {
  return `
    add table ip ${name}
    delete table ip ${name}
    table ip ${name} {
      map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
      map address-ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
      map services { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
      chain host-ports {
        dnat ip to ip daddr . meta l4proto . th dport map @address-ports
        dnat ip to meta l4proto . th dport map @ports
      }
      chain loopback {
        type filter hook prerouting priority raw; policy accept;
        iifname "${bridge}" ip daddr 127.0.0.0/8 drop
      }
      chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname "${bridge}" meta l4proto tcp dnat ip to ip daddr . tcp dport map @services
        fib daddr type local jump host-ports
      }
      chain output {
        type nat hook output priority -100; policy accept;
        fib daddr type local jump host-ports
      }
      chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr ${podCidr} ip daddr != ${clusterCidr} ip daddr != 224.0.0.0/4 masquerade
        oifname "${bridge}" ip saddr { 127.0.0.0/8, ${podCidr} } ct status dnat masquerade
      }
    }
    ${ports.flatMap((one) => addElements(name, one)).join('\n')}
    ${services.map((one) => addService(name, one)).join('\n')}
`;
}

const nft = (stdin: string): Promise<unknown> => runProgramChecked('nft', ['-f', '-'], { stdin });

/** One transaction: all of them or none. */
export async function openHostPorts({ name }: HostRules, ports: HostPorts): Promise<void> {
  await nft(`${addElements(name, ports).join('\n')}\n`);
}

export async function openService({ name }: HostRules, service: PodService): Promise<void> {
  await nft(`${addService(name, service)}\n`);
}

/** Works also where they were never opened. */
export async function closeHostPorts({ name }: HostRules, { portMappings }: HostPorts): Promise<void> {
  const lines = portMappings.map((mapping) => {
    const [map, key] = keyOf(mapping);
    return `delete element ip ${name} ${map} { ${key} }`;
  });
  try {
    await nft(`${lines.join('\n')}\n`);
  } catch (error) {
    if (!/No such file or directory/.test(errorText(error))) throw error;
  }
}

async function enableForwarding(rules: HostRules): Promise<void> {
  if ((await readFile(IP_FORWARD, 'utf8')).trim() === '1') return;
  await writeFile(rememberedForward(rules), 'net.ipv4.ip_forward was 0 before this engine set it\n');
  try {
    await writeFile(IP_FORWARD, '1');
  } catch (error) {
    throw new PodwrightError(
      'NetworkFailed',
      'turn on net.ipv4.ip_forward, without which pods reach nothing',
      {
        cause: error,
      },
    );
  }
  rules.log.info('turned on net.ipv4.ip_forward; it stays on, because others may rely on it');
}

type Iptables = (args: readonly string[], stdin?: string) => Promise<string>;

/** Older firewalls live behind iptables' names; a machine without them has nothing to undo there. */
const iptables: Iptables = async (args, stdin) => {
  try {
    const { stdout } = await runProgram(args[0] ?? '', args.slice(1), { stdin });
    return stdout;
  } catch (error) {
    if (isPodwrightError(error, 'ProgramMissing')) return '';
    throw error;
  }
};

/**
 * Docker and ufw set the FORWARD policy to DROP, which no accept in a table of ours can overrule: then two rules go into
 * that chain itself, marked as ours.
 */
async function passForwardPolicy(rules: HostRules): Promise<void> {
  const listing = (await iptables(['iptables', '-w', '-S', 'FORWARD'])).split('\n');
  const ours = listing.filter((line) => line.includes(`--comment ${rules.name} `));
  if (!listing.includes('-P FORWARD DROP') || ours.length > 0) return;
  const accept = (direction: '-s' | '-d'): string =>
    `-I FORWARD ${direction} ${rules.podCidr} -m comment --comment ${rules.name} -j ACCEPT`;
  const script = ['*filter', accept('-s'), accept('-d'), 'COMMIT', ''].join('\n');
  await runProgramChecked('iptables-restore', ['-w', '--noflush'], { stdin: script });
  rules.log.info('the FORWARD policy of iptables is DROP: added rules that let the pods through');
}

/** All that is open. */
export type Openings = { readonly ports: readonly HostPorts[]; readonly services: readonly PodService[] };

export async function installHostRules(rules: HostRules, openings: Openings): Promise<void> {
  await enableForwarding(rules);
  await nft(tableScript(rules, openings));
  await passForwardPolicy(rules);
}

/** Deletions of every rule of a chain listing (`iptables-save`) that matches. */
function deletions(saved: string, matches: (rule: string) => boolean): string[] {
  return saved
    .split('\n')
    .flatMap((line) => (line.startsWith('-A ') && matches(line) ? [`-D ${line.slice(3)}`] : []));
}

async function removeForwardRules({ name }: HostRules): Promise<void> {
  const lines = deletions(await iptables(['iptables-save', '-t', 'filter']), (rule) =>
    rule.includes(`--comment ${name} `),
  );
  if (lines.length === 0) return;
  await runProgramChecked('iptables-restore', ['-w', '--noflush'], {
    stdin: ['*filter', ...lines, 'COMMIT', ''].join('\n'),
  });
}

/** The undo of installHostRules; works also where it never ran. */
export async function removeHostRules(rules: HostRules): Promise<void> {
  const { name, log } = rules;
  await nft(`add table ip ${name}\ndelete table ip ${name}\n`);
  await removeForwardRules(rules);
  if ((await readIfExists(rememberedForward(rules))) !== undefined) {
    log.info(
      'net.ipv4.ip_forward was off before and is left on; sysctl -w net.ipv4.ip_forward=0 turns it off',
    );
    await rm(rememberedForward(rules), { force: true });
  }
}
