// serve, lab and up: the commands that may start an engine.
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { addLabOptions, type LabFlags, labOptions } from '../lab.ts';
import {
  addApiOptions,
  addServeOptions,
  type ClientOptions,
  type EngineStartOptions,
  parseTimeoutMs,
} from '../options.ts';
import { answers, createProcessCli, requireRoot } from '../process-cli.ts';
import { type MachineActions, runCommand } from './command.ts';

export function addEngineCommands(program: Command, actions: MachineActions): void {
  addServeOptions(program.command('serve'), hostname())
    .description('run the engine in the foreground; its containers outlive it')
    .action((options: EngineStartOptions) =>
      runCommand(async () => {
        await actions.serve(options);
        return 0;
      }),
    );

  addLabOptions(program.command('lab'))
    .description('an engine with several nodes on this computer; Ctrl-C removes all of it')
    .action((flags: LabFlags) =>
      runCommand(async () => {
        const options = labOptions(flags);
        requireRoot('start a lab');
        await actions.runLab(options);
        return 0;
      }),
    );

  addServeOptions(addApiOptions(program.command('up <file...>')), hostname())
    .description('apply manifests (files, directories, - for standard input), follow the pods and their logs')
    .option('-d, --detach', 'end when all pods are ready (0) or cannot become so (1)')
    .option('--timeout <duration>', 'how long --detach waits', parseTimeoutMs, 60_000)
    .action(
      (files: string[], options: EngineStartOptions & ClientOptions & { detach?: true; timeout: number }) =>
        runCommand(async () => {
          const { up } = await import('../up.ts');
          const cli = createProcessCli(options);
          const connectOrStart = async () => {
            const running = await answers(cli);
            if (running !== undefined) return running;
            const { pid, logPath } = await actions.startInBackground(options);
            cli.stderr.write(
              `engine started in the background: process ${pid}, log ${logPath}; kill ${pid} ends it, pods stay\n`,
            );
            return cli.connect();
          };
          return up(cli, files, {
            mode: options.detach ? 'detached' : 'attached',
            timeoutMs: options.timeout,
            connectOrStart,
          });
        }),
    );
}
