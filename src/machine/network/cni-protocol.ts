// One call of one CNI plug-in: environment and standard input in, a result or an error in the plug-in's own words out.
// It keeps nothing; what must be remembered between ADD and DEL is cni.ts's.
// https://www.cni.dev/docs/spec/#section-2-execution-protocol
import { isIP } from 'node:net';
import { delimiter } from 'node:path';
import { errorText, PodwrightError } from '../../base/errors.ts';
import type { PodIdentity } from '../model/pod-identity.ts';
import type { PortMapping } from '../model/sandbox.ts';
import { PROGRAM_PATH, runProgram } from '../system/spawn.ts';
import { type CniNetworkList, type CniPlugin, findPlugin } from './cni-config.ts';

/** The parts of a result the engine reads; the whole is handed on untouched as prevResult. */
export type CniResult = {
  readonly ips?: readonly { readonly address: string }[];
  /** Versions before 0.3.0. */
  readonly ip4?: { readonly ip: string };
  readonly ip6?: { readonly ip: string };
};

/** One interface of one container in one network. */
export type CniAttachment = {
  readonly list: CniNetworkList;
  readonly containerId: string;
  readonly interfaceName: string;
  /** Empty in a DEL whose namespace is gone. */
  readonly netnsPath: string;
  readonly pod: PodIdentity;
  readonly portMappings: readonly PortMapping[];
};

/** How plug-ins are run, whatever they are. */
export type CniRun = {
  readonly pluginDirs: readonly string[];
  /** A hung plug-in costs only its own pod. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

type CniCall = {
  readonly command: 'ADD' | 'DEL';
  readonly plugin: CniPlugin;
  readonly attachment: CniAttachment;
  readonly prevResult: CniResult | undefined;
} & CniRun;

/** Addresses without prefix length, in the order of the result. */
export function addressesOf(result: CniResult): string[] {
  const old = [result.ip4, result.ip6].flatMap((part) => part?.ip ?? []);
  const addresses = result.ips?.map((ip) => ip.address) ?? old;
  return addresses.map((address) => address.split('/')[0] ?? address);
}

/** What a plug-in printed. Throws NetworkFailed where that is no result. */
export function parseCniResult(stdout: string, plugin: string): CniResult {
  const refuse = (why: string): PodwrightError =>
    new PodwrightError('NetworkFailed', `the result of CNI plug-in ${plugin}: ${why}`);
  let result: unknown;
  try {
    result = JSON.parse(stdout);
  } catch (error) {
    throw refuse(errorText(error));
  }
  if (typeof result !== 'object' || result === null) throw refuse('not an object');
  const { ips = [], ip4, ip6 } = result as Partial<Record<keyof CniResult, unknown>>;
  if (!Array.isArray(ips)) throw refuse('"ips" is not a list');
  const addresses: unknown[] = [...ips.map((one) => one?.address), ...[ip4, ip6].flatMap(oldAddress)];
  for (const address of addresses) {
    if (typeof address !== 'string' || isIP(address.split('/')[0] ?? '') === 0)
      throw refuse(`${JSON.stringify(address)} is no address`);
  }
  return result as CniResult;
}

const oldAddress = (part: unknown): unknown[] =>
  part === undefined || part === null ? [] : [(part as { readonly ip?: unknown }).ip];

/** The plug-ins that have work to do: portmap without host ports would only start iptables to find nothing. */
export function pluginsToRun({ list, portMappings }: CniAttachment): readonly CniPlugin[] {
  return list.plugins.filter((plugin) => plugin.type !== 'portmap' || portMappings.length > 0);
}

/** What a plug-in reads: its own part, the list's name and version, what it asked for by capabilities, the result so far. */
function pluginInput({ plugin, attachment, prevResult }: CniCall): object {
  const { capabilities, ...own } = plugin;
  const portMappings = attachment.portMappings.map(({ protocol, hostIP, ...ports }) => ({
    ...ports,
    protocol: protocol.toLowerCase(),
    ...(hostIP === undefined ? {} : { hostIP }),
  }));
  return {
    ...own,
    cniVersion: attachment.list.cniVersion,
    name: attachment.list.name,
    ...(capabilities?.portMappings === true && portMappings.length > 0
      ? { runtimeConfig: { portMappings } }
      : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

function pluginEnvironment({ command, attachment, pluginDirs }: CniCall): Record<string, string> {
  const { pod, containerId, netnsPath, interfaceName } = attachment;
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: containerId,
    K8S_POD_UID: pod.uid,
  };
  return {
    PATH: PROGRAM_PATH,
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netnsPath,
    CNI_IFNAME: interfaceName,
    CNI_ARGS: Object.entries(args)
      .map(([key, value]) => `${key}=${value}`)
      .join(';'),
    CNI_PATH: pluginDirs.join(delimiter),
  };
}

/** {"code", "msg", "details"} on standard output; a plug-in that crashed leaves something else. */
function failureText(stdout: string, stderr: string): string {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string };
    if (msg !== undefined) return details ? `${msg}: ${details}` : msg;
  } catch {
    // Not the protocol's error object: its last words are all there is.
  }
  return (stderr.trim() || stdout.trim() || 'no reason given').split('\n').slice(-3).join(' ');
}

/** Throws ProgramMissing, ProgramTimeout, NetworkFailed with the plug-in's words. */
async function callPlugin(call: CniCall): Promise<string> {
  const { command, plugin, pluginDirs } = call;
  const { namespace, name } = call.attachment.pod;
  const doing = `CNI ${command} ${plugin.type} for pod ${namespace}/${name}`;
  const program = await findPlugin(plugin.type, pluginDirs);
  if (program === undefined) {
    throw new PodwrightError(
      'ProgramMissing',
      `${doing}: no such plug-in in ${pluginDirs.join(', ')}; Debian has the usual ones in containernetworking-plugins`,
    );
  }
  const { exitCode, stdout, stderr } = await runProgram(program, [], {
    env: pluginEnvironment(call),
    stdin: JSON.stringify(pluginInput(call)),
    timeoutMs: call.timeoutMs,
    signal: call.signal,
  });
  if (exitCode === 0) return stdout;
  throw new PodwrightError('NetworkFailed', `${doing}: ${failureText(stdout, stderr)}`);
}

/** Runs the list in order, each plug-in seeing the result of the one before; returns the last one's. */
export async function addAttachment(attachment: CniAttachment, run: CniRun): Promise<CniResult> {
  let result: CniResult | undefined;
  for (const plugin of pluginsToRun(attachment)) {
    const stdout = await callPlugin({ command: 'ADD', plugin, attachment, prevResult: result, ...run });
    // A plug-in that changes nothing may print nothing.
    if (stdout.trim() !== '') result = parseCniResult(stdout, plugin.type);
  }
  return result ?? {};
}

/** Runs the list backwards, on past failures so that one broken plug-in leaks nothing of the others; throws the first. */
export async function deleteAttachment(
  attachment: CniAttachment,
  prevResult: CniResult | undefined,
  run: CniRun,
): Promise<void> {
  const failures: unknown[] = [];
  for (const plugin of [...pluginsToRun(attachment)].reverse()) {
    try {
      await callPlugin({ command: 'DEL', plugin, attachment, prevResult, ...run });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
