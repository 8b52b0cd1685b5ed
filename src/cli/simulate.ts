// podwright simulate: the scheduler on virtual time, over a trace, manifests or a generated workload; a table, JSON, and a
// report in one HTML file. Ctrl-C ends it with what there is.
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorText, PodwrightError } from '../base/errors.ts';
import { parseManifest } from '../kube/manifest.ts';
import { DEFAULT_PROFILE, DEFAULT_STRATEGY, type ScoringStrategy } from '../scheduler/profile.ts';
import { conflictSweep } from '../simulator/conflict-sweep.ts';
import { generatedWorkload } from '../simulator/inputs/generator.ts';
import { manifestWorkload } from '../simulator/inputs/manifests.ts';
import { openbWorkload } from '../simulator/inputs/openb.ts';
import type { Outcome } from '../simulator/measurements.ts';
import { figureTable } from '../simulator/report/figures.ts';
import { htmlReport } from '../simulator/report/html.ts';
import { type Progress, simulate } from '../simulator/simulation.ts';
import { STRATEGIES, type StrategyName, type StrategyOptions } from '../simulator/strategy.ts';
import type { Workload } from '../simulator/workload.ts';
import { type Cli, type ExitCode, interruptSignal, print, printNote } from './cli.ts';
import { table } from './table.ts';

export type SimulateOptions = {
  /** Manifests; empty with a trace or a generated workload. */
  readonly files: readonly string[];
  readonly trace?: string | undefined;
  readonly traceNodes?: string | undefined;
  readonly containers: number;
  readonly everyNode: number;
  readonly speedup: number;
  readonly nodes: number;
  readonly pods: number;
  readonly load: number;
  readonly meanDurationMs: number;
  readonly strategies: readonly StrategyName[];
  readonly scoring: ScoringStrategy['type'];
  readonly strategyOptions: Partial<StrategyOptions>;
  readonly seed: number;
  readonly output: 'table' | 'json';
  readonly html?: string | undefined;
};

const NODE_LIST = 'openb_node_list_all_node.csv';

/** @throws InvalidInput for a name that is no strategy. */
export function parseStrategies(text: string): readonly StrategyName[] {
  return text.split(',').map((name) => {
    const known = STRATEGIES.find((one) => one === name.trim());
    if (known !== undefined) return known;
    throw new PodwrightError(
      'InvalidInput',
      `no strategy ${JSON.stringify(name)}; there are ${STRATEGIES.join(', ')}`,
    );
  });
}

async function read(path: string): Promise<{ readonly path: string; readonly content: string }> {
  try {
    return { path, content: await readFile(path, 'utf8') };
  } catch (error) {
    throw new PodwrightError('InvalidInput', `read ${path}: ${errorText(error)}`, { cause: error });
  }
}

async function workloadOf(options: SimulateOptions): Promise<Workload> {
  const {
    files,
    trace,
    traceNodes,
    containers,
    everyNode,
    speedup,
    nodes,
    pods,
    load,
    meanDurationMs,
    seed,
  } = options;
  if (trace !== undefined) {
    const [nodeFile, taskFile] = await Promise.all([
      read(traceNodes ?? join(dirname(trace), NODE_LIST)),
      read(trace),
    ]);
    return openbWorkload({ nodes: nodeFile, tasks: taskFile, containers, everyNode, speedup });
  }
  if (files.length === 0) return generatedWorkload({ nodes, pods, seed, load, meanDurationMs });
  const contents = await Promise.all(files.map(read));
  return manifestWorkload(contents.flatMap(({ path, content }) => parseManifest(content, basename(path))));
}

/** A line that is written over on a terminal; elsewhere progress would only fill a log. */
function progressLine(cli: Cli, strategy: string): (progress: Progress) => void {
  return ({ arrived, apps, placed }) => {
    if (cli.isTerminal)
      cli.stderr.write(`\r\x1b[K${strategy}: ${arrived} of ${apps} arrived, ${placed} placed whole`);
  };
}

export async function runSimulate(cli: Cli, options: SimulateOptions): Promise<ExitCode> {
  const { strategies, strategyOptions, seed, output, html } = options;
  const workload = await workloadOf(options);
  if (workload.nodes.length === 0)
    throw new PodwrightError('InvalidInput', `simulate: ${workload.title}: no nodes`);
  if (workload.apps.length + workload.gated.length === 0)
    throw new PodwrightError('InvalidInput', `simulate: ${workload.title}: no pods`);
  using interrupt = interruptSignal(cli);
  const { signal } = interrupt;
  const profile = {
    ...DEFAULT_PROFILE,
    scoringStrategy: { ...DEFAULT_STRATEGY, type: options.scoring },
  };
  if (output === 'table') printNote(cli, workload.title);
  const outcomes: Outcome[] = [];
  for (const strategy of strategies) {
    if (signal.aborted) break;
    const onProgress = progressLine(cli, strategy);
    outcomes.push(
      await simulate(workload, { strategy, seed, profile, options: strategyOptions, onProgress }, signal),
    );
    if (cli.isTerminal) cli.stderr.write('\r\x1b[K');
  }
  if (output === 'json') print(cli, JSON.stringify({ title: workload.title, seed, outcomes }, null, 2));
  else {
    const { header, rows } = figureTable(outcomes);
    print(cli, table(header, rows));
    const never = outcomes[0]?.neverFit ?? [];
    if (never.length > 0) printNote(cli, `fit on no node, even an empty one: ${never.join(', ')}`);
    if (workload.gated.length > 0)
      printNote(cli, `gated for ever: ${workload.gated.slice(0, 10).join(', ')}`);
    if (signal.aborted) printNote(cli, 'interrupted: the figures up to then');
  }
  if (html === undefined) return 0;
  const sweep = strategies.includes('optimistic') && workload.apps.length <= 100_000;
  const conflicts = sweep
    ? await conflictSweep(workload, { seed, profile, options: strategyOptions }, signal)
    : [];
  await writeFile(html, htmlReport({ title: workload.title, seed, outcomes, conflicts }));
  printNote(cli, `report: ${html}`);
  return 0;
}
