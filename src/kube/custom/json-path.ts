// The simple JSONPaths of CustomResourceDefinitions: fields, indexes, and one equality filter on a list, as
// .status.conditions[?(@.type=="Ready")].status. No wildcards, no recursion: what is more is refused when it is parsed.
import { isJsonObject } from '../decode.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'filter'; readonly name: string; readonly value: string };

const STEP =
  /\.([A-Za-z_][\w-]*(?:\\\.[\w-]+)*)|\[(\d+)\]|\[['"]([^'"]+)['"]\]|\[\?\(@\.([\w-]+)\s*==\s*['"]([^'"]*)['"]\)\]/y;

/** Undefined for what is no such path. */
export function parseJsonPath(text: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const found = STEP.exec(text);
    if (found === null) return undefined;
    const [, name, index, quoted, filter, value = ''] = found;
    if (filter !== undefined) steps.push({ kind: 'filter', name: filter, value });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else steps.push({ kind: 'field', name: (name ?? quoted ?? '').replaceAll('\\.', '.') });
  }
  return steps.length === 0 ? undefined : steps;
}

function step(value: unknown, one: Step): unknown {
  switch (one.kind) {
    case 'field':
      return isJsonObject(value) ? value[one.name] : undefined;
    case 'index':
      return Array.isArray(value) ? value[one.index] : undefined;
    case 'filter':
      return Array.isArray(value)
        ? value.find((item) => isJsonObject(item) && String(item[one.name]) === one.value)
        : undefined;
  }
}

export function valueAtPath(object: unknown, path: readonly Step[]): unknown {
  return path.reduce<unknown>(step, object);
}

/** The names of a path that is fields only, ".spec.replicas"; undefined for any other. */
export function fieldsOfPath(text: string): readonly string[] | undefined {
  const steps = parseJsonPath(text);
  const names = steps?.flatMap((one) => (one.kind === 'field' ? [one.name] : []));
  return names?.length === steps?.length ? names : undefined;
}
