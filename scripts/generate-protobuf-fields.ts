// Generates src/kube/protobuf-fields.json, the numbers that the fields of api-schema.json have in Kubernetes' protobuf form.
// They are published as tags of Go's structs, and no npm package carries those but in a program: kubectl's own, which the
// tests have anyway. test/kube/protobuf.test.ts fails when the file is not what this makes of that kubectl.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoField, type GoStruct, readGoStructs } from './go-structs.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(ROOT, 'src/kube/protobuf-fields.json');
const KUBECTL = join(ROOT, '.podwright/kubectl/kubectl');

/** kubectl does not know the types of CustomResourceDefinitions. */
const ABSENT = /apiextensions-apiserver/;

/** "io.k8s.api.core.v1.Pod" is "Pod" of the package "k8s.io/api/core/v1". */
function goName(definition: string): string {
  const parts = definition.replace(/^io\.k8s\./, '').split('.');
  return `k8s.io/${parts.slice(0, -1).join('/')}.${parts.at(-1)}`;
}

/** Field to number; an embedded struct's fields have both numbers, "2.1". A "?" says that Go's zero value means absent. */
function numbersOf({ fields }: GoStruct): [string, string][] {
  return fields.flatMap((field: GoField) => {
    const number = /protobuf:"\w+,(\d+)/.exec(field.tag)?.[1];
    const [name = '', ...options] = (/json:"([^"]*)"/.exec(field.tag)?.[1] ?? '').split(',');
    if (number === undefined) return [];
    if (name === '' && field.struct !== undefined) {
      return numbersOf(field.struct).map(([inner, path]): [string, string] => [inner, `${number}.${path}`]);
    }
    const isOptional = options.includes('omitempty') && !field.isPointer;
    return [[name, `${number}${isOptional ? '?' : ''}`]];
  });
}

export function protobufFields(): string {
  const structs = new Map(
    readGoStructs(KUBECTL).map((struct) => [`${struct.packagePath}.${struct.name}`, struct]),
  );
  type Types = { readonly [type: string]: { readonly name: string; readonly fields: object } };
  const schema = JSON.parse(readFileSync(join(ROOT, 'src/kube/api-schema.json'), 'utf8')) as Types;
  const lines = Object.entries(schema)
    .filter(([, { name }]) => !ABSENT.test(name))
    .map(([type, { name, fields }]) => {
      const struct = structs.get(goName(name));
      if (struct === undefined) throw new Error(`kubectl has no type ${goName(name)}`);
      const numbers = numbersOf(struct).filter(([field]) => field in fields);
      return `${JSON.stringify(type)}: ${JSON.stringify(Object.fromEntries(numbers))}`;
    });
  return `{\n${lines.join(',\n')}\n}\n`;
}

if (import.meta.main) writeFileSync(OUTPUT, protobufFields());
