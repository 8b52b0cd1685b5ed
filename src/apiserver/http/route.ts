// From a URL to what is asked: /api/v1/[namespaces/<ns>/]<plural>[/<name>[/<subresource>]] and /apis/<group>/<version>/...
import type { Kind } from '../kind.ts';

export type Route =
  | {
      readonly type: 'resource';
      readonly kind: Kind;
      readonly namespace?: string | undefined;
      readonly name?: string | undefined;
      readonly subresource?: string | undefined;
      /** Of a proxy: the path behind it, with its slash; "" when there is none. */
      readonly rest?: string | undefined;
    }
  /** POST bindings: the pod is named in the body. */
  | { readonly type: 'bindings'; readonly namespace: string }
  /** Not a resource: discovery, health, version, or nothing. */
  | { readonly type: 'other' };

const OTHER: Route = { type: 'other' };

function decodeParts(path: string): string[] | undefined {
  try {
    return path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

export function parseRoute(path: string, kinds: readonly Kind[]): Route {
  const [root, ...parts] = decodeParts(path) ?? [];
  const group = root === 'api' ? '' : root === 'apis' ? parts.shift() : undefined;
  const version = parts.shift();
  if (group === undefined || version === undefined || parts.length === 0) return OTHER;
  const find = (plural: string | undefined): Kind | undefined =>
    kinds.find((kind) => kind.plural === plural && kind.group === group && kind.version === version);
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2;
  if (inNamespace) {
    const [, namespace = '', plural, name, subresource, ...rest] = parts;
    if (plural === 'bindings' && group === '' && name === undefined) return { type: 'bindings', namespace };
    const kind = find(plural);
    if (kind?.namespaced === true) {
      if (subresource === 'proxy')
        return { type: 'resource', kind, namespace, name, subresource, rest: ['', ...rest].join('/') };
      if (rest.length === 0) return { type: 'resource', kind, namespace, name, subresource };
    }
  }
  // Not a namespaced kind: namespaces/<name>/status is a subresource of the namespace itself.
  const [plural, name, subresource, ...rest] = parts;
  const kind = find(plural);
  if (kind === undefined || (kind.namespaced && name !== undefined)) return OTHER;
  if (subresource === 'proxy')
    return { type: 'resource', kind, name, subresource, rest: ['', ...rest].join('/') };
  if (rest.length > 0) return OTHER;
  return { type: 'resource', kind, name, subresource };
}
