// Small rules that many fields share.
import { type FieldError, invalid, notSupported } from '../field-error.ts';

/** Absent and empty are not this rule's business. */
export function oneOf(value: string | undefined, supported: readonly string[], field: string): FieldError[] {
  return value === undefined || value === '' || supported.includes(value)
    ? []
    : [notSupported(field, value, supported)];
}

export function withinRange(
  value: number | undefined,
  { min, max = Number.POSITIVE_INFINITY }: { readonly min: number; readonly max?: number },
  field: string,
): FieldError[] {
  if (value === undefined || (value >= min && value <= max)) return [];
  const text =
    max === Number.POSITIVE_INFINITY
      ? `must be greater than or equal to ${min}`
      : `must be between ${min} and ${max}, inclusive`;
  return [invalid(field, value, text)];
}

/** A path that stays below where it starts. */
export function relativePath(path: string, field: string): FieldError[] {
  return [
    ...(path.startsWith('/') ? [invalid(field, path, 'must be a relative path')] : []),
    ...(path.split('/').includes('..') ? [invalid(field, path, "must not contain '..'")] : []),
  ];
}
