// The command line: which commands and options there are. Each command's own file is loaded when it runs, so that `ps`
// does not wait for what `serve` needs. What touches the machine is handed in by main/.
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import type { Finding } from '../machine/doctor.ts';
import type { ImageStore } from '../machine/machine.ts';
import type { Cli, EngineDirs, ExitCode } from './cli.ts';
import { failureText } from './failure.ts';
import { addLabOptions, type LabFlags, type LabOptions, labOptions } from './lab.ts';
import type { Output } from './lists.ts';
import {
  addClientOptions,
  addDirOptions,
  addServeOptions,
  type ClientOptions,
  type EngineStartOptions,
  parseCount,
  parseCountFrom,
  parseShare,
  parseTimeoutMs,
} from './options.ts';
import { answers, createProcessCli, requireRoot } from './process-cli.ts';

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

const outputOption = (...choices: readonly string[]): Option =>
  new Option('-o, --output <form>', 'form of the list').choices(choices);

/** -A lists all namespaces, which the API takes as none. */
const listNamespace = (options: ClientOptions & { readonly allNamespaces?: true }): string | undefined =>
  options.allNamespaces === true ? undefined : options.namespace;

function addEngineCommands(program: Command, actions: MachineActions): void {
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

  addServeOptions(addNamespace(program.command('up <file...>')), hostname())
    .description('apply manifests (files, directories, - for standard input), follow the pods and their logs')
    .option('-d, --detach', 'end when all pods are ready (0) or cannot become so (1)')
    .option('--timeout <duration>', 'how long --detach waits', parseTimeoutMs, 60_000)
    .action(
      (files: string[], options: EngineStartOptions & ClientOptions & { detach?: true; timeout: number }) =>
        runCommand(async () => {
          const { up } = await import('./up.ts');
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

function addNamespace(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the engine (default: kubeconfig in the data directory)')
    .option('-n, --namespace <name>', 'namespace', 'default');
}

function addRemovalCommands(program: Command): void {
  addClientOptions(program.command('down <file-or-pod...>'))
    .description('stop and remove pods, or everything in manifests, gracefully; ends when they are gone')
    .option('--grace-period <seconds>', "instead of the pods' own", parseCount)
    .option('--timeout <duration>', 'longest wait', parseTimeoutMs, 300_000)
    .action((args: string[], options: ClientOptions & { gracePeriod?: number; timeout: number }) =>
      runCommand(async () => {
        const { down } = await import('./down.ts');
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
        const { rm } = await import('./down.ts');
        return rm(createProcessCli(options), pods, { all: options.all === true, timeoutMs: options.timeout });
      }),
    );
}

function addListCommands(program: Command): void {
  addClientOptions(program.command('ps'))
    .description('list pods')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only with these labels: app=web,tier!=db')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .action((options: ClientOptions & { allNamespaces?: true; selector?: string; output?: Output }) =>
      runCommand(async () => {
        const { ps } = await import('./ps.ts');
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
        const { events } = await import('./events.ts');
        return events(createProcessCli(options), {
          namespace: listNamespace(options),
          pod,
          output: options.output,
        });
      }),
    );
}

type TraceFlags = { readonly all?: true; readonly svg?: string };

function addTraceCommand(program: Command): void {
  addClientOptions(program.command('trace <pod>'))
    .description('show how a pod was started, step by step')
    .option('--all', 'also what came after the start')
    .option('--svg <file>', 'write a picture instead')
    .action((pod: string, options: ClientOptions & TraceFlags) =>
      runCommand(async () => {
        const { trace } = await import('./trace.ts');
        return trace(createProcessCli(options), pod, { all: options.all === true, svg: options.svg });
      }),
    );
}

type LogsFlags = {
  readonly container?: string;
  readonly follow?: true;
  readonly previous?: true;
  readonly timestamps?: true;
  readonly tail?: number;
  readonly since?: number;
};

function addContainerCommands(program: Command): void {
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
        const { logs } = await import('./logs.ts');
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
          const { exec } = await import('./exec.ts');
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

/** Of this data directory, whether or not an engine runs. */
function addImageCommands(program: Command, actions: MachineActions): void {
  const image = program.command('image').description('images of the local store');
  const openStore = (cli: Cli): Promise<ImageStore> => {
    requireRoot('use the image store');
    return actions.openImageStore(cli.dirs);
  };

  addClientOptions(image.command('load <file>'))
    .description('an OCI or Docker archive, or an OCI layout directory')
    .action((file: string, options: ClientOptions) =>
      runCommand(async () => {
        const { imageLoad } = await import('./image.ts');
        const cli = createProcessCli(options);
        return imageLoad(cli, await openStore(cli), file);
      }),
    );

  addClientOptions(image.command('pull <reference>'))
    .description('from a registry')
    .option('--creds <user:password>', 'for a registry that asks')
    .action((reference: string, options: ClientOptions & { creds?: string }) =>
      runCommand(async () => {
        const { imagePull, parseCredentials } = await import('./image.ts');
        const auth = options.creds === undefined ? undefined : parseCredentials(options.creds);
        const cli = createProcessCli(options);
        return imagePull(cli, await openStore(cli), reference, { auth });
      }),
    );

  addClientOptions(image.command('ls'))
    .description('list images')
    .addOption(outputOption('json'))
    .action((options: ClientOptions & { output?: 'json' }) =>
      runCommand(async () => {
        const { imageLs } = await import('./image.ts');
        const cli = createProcessCli(options);
        return imageLs(cli, await openStore(cli), { output: options.output ?? 'table' });
      }),
    );

  addClientOptions(image.command('rm <reference...>'))
    .description('remove images that no pod uses')
    .option('--force', 'without asking an engine whether one does')
    .action((references: string[], options: ClientOptions & { force?: true }) =>
      runCommand(async () => {
        const { imageRm } = await import('./image.ts');
        const cli = createProcessCli(options);
        return imageRm(cli, await openStore(cli), references, { inUse: options.force ? 'remove' : 'refuse' });
      }),
    );
}

type SimulateFlags = {
  readonly trace?: string;
  readonly traceNodes?: string;
  readonly containers: number;
  readonly everyNode: number;
  readonly speedup: number;
  readonly nodes: number;
  readonly pods: number;
  readonly load: number;
  readonly meanDuration: number;
  readonly strategy: string;
  readonly compare?: string;
  readonly scoring: 'LeastAllocated' | 'MostAllocated';
  readonly frameworks: number;
  readonly hoardTimeout: number;
  readonly schedulers: number;
  readonly decisionMs: number;
  readonly taskDecisionMs: number;
  readonly conflicts: 'fine' | 'coarse';
  readonly commits: 'all-or-nothing' | 'incremental';
  readonly envelope: number;
  readonly seed: number;
  readonly output?: 'json';
  readonly html?: string;
};

/** Needs neither an engine nor root. */
function addSimulateCommand(program: Command): void {
  program
    .command('simulate [manifest...]')
    .description('the scheduler on virtual time: nodes and pods of manifests, a trace, or made up')
    .option('--trace <csv>', 'tasks in the openb format; the node list is looked for beside it')
    .option('--trace-nodes <csv>', 'the node list of the trace')
    .option('--containers <n>', 'containers each task of the trace is cut into', parseCountFrom(1), 1)
    .option('--every-node <n>', 'use one node in so many of the trace', parseCountFrom(1), 1)
    .option('--speedup <n>', 'arrivals of the trace come so many times as fast', parseCountFrom(1), 1)
    .option('--nodes <n>', 'nodes to make up', parseCountFrom(1), 1000)
    .option('--pods <n>', 'pods to make up', parseCountFrom(1), 10_000)
    .option('--load <share>', 'share of the cpu that the made-up pods want on average', parseShare, 0.9)
    .option('--mean-duration <duration>', 'of made-up pods', parseTimeoutMs, 600_000)
    .option('--strategy <name>', 'pod, task, hoard, optimistic or alloc', 'pod')
    .option('--compare <names>', 'several strategies on the same input: pod,task,hoard,optimistic,alloc')
    .addOption(
      new Option('--scoring <strategy>', 'which node is best: the emptiest or the fullest')
        .choices(['LeastAllocated', 'MostAllocated'])
        .default('LeastAllocated'),
    )
    .option('--frameworks <n>', 'of hoard: frameworks that get offers', parseCountFrom(1), 4)
    .option('--hoard-timeout <duration>', 'of hoard: how long a part is held', parseTimeoutMs, 300_000)
    .option('--schedulers <n>', 'of optimistic: schedulers side by side', parseCountFrom(1), 4)
    .option('--decision-ms <ms>', 'of optimistic: thinking time per application', parseCount, 100)
    .option('--task-decision-ms <ms>', 'of optimistic: and per container', parseCount, 5)
    .addOption(
      new Option('--conflicts <detection>', 'of optimistic').choices(['fine', 'coarse']).default('fine'),
    )
    .addOption(
      new Option('--commits <kind>', 'of optimistic')
        .choices(['all-or-nothing', 'incremental'])
        .default('all-or-nothing'),
    )
    .option('--envelope <duration>', 'of alloc: how long an empty envelope is kept', parseTimeoutMs, 600_000)
    .option('--seed <n>', 'the same seed gives the same figures', parseCount, 1)
    .option('--html <file>', 'write a report with charts')
    .addOption(outputOption('json'))
    .action((files: string[], flags: SimulateFlags) =>
      runCommand(async () => {
        const { parseStrategies, runSimulate } = await import('./simulate.ts');
        const cli = createProcessCli({ dataDir: '', runDir: '', logDir: '', namespace: 'default' });
        return runSimulate(cli, {
          ...flags,
          files,
          meanDurationMs: flags.meanDuration,
          strategies: parseStrategies(flags.compare ?? flags.strategy),
          strategyOptions: {
            frameworks: flags.frameworks,
            hoardTimeoutMs: flags.hoardTimeout,
            schedulers: flags.schedulers,
            decisionMsPerJob: flags.decisionMs,
            decisionMsPerTask: flags.taskDecisionMs,
            conflictDetection: flags.conflicts,
            commits: flags.commits,
            envelopeMs: flags.envelope,
          },
          output: flags.output ?? 'table',
        });
      }),
    );
}

function addOtherCommands(program: Command, actions: MachineActions): void {
  addClientOptions(program.command('add <pattern> <file>'))
    .description('print the manifest with a sidecar in it: log-collector, proxy, adapter, monitor')
    .option('--name <name>', 'of the pod, when the manifest has several')
    .action((pattern: string, file: string, options: ClientOptions & { name?: string }) =>
      runCommand(async () => {
        const { add } = await import('./add.ts');
        return add(createProcessCli(options), { pattern, file, name: options.name });
      }),
    );

  addClientOptions(program.command('kubeconfig'))
    .description('print where the kubeconfig is: KUBECONFIG=$(podwright kubeconfig) kubectl get pods')
    .option('--raw', 'print its content')
    .action((options: ClientOptions & { raw?: true }) =>
      runCommand(async () => {
        const { kubeconfig } = await import('./kubeconfig.ts');
        return kubeconfig(createProcessCli(options), { show: options.raw ? 'content' : 'path' });
      }),
    );

  addDirOptions(program.command('doctor'))
    .description('what this machine has and lacks, each line with its remedy')
    .addOption(outputOption('json'))
    .action((options: EngineDirs & { output?: 'json' }) =>
      runCommand(async () => {
        const { doctor } = await import('./doctor.ts');
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

/** Wrong usage exits with 2, so that scripts can tell it from a failure. */
export function createProgram(actions: MachineActions): Command {
  const program = new Command('podwright')
    .description(
      'Kubernetes Pods on one Linux machine, with the Kubernetes API in front and no cluster behind',
    )
    .version(actions.version)
    .showHelpAfterError('(podwright --help, or podwright COMMAND --help)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  addEngineCommands(program, actions);
  addRemovalCommands(program);
  addListCommands(program);
  addContainerCommands(program);
  addTraceCommand(program);
  addImageCommands(program, actions);
  addSimulateCommand(program);
  addOtherCommands(program, actions);
  return program;
}
