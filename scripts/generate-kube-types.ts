// Generates src/kube/api-types.ts (TypeScript) and src/kube/api-schema.json (the same shapes as data, for validation,
// strategic merge and OpenAPI) from the models of the npm package @kubernetes/client-node, whose version follows
// Kubernetes' own. It never runs at run time; `npm run check` fails when its output is not what is committed.
//
// What the package does not tell (which strings are quantities, int-or-string fields) stands in two tables here and is
// compared with the published OpenAPI document by test/kube/api-schema.test.ts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODELS = join(ROOT, 'node_modules/@kubernetes/client-node/dist/gen/models');

/** The kinds served; everything they refer to follows. */
const ROOT_MODELS = [
  'V1Pod',
  'V1Node',
  'V1Namespace',
  'V1ConfigMap',
  'V1Secret',
  'CoreV1Event',
  'V1Binding',
  'V1Status',
  'V1DeleteOptions',
  'V1APIResourceList',
  'V1APIGroupList',
  'V1ServiceAccount',
];

/** Names that would clash or mislead without their prefix. */
const RENAMED: Record<string, string> = { CoreV1Event: 'Event', CoreV1EventSeries: 'EventSeries' };

/** Fields holding resource.Quantity ("100m", "1Gi", or a bare number), which the package types as string. */
const QUANTITY_FIELDS = new Set([
  'limits',
  'requests',
  'capacity',
  'allocatable',
  'allocatedResources',
  'overhead',
  'sizeLimit',
  'divisor',
  'resources',
]);

type Field = { type: string; required: boolean; format: string; doc: string };
type Model = { doc: string; fields: Map<string, Field> };

function shortName(model: string): string {
  return RENAMED[model] ?? model.replace(/^V1(?=[A-Z])/, '');
}

function cleanDoc(raw: string): string {
  return raw
    .split('\n')
    .map((line) => line.replace(/^\s*\*?\s?/, ''))
    .join(' ')
    .replaceAll("\\'", "'")
    .replaceAll('\\"', '"')
    .trim();
}

function readModel(name: string): Model {
  const declaration = readFileSync(join(MODELS, `${name}.d.ts`), 'utf8');
  const script = readFileSync(join(MODELS, `${name}.js`), 'utf8');
  const mapText = /attributeTypeMap = (\[[\s\S]*?\]);/.exec(script)?.[1] ?? '[]';
  const attributes = JSON.parse(mapText) as {
    name: string;
    baseName: string;
    type: string;
    format: string;
  }[];
  const fields = new Map<string, Field>();
  for (const attribute of attributes) {
    const pattern = new RegExp(
      `(?:/\\*\\*([^/]*(?:/(?!\\*)[^/]*)*?)\\*/\\s*)?'${attribute.name}'(\\?)?:`,
      'm',
    );
    const found = pattern.exec(declaration);
    if (found === null) throw new Error(`${name}.d.ts does not declare ${attribute.name}`);
    const docStart = declaration.lastIndexOf('/**', declaration.indexOf(`'${attribute.name}'`));
    const docEnd = declaration.indexOf('*/', docStart);
    fields.set(attribute.baseName, {
      type: attribute.type,
      format: attribute.format,
      required: found[2] !== '?',
      doc: cleanDoc(declaration.slice(docStart + 3, docEnd)),
    });
  }
  const classDocEnd = declaration.lastIndexOf('*/', declaration.indexOf('export declare class'));
  const classDocStart = declaration.lastIndexOf('/**', classDocEnd);
  return { doc: cleanDoc(declaration.slice(classDocStart + 3, classDocEnd)), fields };
}

/** "Array<V1Container>" -> { list of Container }, "{ [key: string]: string; }" -> { map of string }, ... */
type Shape = { of: string; kind: 'one' | 'list' | 'map' | 'mapOfList' };
function parseType(type: string): Shape {
  const list = /^(?:Array|Set)<(.+)>$/.exec(type)?.[1];
  if (list !== undefined) return { of: list, kind: 'list' };
  const map = /^\{ \[key: string\]: (.+?);? \}$/.exec(type)?.[1];
  if (map !== undefined) {
    const inner = parseType(map);
    return { of: inner.of, kind: inner.kind === 'list' ? 'mapOfList' : 'map' };
  }
  return { of: type, kind: 'one' };
}

/** The word used in api-schema.json: a primitive or the name of a model. */
function schemaWord(field: string, shape: Shape, format: string): string {
  if (QUANTITY_FIELDS.has(field) && shape.of === 'string') return 'quantity';
  switch (shape.of) {
    case 'string':
      if (format === 'byte') return 'bytes';
      return format === 'int-or-string' ? 'intOrString' : 'string';
    case 'number':
      return format === 'double' ? 'number' : format === 'int32' ? 'int32' : 'int64';
    case 'boolean':
      return 'boolean';
    case 'Date':
    case 'V1MicroTime':
      return 'time';
    case 'IntOrString':
    case 'number | string':
      return 'intOrString';
    case 'any':
    case 'object':
      return 'any';
    default:
      return shortName(shape.of);
  }
}

const TYPE_OF_WORD: Record<string, string> = {
  quantity: 'Quantity',
  string: 'string',
  bytes: 'string',
  number: 'number',
  int32: 'number',
  int64: 'number',
  boolean: 'boolean',
  time: 'string',
  intOrString: 'number | string',
  any: 'unknown',
};

function typeText(word: string, kind: Shape['kind']): string {
  const one = TYPE_OF_WORD[word] ?? word;
  switch (kind) {
    case 'one':
      return one;
    case 'list':
      return `readonly ${one.includes('|') ? `(${one})` : one}[]`;
    case 'map':
      return `{ readonly [key: string]: ${one} }`;
    case 'mapOfList':
      return `{ readonly [key: string]: readonly ${one}[] }`;
  }
}

const SUFFIX = { one: '', list: '[]', map: '{}', mapOfList: '[]{}' } as const;

const available = new Set(
  readdirSync(MODELS)
    .filter((f) => f.endsWith('.d.ts'))
    .map((f) => f.slice(0, -5)),
);
const models = new Map<string, Model>();
const queue = [...ROOT_MODELS];
for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
  if (models.has(name)) continue;
  const model = readModel(name);
  models.set(name, model);
  for (const field of model.fields.values()) {
    const { of } = parseType(field.type);
    if (available.has(of) && of !== 'V1MicroTime' && of !== 'IntOrString') queue.push(of);
  }
}

const version = /release-(\d+\.\d+)/.exec(readFileSync(join(MODELS, 'V1Pod.d.ts'), 'utf8'))?.[1] ?? 'unknown';
const header = `// Generated by scripts/generate-kube-types.ts from @kubernetes/client-node (Kubernetes ${version}). Do not edit.
// Everything is readonly: an object that came from the API is shared and never changed in place.

/** resource.Quantity: a decimal number with an SI or binary suffix, "100m", "1Gi"; see quantity.ts. */
export type Quantity = string | number;
`;
let types = header;
const schema: Record<string, { required?: string[]; fields: Record<string, string> }> = {};
for (const [name, model] of [...models].sort(([a], [b]) => (shortName(a) < shortName(b) ? -1 : 1))) {
  const fields: Record<string, string> = {};
  const lines: string[] = [];
  for (const [fieldName, field] of model.fields) {
    const shape = parseType(field.type);
    const word = schemaWord(fieldName, shape, field.format);
    fields[fieldName] = word + SUFFIX[shape.kind];
    const key = /^[A-Za-z_$][\w$]*$/.test(fieldName) ? fieldName : JSON.stringify(fieldName);
    const text = typeText(word, shape.kind);
    lines.push(`  readonly ${key}${field.required ? `: ${text}` : `?: ${text} | undefined`};`);
  }
  const required = [...model.fields].filter(([, f]) => f.required).map(([n]) => n);
  schema[shortName(name)] = required.length > 0 ? { required, fields } : { fields };
  types += `\n/** ${model.doc.replaceAll('*/', '* /').split(/(?<=\.) /)[0]} */\nexport type ${shortName(name)} = {\n${lines.join('\n')}\n};\n`;
}
const outputs = {
  'src/kube/api-types.ts': types,
  'src/kube/api-schema.json': `{\n${Object.entries(schema)
    .map(([n, s]) => `${JSON.stringify(n)}: ${JSON.stringify(s)}`)
    .join(',\n')}\n}\n`,
};
const isCheck = process.argv.includes('--check');
for (const [name, content] of Object.entries(outputs)) {
  const path = join(ROOT, name);
  if (!isCheck) writeFileSync(path, content);
  else if (readFileSync(path, 'utf8') !== content) {
    process.stdout.write(`${name} is out of date: npm run generate\n`);
    process.exitCode = 1;
  }
}
process.stdout.write(`${models.size} models of Kubernetes ${version}\n`);
