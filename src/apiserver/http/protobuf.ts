// Bodies in Kubernetes' protobuf form, which client-go sends for every kind of Kubernetes' own since 1.32, kubectl's typed
// clients with it: they fall back to JSON in answers, not in requests. The types are api-schema.json's, the numbers of
// their fields protobuf-fields.json's; what comes out is what the same client would have sent as JSON. Answers are JSON.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import numbers from '../../kube/protobuf-fields.json' with { type: 'json' };
import { type FieldSchema, findType, typeNames, typeSchema } from '../../kube/schema.ts';
import { badRequest } from '../api-error.ts';

/** "k8s\0", then a runtime.Unknown that holds the object. */
const MAGIC = Buffer.from('k8s\0');

type Field = {
  readonly name: string;
  readonly schema: FieldSchema;
  /** Go's zero value means that the client left it out. */
  readonly isOptional: boolean;
};
/** What a number means in a message: a field, or a Go struct whose fields belong to the message's own type. */
type Message = Map<number, Field | Message>;

const NUMBERS: { readonly [type: string]: { readonly [field: string]: string } } = numbers;
const messages = new Map<string, Message>();

function messageOf(typeName: string): Message {
  const known = messages.get(typeName);
  if (known !== undefined) return known;
  const message: Message = new Map();
  for (const [name, schema] of typeSchema(typeName).fields) {
    const text = NUMBERS[typeName]?.[name];
    if (text === undefined) continue;
    const path = text.replace('?', '').split('.').map(Number);
    let level = message;
    for (const number of path.slice(0, -1)) {
      const below = level.get(number) ?? new Map();
      level.set(number, below);
      level = below as Message;
    }
    level.set(path.at(-1) ?? 0, { name, schema, isOptional: text.endsWith('?') });
  }
  messages.set(typeName, message);
  return message;
}

/** Calls back for each field; whoever does not read it skips it. */
function eachField(reader: BinaryReader, visit: (number: number, wire: WireType) => boolean): void {
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (!visit(number, wire)) reader.skip(wire, number);
  }
}

/** A small message of Kubernetes' own that JSON spells as one value: its numbered integers and byte strings. */
function readParts(bytes: Uint8Array): ReadonlyMap<number, bigint | Buffer> {
  const parts = new Map<number, bigint | Buffer>();
  const reader = new BinaryReader(bytes);
  eachField(reader, (number, wire) => {
    if (wire === WireType.Varint) parts.set(number, BigInt(reader.int64()));
    else if (wire === WireType.LengthDelimited) parts.set(number, Buffer.from(reader.bytes()));
    else return false;
    return true;
  });
  return parts;
}

/** The zero time, which is how Go says none, is null. */
function timeOf(bytes: Uint8Array): string | null {
  const parts = readParts(bytes);
  const [seconds, nanos] = [Number(parts.get(1) ?? 0), Number(parts.get(2) ?? 0)];
  if (seconds <= 0) return null;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return nanos === 0 ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

function intOrStringOf(bytes: Uint8Array): number | string {
  const parts = readParts(bytes);
  return Number(parts.get(1) ?? 0) === 0 ? Number(parts.get(2) ?? 0) : String(parts.get(3) ?? '');
}

function readValue(reader: BinaryReader, word: string): unknown {
  switch (word) {
    case 'string':
      return reader.string();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'int32':
    case 'int64':
      return Number(reader.int64());
    case 'boolean':
      return reader.bool();
    case 'time':
      return timeOf(reader.bytes());
    case 'quantity':
      return String(readParts(reader.bytes()).get(1) ?? '0');
    case 'intOrString':
      return intOrStringOf(reader.bytes());
    case 'any':
      return JSON.parse(String(readParts(reader.bytes()).get(1) ?? 'null')) as unknown;
    default:
      return readMessage(reader.bytes(), messageOf(word));
  }
}

/** A map comes as its entries, each a message of key and value; a list in a map is a message of its items. */
function readEntry(bytes: Uint8Array, { shape, word }: FieldSchema): readonly [string, unknown] {
  const reader = new BinaryReader(bytes);
  let key = '';
  let value: unknown = findType(word) === undefined ? '' : {};
  eachField(reader, (number, wire) => {
    if (wire !== WireType.LengthDelimited || number > 2) return false;
    if (number === 1) key = reader.string();
    else if (shape === 'map') value = readValue(reader, word);
    else value = readItems(reader.bytes(), word);
    return true;
  });
  return [key, value];
}

function readItems(bytes: Uint8Array, word: string): unknown[] {
  const reader = new BinaryReader(bytes);
  const items: unknown[] = [];
  eachField(reader, (number) => {
    if (number !== 1) return false;
    items.push(readValue(reader, word));
    return true;
  });
  return items;
}

type Decoded = { [field: string]: unknown };

function readField(reader: BinaryReader, { name, schema, isOptional }: Field, target: Decoded): void {
  switch (schema.shape) {
    case 'one': {
      const value = readValue(reader, schema.word);
      const isZero = value === '' || value === 0 || value === false;
      if (!(isZero && isOptional)) target[name] = value;
      return;
    }
    case 'list':
      target[name] = [...((target[name] ?? []) as unknown[]), readValue(reader, schema.word)];
      return;
    case 'map':
    case 'mapOfList':
      target[name] = Object.fromEntries([
        ...Object.entries((target[name] ?? {}) as Decoded),
        readEntry(reader.bytes(), schema),
      ]);
  }
}

const VARINTS = ['int32', 'int64', 'boolean'];

function readMessage(bytes: Uint8Array, message: Message, target: Decoded = {}): Decoded {
  const reader = new BinaryReader(bytes);
  eachField(reader, (number, wire) => {
    const member = message.get(number);
    if (member === undefined) return false;
    const isVarint = !(member instanceof Map) && VARINTS.includes(member.schema.word);
    if (wire !== (isVarint ? WireType.Varint : WireType.LengthDelimited)) {
      throw new Error(`field ${number} has wire type ${wire}`);
    }
    if (member instanceof Map) readMessage(reader.bytes(), member, target);
    else readField(reader, member, target);
    return true;
  });
  return target;
}

/** By group (its first label, as Go's packages are named), version and kind. */
const TYPES: ReadonlyMap<string, string> = new Map(
  typeNames()
    .filter((name) => name in NUMBERS)
    .map((name) => [typeSchema(name).definition.split('.').slice(-3).join('/'), name]),
);

function typeOf(apiVersion: string, kind: string): string | undefined {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  // The options of a verb are of no group: they come under the group of what the verb is about.
  return TYPES.get(`${group.split('.')[0]}/${version}/${kind}`) ?? TYPES.get(`meta/v1/${kind}`);
}

/** The object as JSON; undefined when it is of a kind that is not read in this form. @throws BadRequest */
export function decodeProtobuf(body: Buffer): unknown {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest('the body has no protobuf prefix');
  try {
    const unknown = readParts(body.subarray(MAGIC.length));
    const typeMeta = readParts((unknown.get(1) as Buffer | undefined) ?? Buffer.of());
    const [apiVersion, kind] = [String(typeMeta.get(1) ?? ''), String(typeMeta.get(2) ?? '')];
    const type = typeOf(apiVersion, kind);
    if (type === undefined) return undefined;
    return { apiVersion, kind, ...readMessage(unknown.get(2) as Buffer, messageOf(type)) };
  } catch (cause) {
    throw badRequest(
      `the protobuf body does not parse: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}
