// Rules for ephemeral containers (KEP-277; pkg/apis/core/validation validateEphemeralContainers and its update).
import { isDeepStrictEqual } from 'node:util';
import type { EphemeralContainer, Pod, PodSpec } from '../api-types.ts';
import { duplicate, type FieldError, forbidden, invalid, notFound } from '../field-error.ts';
import { isStaticPod } from '../pod.ts';
import { validateContainer } from './container.ts';

const LIST = 'spec.ephemeralContainers';

const NOT_ALLOWED = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
] as const;

/** "Set" is what holds something: the defaults give every container empty resources. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === '') return false;
  return typeof value !== 'object' || Object.keys(value as object).length > 0;
}

export function validateEphemeralContainers(spec: PodSpec): FieldError[] {
  const others = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map(({ name }) => name);
  const all = spec.ephemeralContainers ?? [];
  return all.flatMap((container, index) => {
    const field = `${LIST}[${index}]`;
    const { name, targetContainerName: target = '' } = container;
    const isDoubled = others.includes(name) || all.findIndex((one) => one.name === name) < index;
    return [
      ...(isDoubled ? [duplicate(`${field}.name`, name)] : []),
      ...validateContainer(container, { spec, role: 'app', field }),
      ...NOT_ALLOWED.filter((key) => isSet(container[key])).map((key) =>
        forbidden(`${field}.${key}`, 'cannot be set for an Ephemeral Container'),
      ),
      ...(target === '' || others.includes(target) ? [] : [notFound(`${field}.targetContainerName`, target)]),
    ];
  });
}

/** They are only ever added. */
export function validateEphemeralUpdate(pod: Pod, oldPod: Pod): FieldError[] {
  const after = new Map((pod.spec?.ephemeralContainers ?? []).map((one) => [one.name, one]));
  const isMirror = isStaticPod(oldPod);
  return [
    ...(isMirror ? [forbidden('', 'static pods do not support ephemeral containers')] : []),
    ...(oldPod.spec?.ephemeralContainers ?? []).flatMap((old: EphemeralContainer): FieldError[] => {
      const now = after.get(old.name);
      if (now === undefined)
        return [
          forbidden(LIST, `existing ephemeral containers ${JSON.stringify(old.name)} may not be removed`),
        ];
      if (isDeepStrictEqual(now, old)) return [];
      return [
        forbidden(LIST, `existing ephemeral containers ${JSON.stringify(old.name)} may not be changed`),
      ];
    }),
    ...(pod.metadata?.deletionTimestamp === undefined || after.size === 0
      ? []
      : [invalid(LIST, '', 'cannot be added to a pod that is being deleted')]),
  ];
}
