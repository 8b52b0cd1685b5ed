// Who asks, and whether they may: every request and every stream comes through here before anything else of it is looked
// at. Authenticate, impersonate, authorize; what a handler does is decided by the same route that was asked about.
import type { IncomingMessage } from 'node:http';
import { requiredValue } from '../../kube/selectors.ts';
import type { Attributes } from '../access/attributes.ts';
import { authorize, forbidden } from '../access/authorizer.ts';
import { impersonated } from '../access/impersonation.ts';
import type { User } from '../access/user.ts';
import type { Trail } from './audit-event.ts';
import { type Authenticators, authenticate } from './authentication.ts';
import type { Route } from './route.ts';

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
};

const ITEM_VERBS: { readonly [method: string]: string } = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** list, deletecollection and watch are verbs of their own. */
export function verbOf(method: string, query: URLSearchParams, isCollection: boolean): string {
  const verb = ITEM_VERBS[method] ?? method.toLowerCase();
  if (!isCollection) return verb;
  if (verb === 'get') return ['true', '1'].includes(query.get('watch') ?? '') ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** A collection asked for one object by name: rules for that name cover it. */
function selectedName(query: URLSearchParams): string | undefined {
  try {
    return requiredValue(query.get('fieldSelector') ?? '', 'metadata.name');
  } catch {
    // The handler refuses it.
    return undefined;
  }
}

export function attributesOf({ method, path, query, route }: Asked): Attributes {
  if (route.type === 'other') return { type: 'path', verb: ITEM_VERBS[method] ?? method.toLowerCase(), path };
  if (route.type === 'bindings') {
    const { namespace } = route;
    return { type: 'resource', verb: 'create', group: '', resource: 'bindings', namespace };
  }
  const { kind, namespace, subresource } = route;
  const isCollection = route.name === undefined;
  const name = isCollection ? selectedName(query) : route.name;
  const verb = verbOf(method, query, isCollection);
  // A namespace is in itself: a role there may tell about it.
  const scope = kind.plural === 'namespaces' && kind.group === '' ? route.name : namespace;
  return {
    type: 'resource',
    verb,
    group: kind.group,
    resource: kind.plural,
    subresource,
    namespace: scope,
    name,
  };
}

export type Way = { readonly by: Authenticators; readonly trail: Trail };

/** The user in whose name the request goes on. @throws Unauthorized, Forbidden */
export async function requireAccess(
  request: IncomingMessage,
  asked: Asked,
  { by, trail }: Way,
): Promise<User> {
  const { roles } = by.parts.admission;
  const own = await authenticate(request, by);
  trail.user = own;
  const user = impersonated(own, request.headersDistinct, roles);
  if (user !== own) trail.impersonatedUser = user;
  const attributes = attributesOf(asked);
  const { isAllowed, reason } = authorize(roles, user, attributes);
  trail.annotations.set('authorization.k8s.io/decision', isAllowed ? 'allow' : 'forbid');
  trail.annotations.set('authorization.k8s.io/reason', reason);
  if (!isAllowed) throw forbidden(user, attributes, reason);
  return user;
}

/**
 * A stream by GET does what a POST does: it needs that right, too (AuthorizePodWebsocketUpgradeCreatePermission). What a proxy
 * passes on is what it is.
 */
export async function requireStreamAccess(request: IncomingMessage, asked: Asked, way: Way): Promise<User> {
  const user = await requireAccess(request, asked, way);
  const { route } = asked;
  const isProxied = route.type === 'resource' && route.subresource === 'proxy';
  if (asked.method !== 'POST' && !isProxied) await requireAccess(request, { ...asked, method: 'POST' }, way);
  return user;
}
