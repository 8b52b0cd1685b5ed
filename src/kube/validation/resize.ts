// What the resize subresource may change (KEP-1287; pkg/apis/core/validation ValidatePodResize).
import type { Container, Pod, Quantity } from '../api-types.ts';
import { type FieldError, forbidden, invalid } from '../field-error.ts';
import { isSidecar, isTerminal, qosClassOf } from '../pod.ts';
import { quantityMilli } from '../quantity.ts';

type ResourceList = { readonly [name: string]: Quantity } | undefined;
const MUTABLE = ['cpu', 'memory'];

function changed(before: ResourceList, after: ResourceList): readonly string[] {
  const milli = (list: ResourceList, name: string): number | undefined =>
    list?.[name] === undefined ? undefined : quantityMilli(list[name]);
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].filter((name) => milli(before, name) !== milli(after, name));
}

function validateResized(container: Container, old: Container, { field, isResizable }: Place): FieldError[] {
  const lists = ['limits', 'requests'] as const;
  const differing = lists.flatMap((list) =>
    changed(old.resources?.[list], container.resources?.[list]).map((name) => ({ list, name })),
  );
  if (differing.length === 0) return [];
  if (!isResizable)
    return [forbidden(`${field}.resources`, 'resources for non-sidecar init containers are immutable')];
  return differing.flatMap(({ list, name }) => {
    if (!MUTABLE.includes(name))
      return [forbidden(`${field}.resources.${list}`, 'only cpu and memory resources are mutable')];
    if (container.resources?.[list]?.[name] === undefined)
      return [forbidden(`${field}.resources.${list}`, `resource ${list} cannot be removed`)];
    return [];
  });
}

type Place = { readonly field: string; readonly isResizable: boolean };

export function validateResize(pod: Pod, oldPod: Pod): FieldError[] {
  const { spec, status } = pod;
  if (spec === undefined || oldPod.spec === undefined) return [];
  if (isTerminal(oldPod)) return [forbidden('', `pod in ${status?.phase} phase cannot be resized`)];
  const [before, after] = [qosClassOf(oldPod.spec), qosClassOf(spec)];
  const old = oldPod.spec;
  return [
    ...(before === after
      ? []
      : [invalid('spec', after, 'Pod QOS Class may not change as a result of resizing')]),
    ...spec.containers.flatMap((container, index) =>
      validateResized(container, old.containers[index] ?? container, {
        field: `spec.containers[${index}]`,
        isResizable: true,
      }),
    ),
    ...(spec.initContainers ?? []).flatMap((container, index) =>
      validateResized(container, old.initContainers?.[index] ?? container, {
        field: `spec.initContainers[${index}]`,
        isResizable: isSidecar(container),
      }),
    ),
  ];
}
