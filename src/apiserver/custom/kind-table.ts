// Every kind that is served now: the built-in ones, and those of the CustomResourceDefinitions in the store. It remembers
// only what it made of a definition, by the definition itself: a change of one is another object.
import type { KubeObject } from '../../client/resource-api.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../client/resources.ts';
import type { CustomResourceDefinition } from '../../kube/api-types.ts';
import type { Store } from '../../store/store.ts';
import type { Kind } from '../kind.ts';
import { storagePrefix } from '../storage-key.ts';
import { kindsOf } from './custom-kind.ts';

export function createKindTable(store: Store<KubeObject>, builtIn: readonly Kind[]): () => readonly Kind[] {
  const made = new WeakMap<KubeObject, Kind[]>();
  const prefix = storagePrefix(CUSTOM_RESOURCE_DEFINITIONS);
  let definitions: readonly KubeObject[] = [];
  let table = builtIn;
  const kindsOfOne = (definition: KubeObject): Kind[] => {
    const known = made.get(definition) ?? kindsOf(definition as CustomResourceDefinition);
    made.set(definition, known);
    return known;
  };
  return () => {
    const { values } = store.list({ prefix });
    const isSame = values.length === definitions.length && values.every((one, at) => one === definitions[at]);
    if (isSame) return table;
    definitions = values;
    table = [...builtIn, ...values.flatMap(kindsOfOne)];
    return table;
  };
}
