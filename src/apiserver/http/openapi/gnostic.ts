// OpenAPI version 2 in the protobuf form that client-go asks for: gnostic's openapi.v2.Document.
// https://github.com/google/gnostic-models/blob/main/openapiv2/OpenAPIv2.proto
// Only what Kubernetes' definitions use is written; every other keyword would be a defect of ours and throws.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Json } from './definitions.ts';

type Write = (writer: BinaryWriter) => void;

function string(writer: BinaryWriter, number: number, text: string): void {
  writer.tag(number, WireType.LengthDelimited).string(text);
}

function message(writer: BinaryWriter, number: number, write: Write): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

/** NamedSchema: name and value; how every map of gnostic's is written. */
function namedSchemas(writer: BinaryWriter, schemas: Json): void {
  for (const [name, schema] of Object.entries(schemas)) {
    message(writer, 1, (named) => {
      string(named, 1, name);
      message(named, 2, (value) => writeSchema(value, schema as Json));
    });
  }
}

function writeKeyword(writer: BinaryWriter, keyword: string, value: unknown): void {
  switch (keyword) {
    case '$ref':
      string(writer, 1, value as string);
      break;
    case 'format':
      string(writer, 2, value as string);
      break;
    case 'description':
      string(writer, 4, value as string);
      break;
    case 'required':
      for (const name of value as readonly string[]) string(writer, 19, name);
      break;
    case 'additionalProperties':
      message(writer, 21, (item) => message(item, 1, (schema) => writeSchema(schema, value as Json)));
      break;
    case 'type':
      message(writer, 22, (item) => string(item, 1, value as string));
      break;
    case 'items':
      message(writer, 23, (item) => message(item, 1, (schema) => writeSchema(schema, value as Json)));
      break;
    case 'properties':
      message(writer, 25, (properties) => namedSchemas(properties, value as Json));
      break;
    default:
      if (!keyword.startsWith('x-')) throw new Error(`gnostic: no way to write ${keyword}`);
      // NamedAny, whose value is YAML; JSON is YAML.
      message(writer, 31, (extension) => {
        string(extension, 1, keyword);
        message(extension, 2, (any) => string(any, 2, JSON.stringify(value)));
      });
  }
}

function writeSchema(writer: BinaryWriter, schema: Json): void {
  for (const [keyword, value] of Object.entries(schema)) writeKeyword(writer, keyword, value);
}

export function encodeGnostic(document: {
  readonly info: { readonly title: string; readonly version: string };
  readonly definitions: Json;
}): Uint8Array {
  const writer = new BinaryWriter();
  string(writer, 1, '2.0');
  message(writer, 2, (info) => {
    string(info, 1, document.info.title);
    string(info, 2, document.info.version);
  });
  message(writer, 8, () => {});
  message(writer, 9, (definitions) => namedSchemas(definitions, document.definitions));
  return writer.finish();
}
