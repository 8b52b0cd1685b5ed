// What the definitions of commands share: what they need of the machine, how a command is run, options.
import { Option } from 'commander';
import type { Finding } from '../../machine/doctor.ts';
import type { ImageStore } from '../../machine/model/image.ts';
import type { EngineDirs, ExitCode } from '../cli.ts';
import { failureText } from '../failure.ts';
import type { LabOptions } from '../lab.ts';
import type { ClientOptions, EngineStartOptions } from '../options.ts';

/** What the command line needs of the machine; main/ has the real parts. */
export type MachineActions = {
  /** Runs the engine until it is told to end. */
  serve(options: EngineStartOptions): Promise<void>;
  /** Runs an engine with several nodes until it is told to end, and removes it. */
  runLab(options: LabOptions): Promise<void>;
  /** Resolves when the new engine answers; tells where it is. */
  startInBackground(options: EngineStartOptions): Promise<{ readonly pid: number; readonly logPath: string }>;
  openImageStore(dirs: EngineDirs): Promise<ImageStore>;
  examineMachine(dirs: EngineDirs): Promise<readonly Finding[]>;
  readonly version: string;
};

/** Runs one command: its exit code becomes the process's, its error a text and 1. */
export async function runCommand(command: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    process.stderr.write(`${failureText(error)}\n`);
    process.exitCode = 1;
  }
}

export const outputOption = (...choices: readonly string[]): Option =>
  new Option('-o, --output <form>', 'form of the list').choices(choices);

/** -A lists all namespaces, which the API takes as none. */
export const listNamespace = (
  options: ClientOptions & { readonly allNamespaces?: true },
): string | undefined => (options.allNamespaces === true ? undefined : options.namespace);
