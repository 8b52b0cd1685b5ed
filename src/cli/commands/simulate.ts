// simulate and its many options.
import { type Command, Option } from 'commander';
import { parseCount, parseCountFrom, parseShare, parseTimeoutMs } from '../options.ts';
import { createProcessCli } from '../process-cli.ts';
import { outputOption, runCommand } from './command.ts';

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
export function addSimulateCommand(program: Command): void {
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
        const { parseStrategies, runSimulate } = await import('../simulate.ts');
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
