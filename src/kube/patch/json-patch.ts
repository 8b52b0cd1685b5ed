// RFC 6902, application/json-patch+json. The document is not changed; the result shares what was not touched.
import { isDeepStrictEqual } from 'node:util';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { isJsonObject } from '../decode.ts';

type Step = { readonly op: string; readonly path: string; readonly from?: string; readonly value?: unknown };
type Change = (current: unknown) => unknown;

function bad(message: string): PodwrightError {
  return new PodwrightError('BadRequest', message);
}

/** What is well-formed but does not fit the document: 422, as kube-apiserver answers. */
function unfit(message: string): PodwrightError {
  return new PodwrightError(
    'Invalid',
    `the server rejected our request due to an error in our request: ${message}`,
  );
}

function tooLarge(why: string): PodwrightError {
  return new PodwrightError('RequestEntityTooLarge', `json patch: ${why}`);
}

function parsePointer(path: string): string[] {
  if (path === '') return [];
  if (!path.startsWith('/')) throw bad(`json patch: path ${JSON.stringify(path)} does not start with "/"`);
  const parts = path.slice(1).split('/');
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function listIndex(list: readonly unknown[], part: string, end: number): number {
  const index = /^(0|[1-9]\d*)$/.test(part) ? Number(part) : -1;
  if (index < 0 || index > end) throw unfit(`index ${part} is out of a list of ${list.length}`);
  return index;
}

function child(document: unknown, part: string): unknown {
  if (Array.isArray(document)) return document[listIndex(document, part, document.length - 1)];
  if (isJsonObject(document) && Object.hasOwn(document, part)) return document[part];
  throw unfit(`there is nothing at ${JSON.stringify(part)}`);
}

/** The document with `change` applied at its last container: the object or list that holds the last part. */
function within(
  document: unknown,
  parts: readonly string[],
  change: (holder: unknown, last: string) => unknown,
): unknown {
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return change(document, first);
  const inner = within(child(document, first), rest, change);
  if (Array.isArray(document)) return document.with(Number(first), inner);
  return { ...(document as object), [first]: inner };
}

function at(document: unknown, parts: readonly string[]): unknown {
  return parts.reduce(child, document);
}

function add(document: unknown, parts: readonly string[], value: unknown): unknown {
  if (parts.length === 0) return value;
  return within(document, parts, (holder, last) => {
    if (Array.isArray(holder)) {
      return holder.toSpliced(
        last === '-' ? holder.length : listIndex(holder, last, holder.length),
        0,
        value,
      );
    }
    if (!isJsonObject(holder))
      throw unfit(`cannot add ${JSON.stringify(last)} to what is neither object nor list`);
    return { ...holder, [last]: value };
  });
}

function remove(document: unknown, parts: readonly string[]): unknown {
  if (parts.length === 0) return null;
  return within(document, parts, (holder, last) => {
    child(holder, last);
    if (Array.isArray(holder)) return holder.toSpliced(Number(last), 1);
    const { [last]: _, ...rest } = holder as { [key: string]: unknown };
    return rest;
  });
}

function replace(document: unknown, parts: readonly string[], change: Change): unknown {
  if (parts.length === 0) return change(document);
  return within(document, parts, (holder, last) => {
    const value = change(child(holder, last));
    return Array.isArray(holder)
      ? holder.with(Number(last), value)
      : { ...(holder as object), [last]: value };
  });
}

function applyStep(document: unknown, step: Step): unknown {
  const parts = parsePointer(step.path);
  const from = (): string[] => {
    if (typeof step.from !== 'string') throw bad(`json patch: ${step.op} needs "from"`);
    return parsePointer(step.from);
  };
  switch (step.op) {
    case 'add':
      return add(document, parts, step.value);
    case 'remove':
      return remove(document, parts);
    case 'replace':
      return replace(document, parts, () => step.value);
    case 'copy':
      return add(document, parts, at(document, from()));
    case 'move': {
      const source = from();
      return add(remove(document, source), parts, at(document, source));
    }
    case 'test':
      if (!isDeepStrictEqual(at(document, parts), step.value))
        throw unfit(`testing path ${step.path} failed`);
      return document;
    default:
      throw bad(`json patch: unexpected kind: ${step.op}`);
  }
}

/**
 * A few copies of copies would be more than memory holds: they are bounded, as in kube-apiserver.
 * @throws BadRequest when it is no JSON patch, RequestEntityTooLarge, Invalid when it does not fit the document.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw bad('json patch: the patch is not a list of operations');
  if (patch.length > BOUNDS.jsonPatchSteps)
    throw tooLarge(`${patch.length} operations, more than ${BOUNDS.jsonPatchSteps}`);
  let copiedBytes = 0;
  return patch.reduce<unknown>((current, step: unknown) => {
    if (!isJsonObject(step) || typeof step.op !== 'string' || typeof step.path !== 'string') {
      throw bad('json patch: an operation needs "op" and "path"');
    }
    if (step.op === 'copy' && typeof step.from === 'string') {
      copiedBytes += JSON.stringify(at(current, parsePointer(step.from))).length;
      if (copiedBytes > BOUNDS.requestBodyBytes)
        throw tooLarge(`its copies are larger than ${BOUNDS.requestBodyBytes} bytes`);
    }
    return applyStep(current, step as Step);
  }, document);
}
