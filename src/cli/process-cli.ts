// The Cli of a real process: its streams, its signals, its terminal, the engine by HTTP.
import pc from 'picocolors';
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { Cli, Connection } from './cli.ts';
import { type ClientOptions, kubeconfigPathOf } from './options.ts';

const INTERRUPTS = ['SIGINT', 'SIGTERM'] as const;

function onInterrupt(listener: () => void): () => void {
  for (const signal of INTERRUPTS) process.on(signal, listener);
  return () => {
    for (const signal of INTERRUPTS) process.off(signal, listener);
  };
}

/** The HTTP client is loaded here and not before: `podwright --help` needs none. */
async function connect(kubeconfigPath: string): Promise<Connection> {
  const { connectApi, readKubeconfig } = await import('../client/http-client.ts');
  return connectApi(await readKubeconfig(kubeconfigPath));
}

export function createProcessCli({ dataDir, runDir, logDir, kubeconfig, namespace }: ClientOptions): Cli {
  const kubeconfigPath = kubeconfigPathOf({ dataDir, kubeconfig });
  const isTerminal = process.stdout.isTTY === true;
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    isTerminal,
    colors: pc.createColors(pc.isColorSupported && isTerminal),
    dirs: { dataDir, runDir, logDir },
    kubeconfigPath,
    namespace,
    connect: () => connect(kubeconfigPath),
    onInterrupt,
  };
}

/** Whether an engine answers at all; any other failure than that is thrown. */
export async function answers(cli: Cli): Promise<Connection | undefined> {
  try {
    const connection = await cli.connect();
    const { NAMESPACES } = await import('../client/resources.ts');
    await connection.api.list(NAMESPACES, { limit: 1 });
    return connection;
  } catch (error) {
    if (isPodwrightError(error, 'EngineUnreachable')) return undefined;
    throw error;
  }
}

/** For what works on the machine itself; throws NotRoot. */
export function requireRoot(doing: string): void {
  if (process.getuid?.() === 0) return;
  throw new PodwrightError('NotRoot', `${doing}: it needs root`);
}
