// Every answer that is not an object is a meta/v1 Status; what is not an error of the API itself is InternalError.
import { errorText, httpStatusOf, isPodwrightError, PodwrightError } from '../../base/errors.ts';
import type { Status } from '../../kube/api-types.ts';

export type StatusBody = Status & { readonly code: number };

export function failureStatus(error: unknown): StatusBody {
  const known = isPodwrightError(error) ? error : new PodwrightError('InternalError', errorText(error));
  const code = httpStatusOf(known.code);
  const { name, group, kind, causes, retryAfterSeconds } = known.details;
  const details = {
    ...(name ? { name } : {}),
    ...(group ? { group } : {}),
    ...(kind ? { kind } : {}),
    ...(causes === undefined ? {} : { causes: causes.map((cause) => ({ ...cause })) }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: code === 500 ? errorText(known) : known.message,
    reason: code === 500 ? 'InternalError' : known.code,
    ...(Object.keys(details).length > 0 ? { details } : {}),
    code,
  };
}

export function successStatus(code: number, details?: Status['details']): StatusBody {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
    code,
  };
}
