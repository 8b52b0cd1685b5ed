// Rules for metadata that hold for every kind (apimachinery pkg/api/validation/objectmeta.go).
import type { ObjectMeta } from '../api-types.ts';
import { type FieldError, forbidden, invalid, required, tooLong } from '../field-error.ts';
import { dnsLabel, labelValue, qualifiedName, type Rule } from './names.ts';

const ANNOTATION_BYTES_MAX = 256 * 1024;

type StringMap = { readonly [key: string]: string };

export function validateLabels(labels: StringMap | undefined, field: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedName(key).map((message) => invalid(field, key, message)),
    ...labelValue(value).map((message) => invalid(field, value, message)),
  ]);
}

function validateAnnotations(annotations: StringMap | undefined, field: string): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...entries.flatMap(([key]) =>
      qualifiedName(key.toLowerCase()).map((message) => invalid(field, key, message)),
    ),
    ...(bytes > ANNOTATION_BYTES_MAX ? [tooLong(field, ANNOTATION_BYTES_MAX)] : []),
  ];
}

export function validateObjectMeta(
  meta: ObjectMeta,
  rules: { readonly name: Rule; readonly namespaced: boolean },
): FieldError[] {
  const { name = '', namespace, generateName = '' } = meta;
  const generated = generateName.endsWith('-') ? `${generateName.slice(0, -1)}a` : generateName;
  return [
    ...(generateName === ''
      ? []
      : rules.name(generated).map((message) => invalid('metadata.generateName', generateName, message))),
    ...(name === ''
      ? [required('metadata.name', 'name or generateName is required')]
      : rules.name(name).map((message) => invalid('metadata.name', name, message))),
    ...(rules.namespaced
      ? dnsLabel(namespace ?? '').map((message) => invalid('metadata.namespace', namespace, message))
      : []),
    ...(!rules.namespaced && namespace !== undefined && namespace !== ''
      ? [forbidden('metadata.namespace', 'not allowed on this type')]
      : []),
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...(meta.finalizers ?? []).flatMap((one) =>
      qualifiedName(one).map((message) => invalid('metadata.finalizers', one, message)),
    ),
    ...(meta.ownerReferences ?? []).flatMap((owner, index) =>
      (['apiVersion', 'kind', 'name', 'uid'] as const).flatMap((part) =>
        owner[part] ? [] : [invalid(`metadata.ownerReferences[${index}].${part}`, '', 'must not be empty')],
      ),
    ),
  ];
}
