// Keeps the taints of nodes as their conditions ask (plan-taints.ts). It remembers nothing.
import { errorText, isPodwrightError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { runInformer } from '../../client/informer.ts';
import type { ResourceApi } from '../../client/resource-api.ts';
import { NODES } from '../../client/resources.ts';
import type { Node } from '../../kube/api-types.ts';
import { planTaints } from './plan-taints.ts';

export type TaintsControllerOptions = { readonly api: ResourceApi; readonly log: Log };

/** Runs until the signal aborts. */
export async function runTaintsController(
  { api, log }: TaintsControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const onObject = (node: Node): void => {
    const taints = planTaints(node);
    const { name = '', resourceVersion } = node.metadata ?? {};
    if (taints === undefined) return;
    // Of a changed node the watch brings a newer version, which is looked at again.
    const body = { metadata: { resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } };
    api.patch(NODES, { name }, { type: 'application/merge-patch+json', body }).catch((error: unknown) => {
      if (!isPodwrightError(error, 'Conflict', 'NotFound') && !signal.aborted)
        log.warn('taint a node by its conditions', { node: name, error: errorText(error) });
    });
  };
  await runInformer({ api, ref: NODES, handlers: { onObject, onDelete: () => {} }, log }, signal);
}
