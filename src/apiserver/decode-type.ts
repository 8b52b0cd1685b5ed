// Untrusted JSON to an object of the kind's type: a Go struct's of Kubernetes' own, or a custom resource's schema.
import type { KubeObject } from '../client/resource-api.ts';
import type { ObjectMeta } from '../kube/api-types.ts';
import { pruned } from '../kube/custom/prune.ts';
import { type Decoded, decode, isJsonObject } from '../kube/decode.ts';
import type { Kind } from './kind.ts';

function decodeCustom(kind: Pick<Kind, 'kind' | 'custom'>, body: unknown): Decoded<KubeObject> {
  if (!isJsonObject(body)) {
    const found = Array.isArray(body) ? 'array' : body === null ? 'null' : typeof body;
    return {
      ok: false,
      message: `json: cannot unmarshal ${found} into Go value of type map[string]interface {}`,
    };
  }
  const { apiVersion, kind: name, metadata = {}, ...rest } = body;
  for (const [field, value] of Object.entries({ apiVersion, kind: name })) {
    if (value !== undefined && typeof value !== 'string')
      return { ok: false, message: `${field} must be a string` };
  }
  const decodedMeta = decode<ObjectMeta>('ObjectMeta', metadata);
  if (!decodedMeta.ok) return decodedMeta;
  const unknownFields = decodedMeta.unknownFields.map((field) => `metadata.${field}`);
  const fields = pruned(rest, kind.custom?.schema ?? {}, (path) => unknownFields.push(path)) as object;
  const identity = {
    ...(apiVersion === undefined ? {} : { apiVersion: apiVersion as string }),
    ...(name === undefined ? {} : { kind: name as string }),
  };
  return { ok: true, object: { ...identity, metadata: decodedMeta.object, ...fields }, unknownFields };
}

export function decodeType(
  kind: Pick<Kind, 'kind' | 'schema' | 'custom'>,
  body: unknown,
): Decoded<KubeObject> {
  return kind.custom === undefined ? decode<KubeObject>(kind.schema, body) : decodeCustom(kind, body);
}
