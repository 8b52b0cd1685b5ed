// customresourcedefinitions: kinds that users add; apiserver/custom/ serves them.
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../client/resources.ts';
import type { CustomResourceDefinition } from '../../kube/api-types.ts';
import { normalizedSchema } from '../../kube/custom/structural-schema.ts';
import {
  validateDefinition,
  validateDefinitionUpdate,
} from '../../kube/validation/custom-resource-definition.ts';
import { requiredFields } from '../../kube/validation/structure.ts';
import { CLEANUP_FINALIZER } from '../custom/definition-status.ts';
import { defineKind } from '../kind.ts';
import { nameColumn } from './columns.ts';
import { createdAt } from './stored-kind.ts';

function withDefaults(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  if (spec?.names?.kind === undefined) return definition;
  const { kind } = spec.names;
  const names = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...spec.names };
  const versions = (spec.versions ?? []).map((version) => {
    const root = version.schema?.openAPIV3Schema;
    return root === undefined ? version : { ...version, schema: { openAPIV3Schema: normalizedSchema(root) } };
  });
  return { ...definition, spec: { conversion: { strategy: 'None' }, ...spec, names, versions } };
}

/** Deep rules need what the schema demands to be there. */
function validate(definition: CustomResourceDefinition) {
  const missing = requiredFields('CustomResourceDefinition', definition);
  return missing.length > 0 ? missing : validateDefinition(definition);
}

export const customResourceDefinitionKind = defineKind<CustomResourceDefinition>({
  ...CUSTOM_RESOURCE_DEFINITIONS,
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  subresources: ['status'],
  schema: 'CustomResourceDefinition',
  nameRule: 'subdomain',
  selectableFields: [],
  hasGeneration: true,
  strategy: {
    defaults: withDefaults,
    prepareForCreate: (definition) => ({
      ...definition,
      metadata: {
        ...definition.metadata,
        finalizers: [...new Set([...(definition.metadata?.finalizers ?? []), CLEANUP_FINALIZER])],
      },
    }),
    validate,
    validateUpdate: validateDefinitionUpdate,
  },
  columns: [nameColumn(), createdAt()],
});
