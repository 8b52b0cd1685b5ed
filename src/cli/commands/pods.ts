// Commands about whole pods: ps, events, trace, why, down, rm.
import type { Command } from 'commander';
import type { Output } from '../lists.ts';
import { addClientOptions, type ClientOptions, parseCount, parseTimeoutMs } from '../options.ts';
import { createProcessCli } from '../process-cli.ts';
import { listNamespace, outputOption, runCommand } from './command.ts';

export function addListCommands(program: Command): void {
  addClientOptions(program.command('ps'))
    .description('list pods')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only with these labels: app=web,tier!=db')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .action((options: ClientOptions & { allNamespaces?: true; selector?: string; output?: Output }) =>
      runCommand(async () => {
        const { ps } = await import('../ps.ts');
        const { selector, output } = options;
        return ps(createProcessCli(options), { namespace: listNamespace(options), selector, output });
      }),
    );

  addClientOptions(program.command('events [pod]'))
    .description('list what happened, oldest first')
    .option('-A, --all-namespaces', 'of all namespaces')
    .addOption(outputOption('json', 'yaml', 'name'))
    .action((pod: string | undefined, options: ClientOptions & { allNamespaces?: true; output?: Output }) =>
      runCommand(async () => {
        const { events } = await import('../events.ts');
        return events(createProcessCli(options), {
          namespace: listNamespace(options),
          pod,
          output: options.output,
        });
      }),
    );
}

type TraceFlags = { readonly all?: true; readonly svg?: string };

export function addTraceCommand(program: Command): void {
  addClientOptions(program.command('trace <pod>'))
    .description('show how a pod was started, step by step')
    .option('--all', 'also what came after the start')
    .option('--svg <file>', 'write a picture instead')
    .action((pod: string, options: ClientOptions & TraceFlags) =>
      runCommand(async () => {
        const { trace } = await import('../trace.ts');
        return trace(createProcessCli(options), pod, { all: options.all === true, svg: options.svg });
      }),
    );
}

export function addWhyCommand(program: Command): void {
  addClientOptions(program.command('why <pod>'))
    .description('why a pod has no node, node by node, and what would help; or why it has the one it has')
    .option('--scheduler-config <file>', 'the one that the engine was started with')
    .addOption(outputOption('json'))
    .action((pod: string, options: ClientOptions & { output?: 'json'; schedulerConfig?: string }) =>
      runCommand(async () => {
        const { why } = await import('../why.ts');
        const { output = 'text', schedulerConfig } = options;
        return why(createProcessCli(options), pod, { output, schedulerConfig });
      }),
    );
}

export function addRemovalCommands(program: Command): void {
  addClientOptions(program.command('down <file-or-pod...>'))
    .description('stop and remove pods, or everything in manifests, gracefully; ends when they are gone')
    .option('--grace-period <seconds>', "instead of the pods' own", parseCount)
    .option('--timeout <duration>', 'longest wait', parseTimeoutMs, 300_000)
    .action((args: string[], options: ClientOptions & { gracePeriod?: number; timeout: number }) =>
      runCommand(async () => {
        const { down } = await import('../down.ts');
        return down(createProcessCli(options), args, {
          gracePeriodSeconds: options.gracePeriod,
          timeoutMs: options.timeout,
        });
      }),
    );

  addClientOptions(program.command('rm [pod...]'))
    .description('remove pods at once, without grace')
    .option('--all', 'every pod of the namespace')
    .option('--timeout <duration>', 'longest wait', parseTimeoutMs, 60_000)
    .action((pods: string[], options: ClientOptions & { all?: true; timeout: number }) =>
      runCommand(async () => {
        const { rm } = await import('../down.ts');
        return rm(createProcessCli(options), pods, { all: options.all === true, timeoutMs: options.timeout });
      }),
    );
}
