// What a request says beside its path: options in the query or in the body, and who writes.
import { PodwrightError } from '../../base/errors.ts';
import type { DeleteOptions, PatchType } from '../../client/resource-api.ts';
import type { DeleteOptions as DeleteOptionsBody } from '../../kube/api-types.ts';
import { decode } from '../../kube/decode.ts';
import { invalid, invalidError, notSupported, tooLong } from '../../kube/field-error.ts';
import { PROPAGATION_POLICIES } from '../../kube/owners.ts';
import { badRequest } from '../api-error.ts';
import { APPLY_PATCH } from '../apply.ts';
import { partOf } from '../kind.ts';
import { type FieldValidation, tellFields, type WriteRequest } from '../request.ts';
import { readObject } from './body.ts';
import { addWarning, type Exchange } from './exchange.ts';
import type { Route } from './route.ts';

export type ResourceRoute = Extract<Route, { type: 'resource' }>;

export function methodNotAllowed(): PodwrightError {
  return new PodwrightError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );
}

/** As kube-apiserver reads a truth value: everything but "false" in any case and "0". Python's clients send "True". */
export function isTrue(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text !== null && text !== '0' && text.toLowerCase() !== 'false';
}

export function isDryRun(query: URLSearchParams, fromBody: readonly string[] = []): boolean {
  const values = [...query.getAll('dryRun'), ...fromBody];
  if (values.some((value) => value !== 'All')) {
    const value = JSON.stringify(values.find((one) => one !== 'All'));
    throw new PodwrightError('Invalid', `dryRun: Unsupported value: ${value}: supported values: "All"`);
  }
  return values.length > 0;
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw new PodwrightError(
    'Invalid',
    `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** An object's or a patch's body, of which the client hears what it says twice. @throws BadRequest */
export function readWritten(
  { request }: Exchange,
  write: WriteRequest,
  read: typeof readObject = readObject,
): Promise<unknown> {
  const mustBe = read === readObject ? write.kind.kind : undefined;
  if (write.fieldValidation === 'Ignore') return read(request, { mustBe });
  return read(request, {
    mustBe,
    onDuplicates: (fields) => tellFields(write, { what: 'duplicate', fields }),
  });
}

/** As kube-apiserver: what the client says, else the program's name from its User-Agent. */
function fieldManager(request: Exchange['request'], query: URLSearchParams): string {
  const given = query.get('fieldManager') ?? '';
  if (given.length > 128) {
    const errors = [tooLong('fieldManager', 128)];
    throw invalidError({ group: 'meta.k8s.io', kind: 'UpdateOptions', name: '' }, errors);
  }
  return given || (request.headers['user-agent'] ?? '').split('/')[0]?.slice(0, 128) || 'unknown';
}

export function writeRequest(exchange: Exchange, route: ResourceRoute): WriteRequest {
  const { request, query, response, user, trail } = exchange;
  return {
    kind: route.kind,
    namespace: route.namespace,
    name: route.name,
    part: partOf(route.kind, route.subresource) ?? 'main',
    dryRun: isDryRun(query),
    fieldValidation: fieldValidation(query),
    fieldManager: fieldManager(request, query),
    user,
    warn: (text) => addWarning(response, text),
    annotate: (key, value) => trail.annotations.set(key, value),
  };
}

/** @throws Invalid */
function propagationOf(
  given: string | null,
  orphanDependents: boolean | undefined,
): Pick<DeleteOptions, 'propagationPolicy' | 'orphanDependents'> {
  if (!given) return { orphanDependents };
  const about = { group: 'meta.k8s.io', kind: 'DeleteOptions', name: '' };
  const propagationPolicy = PROPAGATION_POLICIES.find((one) => one === given);
  if (propagationPolicy === undefined)
    throw invalidError(about, [notSupported('propagationPolicy', given, PROPAGATION_POLICIES)]);
  if (orphanDependents !== undefined) {
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    throw invalidError(about, [invalid('propagationPolicy', given, why)]);
  }
  return { propagationPolicy };
}

export async function readDeleteOptions(
  exchange: Exchange,
): Promise<DeleteOptions & { readonly dryRun: boolean }> {
  const { request, query } = exchange;
  const body = await readObject(request);
  const decoded = decode<DeleteOptionsBody>('DeleteOptions', body ?? {});
  if (!decoded.ok) throw badRequest(`DeleteOptions in version "v1" cannot be handled: ${decoded.message}`);
  const { gracePeriodSeconds, preconditions, dryRun, orphanDependents } = decoded.object;
  const fromQuery = query.get('gracePeriodSeconds');
  if (fromQuery !== null && !/^-?\d{1,15}$/.test(fromQuery))
    throw badRequest('gracePeriodSeconds: not a number');
  return {
    gracePeriodSeconds: gracePeriodSeconds ?? (fromQuery === null ? undefined : Number(fromQuery)),
    preconditions,
    ...propagationOf(decoded.object.propagationPolicy ?? query.get('propagationPolicy'), orphanDependents),
    dryRun: isDryRun(query, dryRun),
  };
}

export const PATCH_TYPES: readonly string[] = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  APPLY_PATCH,
] satisfies PatchType[];

export function isPatchType(type: string): type is PatchType {
  return PATCH_TYPES.includes(type);
}
