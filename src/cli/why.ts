// podwright why: for each node what stands in the way of a pod and what would help; for a pod that has its node, what spoke
// for it. The scheduler's own rules over what the API says now.
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STORAGE_CLASSES,
} from '../client/resources.ts';
import type { Pod } from '../kube/api-types.ts';
import { type Explanation, explain, type NodeExplanation } from '../scheduler/explain.ts';
import { type Remedy, remedyText } from '../scheduler/remedy.ts';
import { type Cli, type ExitCode, print } from './cli.ts';
import { podName } from './logs.ts';
import { readProfiles } from './scheduler-config.ts';
import { table } from './table.ts';

export type WhyOptions = {
  readonly output: 'text' | 'json';
  /** The engine's, where it was given one. */
  readonly schedulerConfig?: string | undefined;
};

/** More rows nobody reads; -o json has all. */
const ROWS_MAX = 40;

type Names = (uid: string) => string;

const allOf = (remedies: readonly Remedy[], names: Names): string =>
  remedies.map((remedy) => remedyText(remedy, names)).join('; and ');

function headline(pod: string, { verdict, nodes }: Explanation): string {
  switch (verdict.state) {
    case 'scheduled': {
      const { node } = verdict;
      const own = nodes.find((one) => one.node === node);
      const as =
        own === undefined
          ? 'which is not there any more'
          : own.fits
            ? 'as it would choose among the nodes now:'
            : 'where it would not fit if it came again now:';
      return `${pod} is on node ${node}, ${as}`;
    }
    case 'waiting':
      return `${pod} waits for a node: ${verdict.message ?? 'it fits now, and its turn comes'}`;
    case 'ended':
      return `${pod} has ended (${verdict.phase}) and needs no node; if it came again:`;
    case 'gated':
      return `${pod} waits for its scheduling gates to be lifted: ${verdict.gates.join(', ')}; then:`;
    case 'not ours':
      return `${pod} is left to the scheduler ${verdict.schedulerName}; by the rules of this one:`;
  }
}

function row(one: NodeExplanation, names: Names): readonly string[] {
  if (!one.fits) {
    const why = one.objections.flatMap(({ reasons }) => reasons).join(', ');
    return [one.node, 'no', why, one.remedies === null ? 'nothing' : allOf(one.remedies, names)];
  }
  const parts = Object.entries(one.scores).map(([plugin, score]) => `${plugin} ${score}`);
  return [one.node, 'yes', `score ${one.score}: ${parts.join(', ')}`];
}

export function whyText(pod: string, explanation: Explanation, names: Names): string {
  const { nodes, smallestChange } = explanation;
  const shown = nodes.slice(0, ROWS_MAX).map((one) => row(one, names));
  const isWaiting = nodes.some(({ fits }) => !fits);
  const header = ['NODE', 'FITS', 'WHY', ...(isWaiting ? ['WHAT WOULD HELP'] : [])];
  return [
    headline(pod, explanation),
    ...(nodes.length === 0 ? ['there are no nodes'] : [table(header, shown)]),
    ...(nodes.length > ROWS_MAX ? [`... and ${nodes.length - ROWS_MAX} more nodes; -o json shows all`] : []),
    ...(smallestChange === undefined
      ? []
      : [`smallest change, for node ${smallestChange.node}: ${allOf(smallestChange.remedies, names)}`]),
  ].join('\n');
}

const nameOf = ({ metadata }: Pod): string => `${metadata?.namespace}/${metadata?.name}`;

export async function why(cli: Cli, name: string, options: WhyOptions): Promise<ExitCode> {
  const { api } = await cli.connect();
  const key = { namespace: cli.namespace, name: podName(name) };
  const pod = await api.get(PODS, key);
  const [nodes, pods, namespaces, claims, volumes, classes] = await Promise.all([
    api.list(NODES),
    api.list(PODS),
    api.list(NAMESPACES),
    api.list(PERSISTENT_VOLUME_CLAIMS),
    api.list(PERSISTENT_VOLUMES),
    api.list(STORAGE_CLASSES),
  ]);
  const snapshot = {
    nodes: nodes.items,
    pods: pods.items,
    namespaces: namespaces.items,
    storage: [
      ...claims.items.map((object) => ({ kind: 'claim', object }) as const),
      ...volumes.items.map((object) => ({ kind: 'volume', object }) as const),
      ...classes.items.map((object) => ({ kind: 'class', object }) as const),
    ],
  };
  const explanation = explain(pod, snapshot, await readProfiles(options.schedulerConfig));
  if (options.output === 'json') {
    print(cli, JSON.stringify({ pod: key, ...explanation }, null, 2));
    return 0;
  }
  const names = new Map(pods.items.map((one) => [one.metadata?.uid ?? '', nameOf(one)]));
  print(
    cli,
    whyText(nameOf(pod), explanation, (uid) => names.get(uid) ?? uid),
  );
  return 0;
}
