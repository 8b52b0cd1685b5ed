// Starts `podwright serve` as a process of its own that outlives this one, and waits until it answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PodwrightError } from '../base/errors.ts';
import type { EngineStartOptions } from '../cli/options.ts';
import { flagOf, SETTING_NAMES } from '../kube/kubelet-configuration.ts';

/** What the new engine sends over its IPC channel once it answers. */
export const READY_MESSAGE = 'ready';

export type BackgroundEngine = { readonly pid: number; readonly logPath: string };

function serveArguments(options: EngineStartOptions): string[] {
  const { listen, dataDir, runDir, logDir, nodeName, podCidr, manifests, runtime, cniConfDir } = options;
  const { maxContainerRestartPeriod: restartMs, warmSandboxes, auditLog } = options;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const flags = {
    'data-dir': dataDir,
    'run-dir': runDir,
    'log-dir': logDir,
    listen: `${host}:${listen.port}`,
    'node-name': nodeName,
    'pod-cidr': podCidr,
    manifests,
    runtime,
    'cni-conf-dir': cniConfDir,
    'scheduler-config': options.schedulerConfig,
    'audit-log': auditLog,
    'warm-sandboxes': warmSandboxes === undefined ? undefined : String(warmSandboxes),
    'max-container-restart-period': restartMs === undefined ? undefined : `${restartMs / 1000}s`,
    ...Object.fromEntries(SETTING_NAMES.map((name) => [flagOf(name).flag, options[name]])),
  };
  return Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value]));
}

/** The last thing it said that is not a line of its diary. */
async function lastWords(logPath: string): Promise<string> {
  const lines = (await readFile(logPath, 'utf8')).trim().split('\n');
  return lines.findLast((line) => line.startsWith('error:'))?.slice('error: '.length) ?? lines.at(-1) ?? '';
}

/** Throws the new engine's own reason when it ends before it answers. */
export async function startInBackground(
  program: string,
  options: EngineStartOptions,
): Promise<BackgroundEngine> {
  if (process.getuid?.() !== 0) throw new PodwrightError('NotRoot', 'start an engine: it needs root');
  await mkdir(options.logDir, { recursive: true, mode: 0o700 });
  const logPath = join(options.logDir, 'engine.log');
  const log = await open(logPath, 'w', 0o600);
  const child = spawn(process.execPath, [program, 'serve', ...serveArguments(options)], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();
  const [event] = await Promise.race([
    once(child, 'message').then(() => ['ready'] as const),
    once(child, 'exit').then(() => ['exit'] as const),
  ]);
  if (event === 'exit') {
    throw new PodwrightError(
      'EngineUnreachable',
      `start an engine in the background: ${await lastWords(logPath)} (log: ${logPath})`,
    );
  }
  child.disconnect();
  child.unref();
  return { pid: child.pid ?? 0, logPath };
}
