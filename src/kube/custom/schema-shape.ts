// How server-side apply shares an object of a structural schema: see apply/typed-value.ts.
import type { Shape } from '../apply/typed-value.ts';
import { isEmbedded, itemsOf, preservesUnknown, type Schema, valuesOf } from './structural-schema.ts';

const LEAF: Shape = { kind: 'leaf' };
const FREE: Shape = { kind: 'free' };

function listShape(schema: Schema): Shape {
  const items = itemsOf(schema);
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return { kind: 'set' };
    case 'map': {
      const keys = schema['x-kubernetes-list-map-keys'] ?? [];
      return { kind: 'items', keys, element: items === undefined ? FREE : schemaShape(items) };
    }
    default:
      return LEAF;
  }
}

export function schemaShape(schema: Schema): Shape {
  if (schema.type === 'array') return listShape(schema);
  if (schema['x-kubernetes-map-type'] === 'atomic') return LEAF;
  const values = valuesOf(schema);
  if (values !== undefined) return { kind: 'map', element: schemaShape(values) };
  const { properties } = schema;
  if (properties === undefined && !isEmbedded(schema)) return preservesUnknown(schema) ? FREE : LEAF;
  const shapes = new Map(Object.entries(properties ?? {}).map(([name, one]) => [name, schemaShape(one)]));
  return { kind: 'record', fieldOf: (name) => shapes.get(name) ?? (preservesUnknown(schema) ? FREE : LEAF) };
}
