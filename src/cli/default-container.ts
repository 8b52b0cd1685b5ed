// Which container `logs` and `exec` mean when none is named, by kubectl's rule: the one the pod names, else the first app
// container. The API itself insists on a name when there are several.
import { PODS } from '../client/resources.ts';
import type { Pod } from '../kube/api-types.ts';
import { type Cli, type Connection, printNote } from './cli.ts';

/** Well-known annotation: https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const ANNOTATION = 'kubectl.kubernetes.io/default-container';

/** Pure; `others` are told to the user where there is a choice. */
export function defaultContainer({ metadata, spec }: Pod): {
  readonly name: string | undefined;
  readonly others: readonly string[];
} {
  const apps = spec?.containers ?? [];
  const inits = (spec?.initContainers ?? []).map(({ name }) => `${name} (init)`);
  const named = apps.find(({ name }) => name === metadata?.annotations?.[ANNOTATION])?.name;
  const name = named ?? apps[0]?.name;
  const others = [...apps.map((one) => one.name), ...inits].filter((one) => one !== name);
  return { name, others: named === undefined ? others : [] };
}

export async function containerOf(
  cli: Cli,
  { api }: Connection,
  target: { readonly pod: string; readonly container?: string | undefined },
): Promise<string | undefined> {
  if (target.container !== undefined) return target.container;
  const pod = await api.get(PODS, { namespace: cli.namespace, name: target.pod });
  const { name, others } = defaultContainer(pod);
  if (others.length > 0)
    printNote(cli, cli.colors.dim(`container ${name}; there are also ${others.join(', ')} (-c)`));
  return name;
}
