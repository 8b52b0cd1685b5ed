// The operations of OpenAPI version 3: what kubectl reads to learn which parameters a kind's verbs take.
import type { Kind } from '../../kind.ts';
import { groupVersion } from '../../request.ts';
import { type Json, kindReference } from './definitions.ts';

const parameter = (name: string, place: 'query' | 'path' = 'query'): Json => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  schema: { type: 'string', uniqueItems: true },
});

const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => parameter(name));

function operation(kind: Kind, action: string, parameters: readonly Json[] = []): Json {
  const { group, version, kind: name } = kind;
  const content = { 'application/json': { schema: kindReference(kind, 'v3') } };
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind: name },
    parameters,
    responses: { 200: { description: 'OK', content } },
    ...(['post', 'put'].includes(action)
      ? { requestBody: { content: { '*/*': { schema: kindReference(kind, 'v3') } } } }
      : {}),
  };
}

/** PATCH is described for each patch type: kubectl looks there for fieldValidation. */
function patchOperation(kind: Kind): Json {
  const schema = { type: 'object' };
  const types = ['json-patch', 'merge-patch', 'strategic-merge-patch'].map(
    (type) => `application/${type}+json`,
  );
  types.push('application/apply-patch+yaml');
  const content = Object.fromEntries(types.map((type) => [type, { schema }]));
  return { ...operation(kind, 'patch', WRITE_PARAMETERS), requestBody: { content } };
}

export function pathsOf(kind: Kind): Json {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${groupVersion(kind)}`;
  const collection = `${root}/${kind.namespaced ? 'namespaces/{namespace}/' : ''}${kind.plural}`;
  const scope = kind.namespaced ? [parameter('namespace', 'path')] : [];
  const post = operation(kind, 'post', WRITE_PARAMETERS);
  if (kind.verbs !== undefined) return { [collection]: { post, parameters: scope } };
  return {
    [collection]: {
      get: operation(kind, 'list'),
      post,
      delete: operation(kind, 'deletecollection'),
      parameters: scope,
    },
    [`${collection}/{name}`]: {
      get: operation(kind, 'get'),
      put: operation(kind, 'put', WRITE_PARAMETERS),
      patch: patchOperation(kind),
      delete: operation(kind, 'delete', [parameter('dryRun')]),
      parameters: [parameter('name', 'path'), ...scope],
    },
  };
}
