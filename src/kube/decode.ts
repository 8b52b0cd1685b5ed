// From untrusted JSON to a typed object, as kube-apiserver decodes: a wrong type is an error in the words of Go's JSON
// decoder, an unknown field is dropped and reported, null means absent, quantities get their canonical spelling. The
// result shares nothing with its input. It checks structure only; rules are validation's.
import { canonicalQuantity } from './canonical-quantity.ts';
import { type FieldSchema, findType, type TypeSchema, typeSchema } from './schema.ts';

export type Decoded<T> =
  | { readonly ok: true; readonly object: T; readonly unknownFields: readonly string[] }
  /** "json: cannot unmarshal number into Go struct field ..." */
  | { readonly ok: false; readonly message: string };

type JsonObject = { readonly [key: string]: unknown };

class DecodeFailure extends Error {}

const GO_TYPES: Record<string, string> = { boolean: 'bool', number: 'float64', bytes: '[]uint8' };

function goType({ word, shape }: FieldSchema): string {
  const one = findType(word) === undefined ? (GO_TYPES[word] ?? word) : `v1.${word}`;
  switch (shape) {
    case 'one':
      return one;
    case 'list':
      return `[]${one}`;
    case 'map':
      return `map[string]${one}`;
    case 'mapOfList':
      return `map[string][]${one}`;
  }
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where the decoder is. `struct` is the Go struct whose field is being read. */
type Cursor = { readonly path: (string | number)[]; struct: string; readonly unknownFields: string[] };

function fail(cursor: Cursor, value: string, type: string): never {
  const names = cursor.path.filter((step) => typeof step === 'string');
  const where = names.length === 0 ? 'Go value' : `Go struct field ${cursor.struct}.${names.join('.')}`;
  throw new DecodeFailure(`json: cannot unmarshal ${value} into ${where} of type ${type}`);
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

function decodeInteger(value: unknown, word: string, cursor: Cursor): number {
  if (typeof value !== 'number') fail(cursor, jsonType(value), word);
  const max = word === 'int32' ? 2 ** 31 : 2 ** 63;
  if (!Number.isInteger(value) || value >= max || value < -max) fail(cursor, `number ${value}`, word);
  return value;
}

const QUANTITY_SYNTAX =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeText(value: unknown, word: string, cursor: Cursor): string {
  if (typeof value !== 'string') fail(cursor, jsonType(value), GO_TYPES[word] ?? word);
  return value;
}

function decodePrimitive(value: unknown, word: string, cursor: Cursor): unknown {
  switch (word) {
    case 'string':
      return decodeText(value, word, cursor);
    case 'boolean':
      return typeof value === 'boolean' ? value : fail(cursor, jsonType(value), 'bool');
    case 'int32':
    case 'int64':
      return decodeInteger(value, word, cursor);
    case 'number':
      return typeof value === 'number' ? value : fail(cursor, jsonType(value), 'float64');
    case 'intOrString':
      return typeof value === 'number'
        ? decodeInteger(value, 'int32', cursor)
        : decodeText(value, word, cursor);
    case 'quantity': {
      const text = typeof value === 'number' || typeof value === 'string' ? String(value) : undefined;
      const quantity = text === undefined ? undefined : canonicalQuantity(text);
      if (quantity === undefined) throw new DecodeFailure(QUANTITY_SYNTAX);
      return quantity;
    }
    case 'time': {
      const text = decodeText(value, 'Time', cursor);
      if (TIME.test(text) && !Number.isNaN(Date.parse(text))) return text;
      const layout = '2006-01-02T15:04:05Z07:00';
      throw new DecodeFailure(`parsing time ${JSON.stringify(text)} as "${layout}": cannot parse it`);
    }
    case 'bytes': {
      const text = decodeText(value, word, cursor).replace(/[\r\n]/g, '');
      if (BASE64.test(text)) return text;
      const at = text.search(/[^A-Za-z0-9+/]/);
      throw new DecodeFailure(`illegal base64 data at input byte ${at < 0 ? text.length : at}`);
    }
    default:
      return plainCopy(value);
  }
}

/** Of JSON, a tenth of structuredClone's time; managedFields make up a third of an object. */
function plainCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainCopy);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainCopy(one)]));
}

function decodeOne(value: unknown, word: string, cursor: Cursor): unknown {
  const type = findType(word);
  return type === undefined ? decodePrimitive(value, word, cursor) : decodeStruct(value, type, cursor);
}

function decodeList(value: unknown, field: FieldSchema, cursor: Cursor): unknown[] {
  if (!Array.isArray(value)) fail(cursor, jsonType(value), goType({ ...field, shape: 'list' }));
  return value.map((item, index) => {
    cursor.path.push(index);
    // Go leaves the zero value for a null in a list.
    const decoded = item === null ? zeroOf(field.word) : decodeOne(item, field.word, cursor);
    cursor.path.pop();
    return decoded;
  });
}

function zeroOf(word: string): unknown {
  if (findType(word) !== undefined) return {};
  if (word === 'int32' || word === 'int64' || word === 'number') return 0;
  return word === 'boolean' ? false : '';
}

function decodeMap(value: unknown, field: FieldSchema, cursor: Cursor): JsonObject {
  if (!isJsonObject(value)) fail(cursor, jsonType(value), goType(field));
  const entries = Object.entries(value).map(([key, item]) => {
    if (item === null) return [key, field.shape === 'map' ? zeroOf(field.word) : []];
    const decoded =
      field.shape === 'map' ? decodeOne(item, field.word, cursor) : decodeList(item, field, cursor);
    return [key, decoded];
  });
  return Object.fromEntries(entries) as JsonObject;
}

function decodeField(value: unknown, field: FieldSchema, cursor: Cursor): unknown {
  switch (field.shape) {
    case 'one':
      return decodeOne(value, field.word, cursor);
    case 'list':
      return decodeList(value, field, cursor);
    case 'map':
    case 'mapOfList':
      return decodeMap(value, field, cursor);
  }
}

function decodeStruct(value: unknown, type: TypeSchema, cursor: Cursor): JsonObject {
  if (!isJsonObject(value)) fail(cursor, jsonType(value), `v1.${type.name}`);
  const outer = cursor.struct;
  const decoded: { [key: string]: unknown } = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    const field = type.fields.get(key);
    cursor.path.push(key);
    if (field === undefined) cursor.unknownFields.push(pathText(cursor.path));
    else if (item !== null && item !== undefined) {
      cursor.struct = type.name;
      decoded[key] = decodeField(item, field, cursor);
    }
    cursor.path.pop();
  }
  cursor.struct = outer;
  return decoded;
}

/** @param typeName a type of api-schema.json. */
export function decode<T>(typeName: string, value: unknown): Decoded<T> {
  const cursor: Cursor = { path: [], struct: typeName, unknownFields: [] };
  try {
    const object = decodeStruct(value, typeSchema(typeName), cursor) as T;
    return { ok: true, object, unknownFields: cursor.unknownFields };
  } catch (error) {
    if (error instanceof DecodeFailure) return { ok: false, message: error.message };
    throw error;
  }
}
