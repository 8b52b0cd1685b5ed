// Where does this pod go? A pod is placed whole or not at all. Pure: nodes and a pod in, a node's name or the reasons out.
import type { Pod } from '../kube/api-types.ts';
import type { NodeInfo } from './node-info.ts';
import { FILTERS, leastAllocatedScore, podInfoOf } from './plugins.ts';

export type Placement =
  | { readonly kind: 'placed'; readonly nodeName: string }
  /** kube-scheduler's FailedScheduling message. */
  | { readonly kind: 'unschedulable'; readonly message: string };

function unschedulableMessage(nodeCount: number, reasons: readonly string[]): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available: ${texts.join(', ')}.`;
}

export function placePod(pod: Pod, nodes: readonly NodeInfo[]): Placement {
  const podInfo = podInfoOf(pod);
  const reasons: string[] = [];
  let best: { readonly nodeName: string; readonly score: number } | undefined;
  for (const node of nodes) {
    // As in kube-scheduler, the first plug-in that objects speaks for the node.
    const objections = FILTERS.map((plugin) => plugin.filter(podInfo, node)).find(
      (found) => found.length > 0,
    );
    if (objections !== undefined) {
      reasons.push(...objections);
      continue;
    }
    const nodeName = node.node.metadata?.name ?? '';
    const score = leastAllocatedScore(podInfo, node);
    // Equal scores go to the first by name: decisions repeat.
    if (best === undefined || score > best.score || (score === best.score && nodeName < best.nodeName)) {
      best = { nodeName, score };
    }
  }
  if (best !== undefined) return { kind: 'placed', nodeName: best.nodeName };
  return { kind: 'unschedulable', message: unschedulableMessage(nodes.length, reasons) };
}
