// The options that commands share, with their defaults in one place, and the texts that are parsed into values.
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { BOUNDS } from '../base/bounds.ts';
import { isPodwrightError } from '../base/errors.ts';
import { parseDurationMs } from '../kube/age.ts';
import {
  flagOf,
  type KubeletSettings,
  SETTING_NAMES,
  type SettingName,
  settingValue,
} from '../kube/kubelet-configuration.ts';
import type { EngineDirs } from './cli.ts';

export type DirOptions = EngineDirs;
export type ClientOptions = DirOptions & {
  readonly kubeconfig?: string | undefined;
  readonly namespace: string;
};
export type EngineStartOptions = DirOptions &
  KubeletSettings & {
    readonly listen: { readonly host: string; readonly port: number };
    readonly nodeName: string;
    readonly podCidr: string;
    readonly manifests?: string | undefined;
    readonly runtime?: 'crun' | 'runc' | undefined;
    readonly cniConfDir?: string | undefined;
    readonly schedulerConfig?: string | undefined;
    readonly warmSandboxes?: number | undefined;
    readonly auditLog?: string | undefined;
    /** Milliseconds. */
    readonly maxContainerRestartPeriod?: number | undefined;
  };

export function parseListen(text: string): EngineStartOptions['listen'] {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new InvalidArgumentError('want HOST:PORT, for example 127.0.0.1:6443; port 0 takes a free one');
  return { host: match[1] ?? match[2] ?? '', port };
}

export function parseTimeoutMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('want a duration like 90s, 2m or 1h30m');
  return ms;
}

/** KEP-5593: crashLoopBackOff.maxContainerRestartPeriod of the kubelet's configuration. */
function parseRestartPeriodMs(text: string): number {
  const ms = parseTimeoutMs(text);
  if (ms < 1000 || ms > BOUNDS.restartBackoffMsMax) throw new InvalidArgumentError('want 1s to 5m');
  return ms;
}

/** A whole number that is not negative. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('want a whole number');
  return Number(text);
}

/** A whole number from `least` up. */
export function parseCountFrom(least: number): (text: string) => number {
  return (text) => {
    const count = parseCount(text);
    if (count < least) throw new InvalidArgumentError(`want a whole number from ${least} up`);
    return count;
  };
}

/** A number above 0: 0.9, 1.2. */
export function parseShare(text: string): number {
  const share = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || !(share > 0))
    throw new InvalidArgumentError('want a number above 0, such as 0.9');
  return share;
}

/** Two engines on one machine differ in these; the environment variables save typing them. */
export function addDirOptions(command: Command): Command {
  const dir = (flag: string, what: string, variable: string, path: string): Option =>
    new Option(`--${flag} <dir>`, what).env(variable).default(path);
  return command
    .addOption(
      dir(
        'data-dir',
        'what survives a reboot: objects, images, volumes',
        'PODWRIGHT_DATA_DIR',
        '/var/lib/podwright',
      ),
    )
    .addOption(
      dir('run-dir', 'what does not: sandboxes and containers', 'PODWRIGHT_RUN_DIR', '/run/podwright'),
    )
    .addOption(dir('log-dir', 'container logs', 'PODWRIGHT_LOG_DIR', '/var/log/podwright'));
}

export function addApiOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the engine (default: kubeconfig in the data directory)')
    .option('-n, --namespace <name>', 'namespace', 'default');
}

export const addClientOptions = (command: Command): Command => addApiOptions(addDirOptions(command));

/** Checked here and kept as it was written: an engine started in the background is given the same. */
function kubeletOption(name: SettingName): Option {
  const { flag, what, text } = flagOf(name);
  return new Option(`--${flag} <value>`, `${what} (default: ${text === '' ? 'none' : text})`).argParser(
    (given: string) => {
      try {
        settingValue(name, given);
        return given;
      } catch (error) {
        if (!isPodwrightError(error)) throw error;
        throw new InvalidArgumentError(error.message);
      }
    },
  );
}

export function addServeOptions(command: Command, hostname: string): Command {
  for (const name of SETTING_NAMES) command.addOption(kubeletOption(name));
  return addDirOptions(command)
    .addOption(
      new Option('--listen <host:port>', 'where the API answers')
        .argParser(parseListen)
        .default({ host: '127.0.0.1', port: 6443 }, '127.0.0.1:6443'),
    )
    .option('--node-name <name>', 'name of the node', hostname.toLowerCase())
    .option('--pod-cidr <cidr>', 'addresses of the pods', '10.90.0.0/16')
    .option('--manifests <dir>', 'static pods: every manifest in it runs')
    .addOption(
      new Option('--runtime <name>', 'OCI runtime (default: the first that works here)').choices([
        'crun',
        'runc',
      ]),
    )
    .option('--scheduler-config <file>', 'KubeSchedulerConfiguration: profiles by schedulerName')
    .option('--cni-conf-dir <dir>', 'your own CNI configuration instead of the bridge')
    .option('--audit-log <file>', 'who asked the API for what: a JSON line for each request')
    .addOption(
      new Option(
        '--warm-sandboxes <count>',
        `most sandboxes kept ready for pods to come (default: ${BOUNDS.warmSandboxes}); 0 for none`,
      ).argParser(parseCount),
    )
    .addOption(
      new Option('--max-container-restart-period <duration>', 'longest restart back-off, 1s to 5m').argParser(
        parseRestartPeriodMs,
      ),
    );
}

export function kubeconfigPathOf({
  dataDir,
  kubeconfig,
}: {
  readonly dataDir: string;
  readonly kubeconfig?: string | undefined;
}): string {
  return kubeconfig ?? join(dataDir, 'kubeconfig');
}
