// The taints a node's conditions ask for, as the node lifecycle controller sets them. Pure.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition
import type { Node, Taint } from '../../kube/api-types.ts';

const KEYS: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
};

/** The taints the node should have; undefined when it has them. Everybody else's stay as they are. */
export function planTaints({ spec, status }: Node): readonly Taint[] | undefined {
  const before = spec?.taints ?? [];
  const wanted = (status?.conditions ?? []).flatMap(({ type, status: value }): Taint[] => {
    const key = KEYS[type];
    return key === undefined || value !== 'True' ? [] : [{ key, effect: 'NoSchedule' }];
  });
  const isOwn = (taint: Taint): boolean =>
    taint.effect === 'NoSchedule' && Object.values(KEYS).includes(taint.key);
  const hasAll = wanted.every(({ key }) => before.some((taint) => isOwn(taint) && taint.key === key));
  if (hasAll && before.filter(isOwn).length === wanted.length) return undefined;
  return [...before.filter((taint) => !isOwn(taint)), ...wanted];
}
