// GET, list and watch. Objects are the store's own: shared, never changed in place.
import { type Revision, revision } from '../base/brand.ts';
import { PodwrightError } from '../base/errors.ts';
import type {
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectList,
  WatchEvent,
  WatchOptions,
} from '../client/resource-api.ts';
import { findType } from '../kube/schema.ts';
import { parseFieldSelector, parseLabelSelector } from '../kube/selectors.ts';
import type { Change } from '../store/history.ts';
import { badRequest, notFoundError } from './api-error.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import type { ServerParts } from './request.ts';
import { storagePrefix } from './storage-key.ts';

export function getObject(parts: ServerParts, kind: Kind, key: ObjectKey): KubeObject {
  const object = kindStore(parts.store, kind).get(key);
  if (object === undefined) throw notFoundError(kind, key.name);
  return object;
}

/** What an absent field reads as: Go's zero value, so that "spec.nodeName=" finds unbound pods. */
function zeroText(kind: Kind, path: string): string {
  let word = kind.schema;
  for (const field of path.split('.')) word = findType(word)?.fields.get(field)?.word ?? '';
  if (word === 'boolean') return 'false';
  return word === 'int32' || word === 'int64' ? '0' : '';
}

function fieldText(object: KubeObject, path: string, zero: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = (value as { [key: string]: unknown } | undefined)?.[part];
  return value === undefined || value === null ? zero : String(value);
}

/** @throws BadRequest for selectors that do not parse. */
export function matcher(kind: Kind, options: ListOptions): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(options.labelSelector);
  const paths = ['metadata.name', 'metadata.namespace', ...kind.selectableFields];
  const fields = parseFieldSelector(options.fieldSelector, paths);
  if (!options.labelSelector && !options.fieldSelector) return () => true;
  const used = paths
    .filter((path) => options.fieldSelector?.includes(path) === true)
    .map((path) => [path, zeroText(kind, path)] as const);
  return (object) =>
    labels(object.metadata?.labels ?? {}) &&
    fields(Object.fromEntries(used.map(([path, zero]) => [path, fieldText(object, path, zero)])));
}

type ContinueToken = { readonly revision: number; readonly after: string };

function encodeToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function decodeToken(text: string, prefix: string): ContinueToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<ContinueToken>;
    const { revision: at, after } = token;
    if (Number.isSafeInteger(at) && typeof after === 'string' && after.startsWith(prefix))
      return token as ContinueToken;
  } catch {
    // Not of our making.
  }
  throw badRequest('continue key is not valid');
}

/** @throws BadRequest */
export function parseRevision(text: string): Revision {
  if (/^\d{1,15}$/.test(text)) return revision(Number(text));
  throw badRequest(`Invalid value: ${JSON.stringify(text)}: resourceVersion must be a number`);
}

/** A version nobody was given, perhaps another cluster's. @throws Timeout, as kube-apiserver after waiting for it. */
function checkNotFuture({ store }: ServerParts, wanted: Revision): void {
  if (wanted <= store.revision) return;
  throw new PodwrightError('Timeout', `Too large resource version: ${wanted}, current: ${store.revision}`, {
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  });
}

export type List = ObjectList<KubeObject> & { readonly remainingItemCount?: number };

/** All pages of one list show the state of its first page's revision. @throws Expired when that is forgotten. */
export function listObjects(
  parts: ServerParts,
  kind: Kind,
  options: ListOptions & { readonly exact?: boolean },
): List {
  const prefix = storagePrefix(kind, options.namespace);
  const token = options.continue ? decodeToken(options.continue, prefix) : undefined;
  const wanted = options.resourceVersion ? parseRevision(options.resourceVersion) : undefined;
  if (wanted !== undefined) checkNotFuture(parts, wanted);
  const at = token === undefined ? (options.exact === true ? wanted : undefined) : revision(token.revision);
  const page = kindStore(parts.store, kind).list({
    namespace: options.namespace,
    after: token?.after,
    at,
    limit: options.limit === undefined || options.limit <= 0 ? undefined : options.limit,
    where: matcher(kind, options),
  });
  const list = { items: page.values, resourceVersion: String(page.revision) };
  if (page.next === undefined) return list;
  const isSelecting = Boolean(options.labelSelector || options.fieldSelector);
  const remaining = isSelecting ? {} : { remainingItemCount: page.remaining };
  return { ...list, ...remaining, continue: encodeToken({ revision: page.revision, after: page.next }) };
}

/** What a change of the store is to a watcher that sees only some objects: leaving the selection is a deletion. */
function eventOf(
  change: Change<KubeObject>,
  sees: (object: KubeObject) => boolean,
): WatchEvent<KubeObject> | undefined {
  const { value, previous } = change;
  const saw = previous !== undefined && sees(previous);
  if (change.type === 'remove') return saw ? { type: 'DELETED', object: value } : undefined;
  if (sees(value)) return { type: saw ? 'MODIFIED' : 'ADDED', object: value };
  return saw ? { type: 'DELETED', object: value } : undefined;
}

/**
 * Without a resourceVersion (or with "0") it starts with an ADDED for everything there is, and a BOOKMARK after it.
 * @throws Expired, BadRequest
 */
export async function* watchObjects(
  parts: ServerParts,
  kind: Kind,
  options: WatchOptions & { readonly withoutInitial?: boolean },
): AsyncGenerator<WatchEvent<KubeObject>, void, void> {
  const sees = matcher(kind, options);
  const { namespace } = options;
  const store = kindStore(parts.store, kind);
  const isFromNow = options.resourceVersion === undefined || ['', '0'].includes(options.resourceVersion);
  const skips = isFromNow && options.withoutInitial === true;
  const list = isFromNow && !skips ? store.list({ namespace, where: sees }) : undefined;
  const from = skips
    ? parts.store.revision
    : (list?.revision ?? parseRevision(options.resourceVersion ?? ''));
  const changes = store.watch(namespace, from, options.signal);
  for (const object of list?.values ?? []) {
    yield { type: 'ADDED', object };
    if (options.signal.aborted) return;
  }
  if (list !== undefined) yield { type: 'BOOKMARK', resourceVersion: String(list.revision) };
  for await (const change of changes) {
    const event = eventOf(change, sees);
    if (event !== undefined) yield event;
  }
}
