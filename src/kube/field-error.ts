// Errors of validation, with Kubernetes' reasons, field paths and words (apimachinery's field.Error), and the Invalid
// error a list of them makes.
import { type ErrorCause, PodwrightError } from '../base/errors.ts';

/** One error: `field` is the path from the object's root, "spec.containers[0].name". */
export type FieldError = ErrorCause & { readonly field: string };

export function required(field: string, detail = ''): FieldError {
  const message = detail === '' ? 'Required value' : `Required value: ${detail}`;
  return { reason: 'FieldValueRequired', field, message };
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  const message = `Invalid value: ${JSON.stringify(value) ?? 'null'}: ${detail}`;
  return { reason: 'FieldValueInvalid', field, message };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}${list === '' ? '' : `: supported values: ${list}`}`;
  return { reason: 'FieldValueNotSupported', field, message };
}

export function forbidden(field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}

export function notFound(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${JSON.stringify(value)}` };
}

export function tooLong(field: string, bytesMax: number): FieldError {
  return {
    reason: 'FieldValueTooLong',
    field,
    message: `Too long: may not be more than ${bytesMax} bytes`,
  };
}

export function tooMany(field: string, count: number, max: number): FieldError {
  return {
    reason: 'FieldValueTooMany',
    field,
    message: `Too many: ${count}: must have at most ${max} items`,
  };
}

/** The 422 kube-apiserver answers: `Pod "x" is invalid: spec.containers: Required value`. */
export function invalidError(
  about: { readonly group: string; readonly kind: string; readonly name: string },
  errors: readonly FieldError[],
): PodwrightError {
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const qualified = about.group === '' ? about.kind : `${about.kind}.${about.group}`;
  return new PodwrightError('Invalid', `${qualified} ${JSON.stringify(about.name)} is invalid: ${list}`, {
    details: { name: about.name, group: about.group, kind: about.kind, causes: errors },
  });
}
