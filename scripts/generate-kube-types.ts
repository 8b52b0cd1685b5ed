// Generates src/kube/api-types.ts (TypeScript), src/kube/api-schema.json (the same shapes as data, for validation,
// merging and OpenAPI) and src/kube/api-docs.json (the descriptions, read only when OpenAPI is asked for) from the models of the npm package @kubernetes/client-node, whose version follows
// Kubernetes' own. It never runs at run time; `npm run check` fails when its output is not what is committed.
//
// What the package does not tell (which strings are quantities, int-or-string fields) stands in two tables here and is
// compared with the published OpenAPI document by test/kube/api-schema.test.ts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODELS = join(ROOT, 'node_modules/@kubernetes/client-node/dist/gen/models');

/**
 * The kinds served, by the package of Kubernetes' Go code that defines them; everything they refer to follows. What is
 * reached first from a package belongs to it: meta before core before the groups that build on core.
 */
const ROOT_MODELS: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1': [
    'V1ObjectMeta',
    'V1ListMeta',
    'V1Status',
    'V1DeleteOptions',
    'V1LabelSelector',
    'V1Condition',
    'V1APIResourceList',
    'V1APIGroupList',
    'V1FieldSelectorRequirement',
  ],
  'io.k8s.api.core.v1': [
    'V1Pod',
    'V1Node',
    'V1Namespace',
    'V1ConfigMap',
    'V1Secret',
    'CoreV1Event',
    'V1Binding',
    'V1ServiceAccount',
    'V1PersistentVolume',
    'V1PersistentVolumeClaim',
    'V1PodTemplate',
    'V1Service',
    'V1Endpoints',
    'V1LimitRange',
    'V1ResourceQuota',
    'V1ReplicationController',
    'V1TopologySelectorTerm',
  ],
  'io.k8s.api.apps.v1': [
    'V1Deployment',
    'V1ReplicaSet',
    'V1StatefulSet',
    'V1DaemonSet',
    'V1ControllerRevision',
  ],
  'io.k8s.api.autoscaling.v1': ['V1Scale'],
  'io.k8s.api.batch.v1': ['V1Job', 'V1CronJob'],
  'io.k8s.api.policy.v1': ['V1PodDisruptionBudget', 'V1Eviction'],
  'io.k8s.api.scheduling.v1': ['V1PriorityClass'],
  'io.k8s.api.scheduling.v1alpha2': ['V1alpha2PodGroup', 'V1alpha2Workload'],
  'io.k8s.api.coordination.v1': ['V1Lease'],
  'io.k8s.api.node.v1': ['V1RuntimeClass'],
  'io.k8s.api.storage.v1': [
    'V1StorageClass',
    'V1CSIDriver',
    'V1CSINode',
    'V1CSIStorageCapacity',
    'V1VolumeAttachment',
  ],
  'io.k8s.api.discovery.v1': ['V1EndpointSlice'],
  'io.k8s.api.events.v1': ['EventsV1Event'],
  'io.k8s.api.networking.v1': ['V1Ingress', 'V1IngressClass', 'V1NetworkPolicy'],
  'io.k8s.api.rbac.v1': ['V1Role', 'V1ClusterRole', 'V1RoleBinding', 'V1ClusterRoleBinding'],
  'io.k8s.api.authentication.v1': ['AuthenticationV1TokenRequest', 'V1TokenReview', 'V1SelfSubjectReview'],
  'io.k8s.api.authorization.v1': [
    'V1SelfSubjectAccessReview',
    'V1SubjectAccessReview',
    'V1LocalSubjectAccessReview',
    'V1SelfSubjectRulesReview',
  ],
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1': ['V1CustomResourceDefinition'],
};

/** Names that would clash or mislead without their prefix. */
const RENAMED: Record<string, string> = {
  CoreV1Event: 'Event',
  CoreV1EventSeries: 'EventSeries',
  CoreV1EndpointPort: 'EndpointPort',
  CoreV1ResourceClaim: 'ResourceClaim',
  DiscoveryV1EndpointPort: 'EndpointSlicePort',
  RbacV1Subject: 'Subject',
  AuthenticationV1TokenRequest: 'TokenRequest',
  StorageV1TokenRequest: 'CSITokenRequest',
  V1alpha2TypedLocalObjectReference: 'WorkloadControllerReference',
  ApiextensionsV1ServiceReference: 'ServiceReference',
  ApiextensionsV1WebhookClientConfig: 'WebhookClientConfig',
};

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
  'hard',
  'used',
  'default',
  'defaultRequest',
  'max',
  'min',
  'maxLimitRequestRatio',
  'podFixed',
  'maximumVolumeSize',
]);

type Field = { type: string; required: boolean; format: string; doc: string };
type Model = { doc: string; fields: Map<string, Field> };

function shortName(model: string): string {
  return RENAMED[model] ?? model.replace(/^V1(?:alpha2)?(?=[A-Z])/, '');
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
    const docStart = declaration.lastIndexOf(
      '/**',
      found.index + found[0].lastIndexOf(`'${attribute.name}'`),
    );
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
  // "resources" of RBAC are names, in a list; quantities never come in one.
  if (QUANTITY_FIELDS.has(field) && shape.of === 'string' && shape.kind !== 'list') return 'quantity';
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
const models = new Map<string, Model & { readonly package: string }>();
for (const [home, roots] of Object.entries(ROOT_MODELS)) {
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (models.has(name)) continue;
    const model = readModel(name);
    models.set(name, { ...model, package: home });
    for (const field of model.fields.values()) {
      const { of } = parseType(field.type);
      if (available.has(of) && of !== 'V1MicroTime' && of !== 'IntOrString') queue.push(of);
    }
  }
}

const version = /release-(\d+\.\d+)/.exec(readFileSync(join(MODELS, 'V1Pod.d.ts'), 'utf8'))?.[1] ?? 'unknown';
const header = `// Generated by scripts/generate-kube-types.ts from @kubernetes/client-node (Kubernetes ${version}). Do not edit.
// Everything is readonly: an object that came from the API is shared and never changed in place.

/** resource.Quantity: a decimal number with an SI or binary suffix, "100m", "1Gi"; see quantity.ts. */
export type Quantity = string | number;
`;
let types = header;
type SchemaEntry = { name: string; required?: string[]; fields: Record<string, string> };
const schema: Record<string, SchemaEntry> = {};
const docs: Record<string, Record<string, string>> = {};
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
  // What Kubernetes calls it: the package and the Go type's own name.
  const definition = `${model.package}.${name.replace(/^([A-Z][a-z]+)?V\d(?:alpha\d)?(?=[A-Z])/, '')}`;
  schema[shortName(name)] = { name: definition, ...(required.length > 0 ? { required } : {}), fields };
  const fieldDocs = [...model.fields].filter(([, { doc }]) => doc !== '').map(([n, { doc }]) => [n, doc]);
  docs[shortName(name)] = { '': model.doc, ...(Object.fromEntries(fieldDocs) as Record<string, string>) };
  types += `\n/** ${model.doc.replaceAll('*/', '* /').split(/(?<=\.) /)[0]} */\nexport type ${shortName(name)} = {\n${lines.join('\n')}\n};\n`;
}
/** One type a line: a change shows where it is. */
function jsonLines(entries: object): string {
  const lines = Object.entries(entries).map(([n, entry]) => `${JSON.stringify(n)}: ${JSON.stringify(entry)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

const outputs = {
  'src/kube/api-types.ts': types,
  'src/kube/api-schema.json': jsonLines(schema),
  'src/kube/api-docs.json': jsonLines(docs),
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
