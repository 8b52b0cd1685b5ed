// The rules of CustomResourceDefinitions (apiextensions-apiserver pkg/apis/apiextensions/validation).
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../api-types.ts';
import { fieldsOfPath, parseJsonPath } from '../custom/json-path.ts';
import { malformedErrors, type Schema, structuralErrors } from '../custom/structural-schema.ts';
import { schemaErrors } from '../custom/validate-schema.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';
import { unchangedFields } from './structure.ts';

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

function namesErrors({ names }: CustomResourceDefinitionSpec): FieldError[] {
  const label = (field: string, value: string | undefined): FieldError[] =>
    value === undefined ? [] : dnsLabel(value).map((why) => invalid(`spec.names.${field}`, value, why));
  return [
    ...label('plural', names.plural),
    ...label('singular', names.singular),
    ...label('kind', names.kind.toLowerCase()),
    ...label('listKind', names.listKind?.toLowerCase()),
    ...(names.kind === names.listKind
      ? [invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same')]
      : []),
    ...(names.shortNames ?? []).flatMap((one, index) => label(`shortNames[${index}]`, one)),
    ...(names.categories ?? []).flatMap((one, index) => label(`categories[${index}]`, one)),
  ];
}

function columnErrors(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  return (version.additionalPrinterColumns ?? []).flatMap(({ type, jsonPath }, index) => {
    const at = `${path}.additionalPrinterColumns[${index}]`;
    return [
      ...(COLUMN_TYPES.includes(type) ? [] : [notSupported(`${at}.type`, type, COLUMN_TYPES)]),
      ...(parseJsonPath(jsonPath) === undefined
        ? [invalid(`${at}.jsonPath`, jsonPath, 'is no JSONPath of fields, indexes and filters by equality')]
        : []),
    ];
  });
}

function subresourceErrors({ subresources }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const { scale } = subresources ?? {};
  if (scale === undefined) return [];
  const check = (field: string, value: string | undefined, root: string): FieldError[] => {
    const at = `${path}.subresources.scale.${field}`;
    if (value === undefined) return [];
    if (value.startsWith(`${root}.`) && fieldsOfPath(value) !== undefined) return [];
    return [invalid(at, value, `should be a json path under ${root}`)];
  };
  return [
    ...check('specReplicasPath', scale.specReplicasPath, '.spec'),
    ...check('statusReplicasPath', scale.statusReplicasPath, '.status'),
    ...(scale.labelSelectorPath?.startsWith('.spec.') === true
      ? check('labelSelectorPath', scale.labelSelectorPath, '.spec')
      : check('labelSelectorPath', scale.labelSelectorPath, '.status')),
  ];
}

function defaultErrors(schema: object, path: string): FieldError[] {
  return Object.entries(
    (schema as { properties?: { [name: string]: { default?: unknown } } }).properties ?? {},
  ).flatMap(([name, one]) => {
    const at = `${path}.properties[${name}]`;
    const own = one.default === undefined ? [] : schemaErrors(one.default, one as never, `${at}.default`);
    return [...own, ...defaultErrors(one, at)];
  });
}

/** Deeper rules want a schema that is one. */
function rootErrors(root: Schema, path: string): FieldError[] {
  const malformed = malformedErrors(root, path);
  if (malformed.length > 0) return malformed;
  const errors = structuralErrors(root, path);
  return errors.length > 0 ? errors : defaultErrors(root, path);
}

function versionErrors(version: CustomResourceDefinitionVersion, index: number): FieldError[] {
  const path = `spec.versions[${index}]`;
  const root = version.schema?.openAPIV3Schema;
  const schemaPath = `${path}.schema.openAPIV3Schema`;
  return [
    ...dnsLabel(version.name).map((why) => invalid(`${path}.name`, version.name, why)),
    ...(root === undefined ? [required(schemaPath, 'schemas are required')] : []),
    ...(root === undefined ? [] : rootErrors(root, schemaPath)),
    ...(root?.type === undefined || root.type === 'object'
      ? []
      : [invalid(`${schemaPath}.type`, root.type, 'must be object at the root')]),
    ...(version.selectableFields ?? []).flatMap(({ jsonPath }, at) =>
      fieldsOfPath(jsonPath) === undefined
        ? [invalid(`${path}.selectableFields[${at}].jsonPath`, jsonPath, 'is an invalid path')]
        : [],
    ),
    ...columnErrors(version, path),
    ...subresourceErrors(version, path),
  ];
}

export function validateDefinition({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  const { group, names, scope, versions, conversion } = spec;
  const wanted = `${names.plural}.${group}`;
  const name = metadata?.name ?? '';
  const storing = versions.filter(({ storage }) => storage);
  const repeated = versions.filter(
    (one, index) => versions.findIndex((other) => other.name === one.name) < index,
  );
  return [
    ...(name === wanted ? [] : [invalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`)]),
    ...dnsSubdomain(group).map((why) => invalid('spec.group', group, why)),
    ...(group.includes('.')
      ? []
      : [invalid('spec.group', group, 'should be a domain with at least one dot')]),
    ...(['Cluster', 'Namespaced'].includes(scope)
      ? []
      : [notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])]),
    ...namesErrors(spec),
    ...(versions.length === 0 ? [required('spec.versions', 'must have at least one version')] : []),
    ...(versions.length > 0 && storing.length !== 1
      ? [
          invalid(
            'spec.versions',
            versions.map((one) => one.name),
            'must have exactly one version marked as storage version',
          ),
        ]
      : []),
    ...repeated.map((one) => invalid('spec.versions', one.name, 'must contain unique version names')),
    ...(spec.preserveUnknownFields === true
      ? [invalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema')]
      : []),
    ...((conversion?.strategy ?? 'None') === 'None'
      ? []
      : [
          forbidden(
            'spec.conversion.strategy',
            'Podwright calls no webhooks: only None, which changes the apiVersion',
          ),
        ]),
    ...versions.flatMap(versionErrors),
  ];
}

/** What instances are stored under stays. */
export function validateDefinitionUpdate(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): FieldError[] {
  const lost = (old.status?.storedVersions ?? []).filter(
    (name) => !definition.spec.versions.some((one) => one.name === name),
  );
  return [
    ...unchangedFields(['spec.group', 'spec.scope', 'spec.names.plural', 'spec.names.kind'], definition, old),
    ...lost.map((name) =>
      invalid(
        'status.storedVersions',
        name,
        'must appear in spec.versions: objects may be stored in this version',
      ),
    ),
  ];
}
