// podwright ps: the pods, as `kubectl get pods`.
import { PODS } from '../client/resources.ts';
import { ageText } from '../kube/age.ts';
import type { Pod } from '../kube/api-types.ts';
import { podSummary } from '../kube/pod-summary.ts';
import { type Cli, type ExitCode, print } from './cli.ts';
import { type Column, listText, type Output } from './lists.ts';

export type PsOptions = {
  readonly namespace: string | undefined;
  readonly selector?: string | undefined;
  readonly output?: Output | undefined;
};

function restartsText(pod: Pod, nowMs: number): string {
  const { restarts, lastRestartAtMs } = podSummary(pod);
  return restarts > 0 && lastRestartAtMs !== undefined
    ? `${restarts} (${ageText(nowMs - lastRestartAtMs)} ago)`
    : `${restarts}`;
}

const imagesOf = (pod: Pod): string => pod.spec?.containers.map(({ image }) => image).join(',') ?? '';

export function podColumns(namespace: string | undefined, nowMs: number): readonly Column<Pod>[] {
  const namespaceColumn: Column<Pod> = {
    header: 'NAMESPACE',
    cell: ({ metadata }) => metadata?.namespace ?? '',
  };
  return [
    ...(namespace === undefined ? [namespaceColumn] : []),
    { header: 'NAME', cell: ({ metadata }) => metadata?.name ?? '' },
    {
      header: 'READY',
      cell: (pod) => {
        const { ready, total } = podSummary(pod);
        return `${ready}/${total}`;
      },
    },
    { header: 'STATUS', cell: (pod) => podSummary(pod).status },
    { header: 'RESTARTS', cell: (pod) => restartsText(pod, nowMs) },
    { header: 'AGE', cell: ({ metadata }) => ageText(nowMs - Date.parse(metadata?.creationTimestamp ?? '')) },
    { header: 'IP', cell: ({ status }) => status?.podIP ?? '<none>' },
    { header: 'NODE', cell: ({ spec }) => spec?.nodeName ?? '<none>', wide: true },
    { header: 'IMAGES', cell: imagesOf, wide: true },
  ];
}

export async function ps(cli: Cli, options: PsOptions): Promise<ExitCode> {
  const { namespace, selector, output } = options;
  const { api } = await cli.connect();
  const { items } = await api.list(PODS, { namespace, labelSelector: selector });
  const whenEmpty = namespace === undefined ? 'No pods found.' : `No pods found in namespace ${namespace}.`;
  print(cli, listText(items, { ref: PODS, columns: podColumns(namespace, Date.now()), output, whenEmpty }));
  return 0;
}
