// podwright logs: one container's log, raw.
import { pipeline } from 'node:stream/promises';
import { errnoOf } from '../base/files.ts';
import type { LogOptions } from '../client/node-api.ts';
import { type Cli, type ExitCode, interruptSignal } from './cli.ts';
import { containerOf } from './default-container.ts';

export type LogsOptions = LogOptions & { readonly container?: string | undefined };

/** "pod/web" and "pods/web" mean the pod web, as kubectl allows. */
export function podName(argument: string): string {
  return argument.replace(/^pods?\//, '');
}

export async function logs(cli: Cli, pod: string, options: LogsOptions): Promise<ExitCode> {
  const { container: wanted, ...log } = options;
  const connection = await cli.connect();
  const container = await containerOf(cli, connection, { pod: podName(pod), container: wanted });
  using interrupt = interruptSignal(cli);
  const target = { namespace: cli.namespace, pod: podName(pod), container };
  try {
    const content = await connection.node.logs(target, log, interrupt.signal);
    await pipeline(content, cli.stdout, { end: false, signal: interrupt.signal });
  } catch (error) {
    // Ctrl-C ends -f, and `| head` closes the pipe: both are how one stops reading.
    if (!interrupt.signal.aborted && errnoOf(error) !== 'EPIPE') throw error;
  }
  return 0;
}
