// podwright lab: what may be said of one on the command line. main/lab.ts runs it.
import { type Command, Option } from 'commander';
import { type LabNode, parseLabNodes } from './lab-nodes.ts';
import { parseListen } from './options.ts';

export type LabOptions = {
  readonly nodes: readonly LabNode[];
  /** Holds all of the lab, and goes with it. */
  readonly dir: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Split among the nodes. */
  readonly podCidr: string;
  /** Archives to load before it is ready. */
  readonly images: readonly string[];
  readonly runtime?: 'crun' | 'runc' | undefined;
  readonly schedulerConfig?: string | undefined;
};

export type LabFlags = Omit<LabOptions, 'nodes' | 'images'> & {
  readonly nodes: string;
  readonly image?: readonly string[];
};

const EXAMPLE = `
Example:
  podwright lab --nodes 'a=1250Mi, b=2Gi cpu=1 pods=20 nvidia.com/gpu=2 label:zone=east taint:dedicated=db:NoSchedule'

A comma ends a node. The first word is its name and memory; what is not said is as large as this computer.`;

export function addLabOptions(command: Command): Command {
  return command
    .requiredOption('--nodes <list>', 'a=1250Mi,b=2Gi; more words of a node stand behind blanks')
    .option('--dir <dir>', 'where it keeps everything; removed at the end', '/var/lib/podwright-lab')
    .option('--image <archive...>', 'images to load')
    .option('--pod-cidr <cidr>', 'addresses of the pods, shared out among the nodes', '10.91.0.0/16')
    .addOption(
      new Option('--listen <host:port>', 'where the API answers (default: a free port)')
        .argParser(parseListen)
        .default({ host: '127.0.0.1', port: 0 }, '127.0.0.1:0'),
    )
    .option('--scheduler-config <file>', 'KubeSchedulerConfiguration: profiles by schedulerName')
    .addOption(new Option('--runtime <name>', 'OCI runtime').choices(['crun', 'runc']))
    .addHelpText('after', EXAMPLE);
}

/** Throws InvalidInput for nodes that do not parse. */
export function labOptions({ nodes, image = [], ...rest }: LabFlags): LabOptions {
  return { ...rest, nodes: parseLabNodes(nodes), images: image };
}
