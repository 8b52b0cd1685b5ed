// Rules for pods (pkg/apis/core/validation), in Kubernetes' words and with its field paths.
import type { Pod } from '../api-types.ts';
import { type FieldError, required } from '../field-error.ts';
import { refusedFields } from '../unsupported-fields.ts';

export function validatePod(pod: Pod): FieldError[] {
  if (pod.spec === undefined) return [required('spec.containers')];
  return [...refusedFields(pod)];
}
