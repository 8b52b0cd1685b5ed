// What every command gets: where to write, what the terminal can do, how to reach the engine. No command touches the
// process's globals itself, so that tests run them in-process.
import type { Readable, Writable } from 'node:stream';
import type pc from 'picocolors';
import type { Span } from '../base/spans.ts';
import type { NodeApi } from '../client/node-api.ts';
import type { ObjectKey, ResourceApi } from '../client/resource-api.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** Where one engine keeps its things; two engines on one machine differ in all three. */
export type EngineDirs = { readonly dataDir: string; readonly runDir: string; readonly logDir: string };

export type Connection = {
  readonly api: ResourceApi;
  readonly node: Pick<NodeApi, 'logs' | 'exec'>;
  trace(pod: ObjectKey): Promise<readonly Span[]>;
};

export type Cli = {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly isTerminal: boolean;
  readonly colors: Colors;
  readonly dirs: EngineDirs;
  /** --kubeconfig, else the engine's own. */
  readonly kubeconfigPath: string;
  readonly namespace: string;
  /** Throws EngineUnreachable when no engine answers. */
  connect(): Promise<Connection>;
  /** Calls back on each SIGINT or SIGTERM instead of ending the process; returns the undo. */
  onInterrupt(listener: () => void): () => void;
};

/** Exit codes: 0 done, 1 failed, 2 wrong usage; exec and up pass a container's own on. */
export type ExitCode = number;

export function print(cli: Cli, line: string): void {
  cli.stdout.write(`${line}\n`);
}

/** For what a script that reads standard output must not see. */
export function printNote(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`);
}

/** A signal that aborts at the first Ctrl-C, for commands that only wait or follow. */
export function interruptSignal(cli: Cli): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const undo = cli.onInterrupt(() => controller.abort());
  return { signal: controller.signal, [Symbol.dispose]: undo };
}
