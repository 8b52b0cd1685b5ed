// Commands about one container of a pod: logs, exec.
import type { Command } from 'commander';
import { addClientOptions, type ClientOptions, parseCount, parseTimeoutMs } from '../options.ts';
import { createProcessCli } from '../process-cli.ts';
import { runCommand } from './command.ts';

type LogsFlags = {
  readonly container?: string;
  readonly follow?: true;
  readonly previous?: true;
  readonly timestamps?: true;
  readonly tail?: number;
  readonly since?: number;
};

export function addContainerCommands(program: Command): void {
  addClientOptions(program.command('logs <pod>'))
    .description("print a container's log")
    .option('-c, --container <name>', 'which container (default: the only one)')
    .option('-f, --follow', 'go on as it grows')
    .option('-p, --previous', 'of the instance before the last restart')
    .option('--tail <lines>', 'only the last lines', parseCount)
    .option('--since <duration>', 'only newer lines: 5s, 2m, 3h', parseTimeoutMs)
    .option('--timestamps', 'begin each line with its time')
    .action((pod: string, options: ClientOptions & LogsFlags) =>
      runCommand(async () => {
        const { logs } = await import('../logs.ts');
        return logs(createProcessCli(options), pod, {
          container: options.container,
          follow: options.follow === true,
          previous: options.previous === true,
          timestamps: options.timestamps === true,
          tailLines: options.tail,
          sinceMs: options.since === undefined ? undefined : Date.now() - options.since,
        });
      }),
    );

  addClientOptions(program.command('exec <pod> <command...>'))
    .description('run a command in a container; its exit code is passed on: podwright exec -it POD -- sh')
    .option('-c, --container <name>', 'which container (default: the only one)')
    .option('-i, --stdin', 'pass standard input on')
    .option('-t, --tty', 'with a terminal')
    .action(
      (
        pod: string,
        command: string[],
        options: ClientOptions & { container?: string; stdin?: true; tty?: true },
      ) =>
        runCommand(async () => {
          const { exec } = await import('../exec.ts');
          const { container } = options;
          return exec(createProcessCli(options), pod, {
            container,
            command,
            stdin: options.stdin === true,
            tty: options.tty === true,
          });
        }),
    );
}
