// Bodies in Kubernetes' protobuf form, for the kinds that `kubectl create` sends so without a way back to JSON:
// ConfigMap, Secret, Namespace, ServiceAccount. Every other kind is 415, and answers are always JSON.
// The field numbers are those of k8s.io/api/core/v1/generated.proto; a field that is not listed is skipped.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { badRequest } from '../api-error.ts';

/** "k8s\0", then a runtime.Unknown that holds the object. */
const MAGIC = Buffer.from('k8s\0');

type FieldType =
  | 'string'
  | 'bytes'
  | 'int64'
  | 'bool'
  | 'time'
  | 'stringMap'
  | 'bytesMap'
  | { readonly message: string };
type Field = { readonly name: string; readonly type: FieldType; readonly isList?: true };
type Message = { readonly [number: number]: Field };

const string = (name: string): Field => ({ name, type: 'string' });
const message = (name: string, type: string): Field => ({ name, type: { message: type } });
const list = (field: Field): Field => ({ ...field, isList: true });

const META = message('metadata', 'ObjectMeta');

const MESSAGES: { readonly [name: string]: Message } = {
  ObjectMeta: {
    1: string('name'),
    2: string('generateName'),
    3: string('namespace'),
    5: string('uid'),
    6: string('resourceVersion'),
    7: { name: 'generation', type: 'int64' },
    8: { name: 'creationTimestamp', type: 'time' },
    11: { name: 'labels', type: 'stringMap' },
    12: { name: 'annotations', type: 'stringMap' },
    14: list(string('finalizers')),
  },
  ConfigMap: {
    1: META,
    2: { name: 'data', type: 'stringMap' },
    3: { name: 'binaryData', type: 'bytesMap' },
    4: { name: 'immutable', type: 'bool' },
  },
  Secret: {
    1: META,
    2: { name: 'data', type: 'bytesMap' },
    3: string('type'),
    4: { name: 'stringData', type: 'stringMap' },
    5: { name: 'immutable', type: 'bool' },
  },
  Namespace: { 1: META, 2: message('spec', 'NamespaceSpec'), 3: message('status', 'NamespaceStatus') },
  NamespaceSpec: { 1: list(string('finalizers')) },
  NamespaceStatus: { 1: string('phase') },
  ServiceAccount: {
    1: META,
    2: list(message('secrets', 'ObjectReference')),
    3: list(message('imagePullSecrets', 'LocalObjectReference')),
    4: { name: 'automountServiceAccountToken', type: 'bool' },
  },
  ObjectReference: {
    1: string('kind'),
    2: string('namespace'),
    3: string('name'),
    4: string('uid'),
    5: string('apiVersion'),
    6: string('resourceVersion'),
    7: string('fieldPath'),
  },
  LocalObjectReference: { 1: string('name') },
  Time: { 1: { name: 'seconds', type: 'int64' } },
  StringEntry: { 1: string('key'), 2: string('value') },
  BytesEntry: { 1: string('key'), 2: { name: 'value', type: 'bytes' } },
  Unknown: { 1: message('typeMeta', 'TypeMeta'), 2: { name: 'raw', type: 'bytes' } },
  TypeMeta: { 1: string('apiVersion'), 2: string('kind') },
};

const ROOTS = ['ConfigMap', 'Secret', 'Namespace', 'ServiceAccount'];

type Decoded = { [field: string]: unknown };

function readField(reader: BinaryReader, type: FieldType): unknown {
  if (typeof type === 'object') return readMessage(reader.bytes(), type.message);
  switch (type) {
    case 'string':
      return reader.string();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'int64':
      return Number(reader.int64());
    case 'bool':
      return reader.bool();
    case 'time': {
      const seconds = Number(readMessage(reader.bytes(), 'Time').seconds ?? 0);
      // Go's zero time: there is none.
      return seconds > 0 ? new Date(seconds * 1000).toISOString() : null;
    }
    case 'stringMap':
    case 'bytesMap': {
      const entry = readMessage(reader.bytes(), type === 'stringMap' ? 'StringEntry' : 'BytesEntry');
      return [String(entry.key ?? ''), entry.value ?? ''];
    }
  }
}

function add(target: Decoded, field: Field, value: unknown): void {
  if (field.type === 'stringMap' || field.type === 'bytesMap') {
    const present = (target[field.name] ?? {}) as object;
    target[field.name] = { ...present, ...Object.fromEntries([value as [string, unknown]]) };
  } else if (field.isList === true) {
    target[field.name] = [...((target[field.name] ?? []) as unknown[]), value];
  } else target[field.name] = value;
}

function readMessage(bytes: Uint8Array, name: string): Decoded {
  const reader = new BinaryReader(bytes);
  const target: Decoded = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = MESSAGES[name]?.[number];
    const expected =
      field?.type === 'int64' || field?.type === 'bool' ? WireType.Varint : WireType.LengthDelimited;
    if (field === undefined) reader.skip(wireType, number);
    else if (wireType !== expected) throw new Error(`${name}.${field.name} has wire type ${wireType}`);
    else add(target, field, readField(reader, field.type));
  }
  return target;
}

/** The object as JSON; undefined when it is of a kind that is not read in this form. @throws BadRequest */
export function decodeProtobuf(body: Buffer): unknown {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest('the body has no protobuf prefix');
  try {
    const { typeMeta, raw = '' } = readMessage(body.subarray(MAGIC.length), 'Unknown');
    const { apiVersion, kind } = (typeMeta ?? {}) as { apiVersion?: string; kind?: string };
    if (apiVersion !== 'v1' || kind === undefined || !ROOTS.includes(kind)) return undefined;
    return { apiVersion, kind, ...readMessage(Buffer.from(String(raw), 'base64'), kind) };
  } catch (cause) {
    throw badRequest(
      `the protobuf body does not parse: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}
