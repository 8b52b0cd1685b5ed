// OpenAPI definitions of custom resources: the definition's own schema, with what every object has beside it. Version 2 knows
// fewer keywords; what it does not know it leaves out, and where a value may be of several types it says nothing of it.
import { isJsonObject } from '../../../kube/decode.ts';
import type { Kind } from '../../kind.ts';
import type { Json, Version } from './definitions.ts';

/** "com.example.v1.CronTab". */
export function customDefinitionName({ group, version, kind }: Kind): string {
  return [...group.split('.').reverse(), version, kind].join('.');
}

/** What gnostic's form of version 2 is written with (gnostic.ts), beside extensions. */
const V2_KEYWORDS = ['format', 'description', 'required', 'type'];

function v2Schema(schema: Json): Json {
  if (schema['x-kubernetes-int-or-string'] === true) return { 'x-kubernetes-int-or-string': true };
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (keyword === 'properties') {
      const below = Object.entries(value as Json).map(([name, one]) => [name, v2Schema(one as Json)]);
      return [[keyword, Object.fromEntries(below)]];
    }
    if ((keyword === 'items' || keyword === 'additionalProperties') && isJsonObject(value))
      return [[keyword, v2Schema(value)]];
    return V2_KEYWORDS.includes(keyword) || keyword.startsWith('x-') ? [[keyword, value]] : [];
  });
  return Object.fromEntries(entries);
}

export function customDefinition(kind: Kind, version: Version, metadata: Json): Json {
  const schema = (kind.custom?.schema ?? {}) as Json;
  const described = version === 'v3' ? schema : v2Schema(schema);
  const { group, version: own, kind: name } = kind;
  return {
    type: 'object',
    ...described,
    properties: {
      ...(described.properties as Json | undefined),
      apiVersion: {
        type: 'string',
        description: 'APIVersion defines the versioned schema of this representation of an object.',
      },
      kind: {
        type: 'string',
        description: 'Kind is a string value representing the REST resource this object represents.',
      },
      metadata,
    },
    'x-kubernetes-group-version-kind': [{ group, version: own, kind: name }],
  };
}
