// The structural schemas of api-schema.json, parsed once: which fields an API type has and of what shape. Used to decode
// requests, to merge strategically and to describe the API; it holds no rules beyond structure.
import json from './api-schema.json' with { type: 'json' };

export type FieldSchema = {
  readonly shape: 'one' | 'list' | 'map' | 'mapOfList';
  /** string, bytes, int32, int64, number, boolean, time, quantity, intOrString, any; or the name of another type. */
  readonly word: string;
};

export type TypeSchema = {
  readonly name: string;
  /** Kubernetes' own name of the type, as OpenAPI has it: "io.k8s.api.core.v1.Pod". */
  readonly definition: string;
  readonly required: readonly string[];
  readonly fields: ReadonlyMap<string, FieldSchema>;
};

function parseField(text: string): FieldSchema {
  if (text.endsWith('[]{}')) return { shape: 'mapOfList', word: text.slice(0, -4) };
  if (text.endsWith('[]')) return { shape: 'list', word: text.slice(0, -2) };
  if (text.endsWith('{}')) return { shape: 'map', word: text.slice(0, -2) };
  return { shape: 'one', word: text };
}

type RawType = {
  readonly name: string;
  readonly required?: readonly string[];
  readonly fields: { readonly [name: string]: string };
};

const TYPES: ReadonlyMap<string, TypeSchema> = new Map(
  Object.entries(json as unknown as { readonly [name: string]: RawType }).map(([name, raw]) => [
    name,
    {
      name,
      definition: raw.name,
      required: raw.required ?? [],
      fields: new Map(Object.entries(raw.fields).map(([field, text]) => [field, parseField(text)])),
    },
  ]),
);

/** Undefined for a primitive. */
export function findType(word: string): TypeSchema | undefined {
  return TYPES.get(word);
}

export function typeSchema(name: string): TypeSchema {
  const type = TYPES.get(name);
  if (type === undefined) throw new Error(`api-schema.json has no type ${name}`);
  return type;
}

export function typeNames(): readonly string[] {
  return [...TYPES.keys()];
}
