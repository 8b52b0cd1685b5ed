// What may change in a pod once it exists (pkg/apis/core/validation ValidatePodUpdate).
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod, PodSpec, Toleration } from '../api-types.ts';
import { type FieldError, forbidden, invalid } from '../field-error.ts';

const MUTABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function withOldImages(containers: readonly Container[] | undefined, old: readonly Container[] | undefined) {
  return containers?.map((container, index) => {
    const { image: _, ...rest } = container;
    const image = old?.[index]?.image;
    return image === undefined ? rest : { ...rest, image };
  });
}

/** The new spec with everything that may change put back. */
function withOldMutableFields(spec: PodSpec, old: PodSpec): PodSpec {
  const { activeDeadlineSeconds: _a, tolerations: _t, schedulingGates: _g, ...rest } = spec;
  const { activeDeadlineSeconds, tolerations, schedulingGates } = old;
  const kept = Object.entries({ activeDeadlineSeconds, tolerations, schedulingGates });
  const containers = withOldImages(spec.containers, old.containers);
  const initContainers = withOldImages(spec.initContainers, old.initContainers);
  return {
    ...rest,
    containers: containers ?? [],
    ...(initContainers && { initContainers }),
    ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)),
  };
}

function validateDeadline(seconds: number | undefined, old: number | undefined): FieldError[] {
  if (seconds === old || old === undefined) return [];
  const field = 'spec.activeDeadlineSeconds';
  if (seconds === undefined)
    return [invalid(field, null, 'must not update from a positive integer to nil value')];
  if (seconds <= old) return [];
  return [invalid(field, seconds, 'must be less than or equal to previous value')];
}

function validateTolerations(added: readonly Toleration[], old: readonly Toleration[]): FieldError[] {
  const kept = old.every((one) =>
    added.some(({ tolerationSeconds: _, ...rest }) => {
      const { tolerationSeconds: _old, ...wanted } = one;
      return isDeepStrictEqual(rest, wanted);
    }),
  );
  return kept
    ? []
    : [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

/** KEP-3521: gates may only be taken away. */
function validateGates(spec: PodSpec, old: PodSpec): FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  return (spec.schedulingGates ?? []).flatMap(({ name }, index) =>
    before.has(name)
      ? []
      : [
          forbidden(
            `spec.schedulingGates[${index}].name`,
            'only deletion is allowed, but found new scheduling gate',
          ),
        ],
  );
}

export function validatePodUpdate(pod: Pod, oldPod: Pod): FieldError[] {
  const spec = pod.spec ?? { containers: [] };
  const old = oldPod.spec ?? { containers: [] };
  const isSameLength = (key: 'containers' | 'initContainers'): boolean =>
    (spec[key] ?? []).length === (old[key] ?? []).length;
  const counts = (['containers', 'initContainers'] as const).flatMap((key) =>
    isSameLength(key) ? [] : [forbidden(`spec.${key}`, 'pod updates may not add or remove containers')],
  );
  if (counts.length > 0) return counts;
  return [
    ...validateDeadline(spec.activeDeadlineSeconds, old.activeDeadlineSeconds),
    ...validateTolerations(spec.tolerations ?? [], old.tolerations ?? []),
    ...validateGates(spec, old),
    ...(isDeepStrictEqual(withOldMutableFields(spec, old), old) ? [] : [forbidden('spec', MUTABLE)]),
  ];
}
