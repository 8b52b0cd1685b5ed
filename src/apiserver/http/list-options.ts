// The options of a list or a watch, and which of them go together (apimachinery pkg/apis/meta/internalversion/validation).
import type { ListOptions } from '../../client/resource-api.ts';
import { type FieldError, forbidden, invalidError, notSupported } from '../../kube/field-error.ts';
import { badRequest } from '../api-error.ts';
import { isTrue, type ResourceRoute } from './parameters.ts';

const MATCHES = ['Exact', 'NotOlderThan'] as const;

/** How new what is answered must be, for a list. */
function matchErrors(query: URLSearchParams): FieldError[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const resourceVersion = query.get('resourceVersion') ?? '';
  const field = 'resourceVersionMatch';
  if (match === '') return [];
  if (resourceVersion === '')
    return [forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided')];
  if (query.get('continue'))
    return [forbidden(field, 'resourceVersionMatch is forbidden when continue is provided')];
  if (!MATCHES.some((one) => one === match)) return [notSupported(field, match, MATCHES)];
  if (match === 'Exact' && resourceVersion === '0') {
    const why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"';
    return [forbidden(field, why)];
  }
  return [];
}

/** How a watch begins. */
function initialErrors(query: URLSearchParams): FieldError[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const asks = query.get('sendInitialEvents');
  const field = 'resourceVersionMatch';
  if (!asks) {
    return match === ''
      ? []
      : [
          forbidden(
            field,
            'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
          ),
        ];
  }
  if (match === 'NotOlderThan') return [];
  return [forbidden(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')];
}

/** @throws Invalid, BadRequest */
export function listOptions(
  query: URLSearchParams,
  route: ResourceRoute,
): ListOptions & { readonly exact: boolean } {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const isWatch = isTrue(query, 'watch');
  const asks = query.get('sendInitialEvents') !== null;
  const errors = [
    ...(isWatch ? initialErrors(query) : matchErrors(query)),
    ...(asks && !isWatch ? [forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')] : []),
  ];
  if (errors.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, errors);
  const limit = text('limit');
  if (limit !== undefined && !/^\d{1,9}$/.test(limit))
    throw badRequest(`limit: invalid value ${JSON.stringify(limit)}`);
  const [resourceVersion, token] = [text('resourceVersion'), text('continue')];
  if (token !== undefined && resourceVersion !== undefined && resourceVersion !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  const match = query.get('resourceVersionMatch');
  // A page of a list that names a version is of that version, unless it says otherwise.
  const isPage = Number(limit ?? 0) > 0 && resourceVersion !== undefined && resourceVersion !== '0';
  return {
    namespace: route.namespace,
    labelSelector: text('labelSelector'),
    fieldSelector: text('fieldSelector'),
    resourceVersion,
    limit: limit === undefined ? undefined : Number(limit),
    continue: token,
    exact: match === 'Exact' || (isPage && !match),
  };
}
