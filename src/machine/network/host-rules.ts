// What the machine itself needs before pods can talk: forwarding, and one masquerade rule for the engine's whole CIDR in
// an nftables table of its own (rules per pod would cost every start and leak one by one). Not the pods' interfaces.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPodwrightError, PodwrightError } from '../../base/errors.ts';
import { readIfExists } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { runProgram, runProgramChecked } from '../system/spawn.ts';

export type HostRules = {
  /** Name of the nftables table and mark of our rules elsewhere: "podwright-<instance>". */
  readonly name: string;
  readonly bridge: string;
  readonly podCidr: string;
  /** Remembers what was changed, over restarts. */
  readonly stateDir: string;
  readonly log: Log;
};

const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';
const rememberedForward = ({ stateDir }: HostRules): string => join(stateDir, 'ip-forward-was-off');

/** Replaces in one transaction what an earlier engine of the same instance left. */
function masqueradeScript({ name, podCidr }: HostRules): string {
  return `
    add table ip ${name}
    delete table ip ${name}
    table ip ${name} {
      chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr ${podCidr} ip daddr != ${podCidr} ip daddr != 224.0.0.0/4 masquerade
      }
    }`;
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

export async function installHostRules(rules: HostRules): Promise<void> {
  await enableForwarding(rules);
  await runProgramChecked('nft', ['-f', '-'], { stdin: masqueradeScript(rules) });
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

/**
 * portmap leaves its three common chains behind. They are shared by all CNI users of the machine, so they go only while
 * no pod of anybody has a host port; the transaction fails as a whole if one appears meanwhile, and that is fine.
 */
async function removeEmptyPortmapChains(): Promise<void> {
  const saved = await iptables(['iptables-save', '-t', 'nat']);
  if (!saved.includes(':CNI-HOSTPORT-DNAT ') || /^-A CNI-HOSTPORT-DNAT /m.test(saved)) return;
  const chains = ['DNAT', 'SETMARK', 'MASQ']
    .map((part) => `CNI-HOSTPORT-${part}`)
    .filter((chain) => saved.includes(`:${chain} `));
  const jumps = deletions(saved, (rule) => chains.some((chain) => rule.endsWith(`-j ${chain}`)));
  const script = [
    '*nat',
    ...jumps,
    ...chains.filter((chain) => chain !== 'CNI-HOSTPORT-DNAT').map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ];
  await iptables(['iptables-restore', '-w', '--noflush'], script.join('\n'));
}

/** The undo of installHostRules and of the bridge; works also where they never were. */
export async function removeHostRules(rules: HostRules): Promise<void> {
  const { name, bridge, log } = rules;
  await runProgramChecked('nft', ['-f', '-'], { stdin: `add table ip ${name}\ndelete table ip ${name}\n` });
  await removeForwardRules(rules);
  await removeEmptyPortmapChains();
  await runProgram('ip', ['link', 'delete', bridge, 'type', 'bridge']);
  if ((await readIfExists(rememberedForward(rules))) !== undefined) {
    log.info(
      'net.ipv4.ip_forward was off before and is left on; sysctl -w net.ipv4.ip_forward=0 turns it off',
    );
    await rm(rememberedForward(rules), { force: true });
  }
}
