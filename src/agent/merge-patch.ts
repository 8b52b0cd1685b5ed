// The JSON merge patch (RFC 7396) that turns one object into another. Lists are replaced whole, as the RFC has it.
import { isDeepStrictEqual } from 'node:util';

type JsonObject = { readonly [key: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without keys whose value is undefined: JSON has no such thing. */
function compact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(compact);
  if (!isObject(value)) return value;
  const present = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(present.map(([key, one]) => [key, compact(one)]));
}

/** Undefined: nothing differs. */
export function mergePatch(before: object | undefined, after: object): JsonObject | undefined {
  const from = compact(before ?? {}) as JsonObject;
  const to = compact(after) as JsonObject;
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [old, wanted] = [from[key], to[key]];
    if (isDeepStrictEqual(old, wanted)) continue;
    patch[key] =
      wanted === undefined ? null : isObject(old) && isObject(wanted) ? mergePatch(old, wanted) : wanted;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
