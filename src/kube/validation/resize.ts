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

type Resources = Container['resources'];

function differences(before: Resources, after: Resources) {
  const lists = ['limits', 'requests'] as const;
  return lists.flatMap((list) => changed(before?.[list], after?.[list]).map((name) => ({ list, name })));
}

/** Nothing is added or taken away: what there is changes (KEP-5419). */
function validatePodLevel(after: Resources, before: Resources): FieldError[] {
  return differences(before, after).flatMap(({ list, name }) => {
    const field = `spec.resources.${list}`;
    if (!MUTABLE.includes(name)) return [forbidden(field, 'only cpu and memory resources are mutable')];
    const has = (resources: Resources): boolean => resources?.[list]?.[name] !== undefined;
    if (has(before) && !has(after)) return [forbidden(field, `resource ${list} cannot be removed`)];
    return has(before) ? [] : [forbidden(field, `resource ${list} cannot be added`)];
  });
}

function validateResized(container: Container, old: Container, { field, isResizable }: Place): FieldError[] {
  const differing = differences(old.resources, container.resources);
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
    ...validatePodLevel(spec.resources, old.resources),
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
