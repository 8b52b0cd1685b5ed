// From a CustomResourceDefinition to kinds like any other: one for each served version, all of the same stored objects, which
// conversion None tells apart by their apiVersion only.
import type { KubeObject, ResourceRef } from '../../client/resource-api.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../kube/api-types.ts';
import { type Shape, structShape } from '../../kube/apply/typed-value.ts';
import { fieldsOfPath, parseJsonPath, valueAtPath } from '../../kube/custom/json-path.ts';
import { defaulted } from '../../kube/custom/prune.ts';
import { schemaShape } from '../../kube/custom/schema-shape.ts';
import type { Schema } from '../../kube/custom/structural-schema.ts';
import { schemaErrors } from '../../kube/custom/validate-schema.ts';
import { isJsonObject } from '../../kube/decode.ts';
import type { Column, Kind, ScaleSource } from '../kind.ts';
import { ageColumn, ageOf, nameColumn } from '../kinds/columns.ts';

type Names = {
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
};

/** The names that were accepted; a definition that waits for its names serves under those it had. */
function namesOf({ spec, status }: CustomResourceDefinition): Names {
  const names = status?.acceptedNames ?? spec.names;
  const { plural, kind, singular = kind.toLowerCase(), shortNames = [], categories = [] } = names;
  return { plural, singular, kind, shortNames, categories };
}

function columnOf({
  name,
  type,
  jsonPath,
  priority,
  description,
  format,
}: CustomResourceColumnDefinition): Column<KubeObject> {
  const path = parseJsonPath(jsonPath) ?? [];
  return {
    name,
    type: type as Column<KubeObject>['type'],
    ...(priority === undefined || priority === 0 ? {} : { priority }),
    ...(description === undefined ? {} : { description }),
    ...(format === undefined ? {} : { format }),
    cell: (object, nowMs) => {
      const value = valueAtPath(object, path);
      if (value === undefined || value === null) return null;
      if (type === 'date') return ageOf(String(value), nowMs);
      return typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean);
    },
  };
}

function columnsOf({ additionalPrinterColumns = [] }: CustomResourceDefinitionVersion): Column<KubeObject>[] {
  const own = additionalPrinterColumns.map(columnOf);
  return [nameColumn(), ...(own.length === 0 ? [ageColumn<KubeObject>()] : own)];
}

function scaleOf({ subresources }: CustomResourceDefinitionVersion): ScaleSource | undefined {
  const { scale } = subresources ?? {};
  if (scale === undefined) return undefined;
  const selectorPath = fieldsOfPath(scale.labelSelectorPath ?? '');
  return {
    specReplicas: fieldsOfPath(scale.specReplicasPath) ?? [],
    statusReplicas: fieldsOfPath(scale.statusReplicasPath) ?? [],
    selector: (object) => {
      const value = selectorPath?.reduce<unknown>(
        (one, field) => (isJsonObject(one) ? one[field] : undefined),
        object,
      );
      return typeof value === 'string' ? value : undefined;
    },
  };
}

/** Beside what the schema says, every object has its type and metadata, which have rules of their own. */
function withoutIdentity(object: KubeObject): object {
  const { apiVersion: _, kind: __, metadata: ___, ...rest } = object;
  return rest;
}

function rootShape(schema: Schema): Shape {
  const below = schemaShape(schema);
  const metadata = structShape('ObjectMeta');
  return {
    kind: 'record',
    fieldOf: (name) => {
      if (name === 'metadata') return metadata;
      return below.kind === 'record' ? below.fieldOf(name) : below.kind === 'free' ? below : { kind: 'leaf' };
    },
  };
}

function kindOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): Kind {
  const { group, scope, versions } = definition.spec;
  const names = namesOf(definition);
  const schema: Schema = version.schema?.openAPIV3Schema ?? {};
  const storage = versions.find((one) => one.storage)?.name ?? version.name;
  const hasStatus = version.subresources?.status !== undefined;
  const scale = scaleOf(version);
  const ref: ResourceRef = {
    group,
    version: version.name,
    plural: names.plural,
    kind: names.kind,
    namespaced: scope === 'Namespaced',
  };
  const warning = version.deprecated
    ? (version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated`)
    : undefined;
  const apiVersion = `${group}/${version.name}`;
  return {
    ...ref,
    ...names,
    subresources: [...(hasStatus ? (['status'] as const) : []), ...(scale ? (['scale'] as const) : [])],
    schema: '',
    custom: {
      schema,
      shape: rootShape(schema),
      listKind: definition.spec.names.listKind ?? `${names.kind}List`,
    },
    nameRule: 'subdomain',
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) =>
      (fieldsOfPath(jsonPath) ?? []).join('.'),
    ),
    hasGeneration: true,
    strategy: {
      defaults: (object) => defaulted(object, schema) as KubeObject,
      validate: (object) => schemaErrors(withoutIdentity(object), withoutRequiredIdentity(schema)),
      ...(warning === undefined ? {} : { warnings: () => [warning] }),
    },
    columns: columnsOf(version),
    scale,
    // Who wrote an object under another version, or before a default was added, reads it as this version's.
    view: {
      of: { ...ref, version: storage },
      read: (stored) => defaulted({ ...stored, apiVersion }, schema) as KubeObject,
      write: (object) => ({ ...object, apiVersion: `${group}/${storage}` }),
    },
  };
}

/** A schema may describe apiVersion, kind and metadata; they are checked elsewhere. */
function withoutRequiredIdentity(schema: Schema): Schema {
  const identity = ['apiVersion', 'kind', 'metadata'];
  const required = schema.required?.filter((name) => !identity.includes(name));
  return { ...schema, ...(required === undefined ? {} : { required }) };
}

/** v2 before v1 before v1beta2 before v1alpha1: Kubernetes' order of versions, the best first. */
export function byPriority(a: string, b: string): number {
  const parse = (text: string): readonly number[] | undefined => {
    const [, major, stage, minor] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text) ?? [];
    if (major === undefined) return undefined;
    return [stage === undefined ? 2 : stage === 'beta' ? 1 : 0, Number(major), Number(minor ?? 0)];
  };
  const [one, other] = [parse(a), parse(b)];
  if (one === undefined || other === undefined)
    return one === other ? (a < b ? -1 : 1) : one === undefined ? 1 : -1;
  const at = one.findIndex((figure, index) => figure !== other[index]);
  return at < 0 ? 0 : (other[at] ?? 0) - (one[at] ?? 0);
}

function isTrue({ status }: CustomResourceDefinition, type: string): boolean {
  return status?.conditions?.some((one) => one.type === type && one.status === 'True') === true;
}

/** The kinds the definition adds, the preferred version first; none before its names are accepted. */
export function kindsOf(definition: CustomResourceDefinition): Kind[] {
  if (!isTrue(definition, 'Established')) return [];
  const isEnding = definition.metadata?.deletionTimestamp !== undefined;
  return definition.spec.versions
    .filter(({ served }) => served)
    .sort((a, b) => byPriority(a.name, b.name))
    .map((version) => ({ ...kindOf(definition, version), isEnding }));
}
