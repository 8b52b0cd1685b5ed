// Commands about no pod that runs: add, kubeconfig, doctor, version.
import type { Command } from 'commander';
import type { EngineDirs } from '../cli.ts';
import { addClientOptions, addDirOptions, type ClientOptions } from '../options.ts';
import { createProcessCli } from '../process-cli.ts';
import { type MachineActions, outputOption, runCommand } from './command.ts';

export function addSettingUpCommands(program: Command, actions: MachineActions): void {
  addClientOptions(program.command('add <pattern> <file>'))
    .description('print the manifest with a sidecar in it: log-collector, proxy, adapter, monitor')
    .option('--name <name>', 'of the pod, when the manifest has several')
    .action((pattern: string, file: string, options: ClientOptions & { name?: string }) =>
      runCommand(async () => {
        const { add } = await import('../add.ts');
        return add(createProcessCli(options), { pattern, file, name: options.name });
      }),
    );

  addClientOptions(program.command('kubeconfig'))
    .description('print where the kubeconfig is: KUBECONFIG=$(podwright kubeconfig) kubectl get pods')
    .option('--raw', 'print its content')
    .action((options: ClientOptions & { raw?: true }) =>
      runCommand(async () => {
        const { kubeconfig } = await import('../kubeconfig.ts');
        return kubeconfig(createProcessCli(options), { show: options.raw ? 'content' : 'path' });
      }),
    );

  addDirOptions(program.command('doctor'))
    .description('what this machine has and lacks, each line with its remedy')
    .addOption(outputOption('json'))
    .action((options: EngineDirs & { output?: 'json' }) =>
      runCommand(async () => {
        const { doctor } = await import('../doctor.ts');
        const cli = createProcessCli({ ...options, namespace: 'default' });
        return doctor(cli, {
          output: options.output ?? 'text',
          examine: () => actions.examineMachine(cli.dirs),
        });
      }),
    );

  program
    .command('version')
    .description('print versions')
    .action(() => void process.stdout.write(`podwright ${actions.version}\nnode ${process.version}\n`));
}
