// RFC 7386, application/merge-patch+json: objects merge, null deletes, everything else replaces.
import { isJsonObject } from '../decode.ts';

/** The document is not changed; the result shares what was not touched. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result: { [key: string]: unknown } = isJsonObject(document) ? { ...document } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(result[key], value);
  }
  return result;
}
