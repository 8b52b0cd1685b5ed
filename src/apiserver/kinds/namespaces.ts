// namespaces: deleting one announces it; namespace-cleaner.ts empties it and takes it away.
import { NAMESPACES } from '../../client/resources.ts';
import type { Namespace } from '../../kube/api-types.ts';
import { policyWarnings, validatePolicyLabels } from '../../kube/pod-security/policy.ts';
import { defineKind } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

export const namespaceKind = defineKind<Namespace>({
  ...NAMESPACES,
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  subresources: ['status'],
  schema: 'Namespace',
  nameRule: 'label',
  deletesCollection: false,
  selectableFields: ['status.phase'],
  hasGeneration: false,
  strategy: {
    // Every namespace can be selected by its name (KEP-2161).
    defaults: (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        labels: { ...object.metadata?.labels, 'kubernetes.io/metadata.name': object.metadata?.name ?? '' },
      },
    }),
    prepareForCreate: (object) => ({
      ...object,
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    }),
    validate: validatePolicyLabels,
    warnings: policyWarnings,
    isHeld: ({ spec }) => (spec?.finalizers ?? []).length > 0,
    prepareForDelete: (object) => ({ ...object, status: { ...object.status, phase: 'Terminating' } }),
  },
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', cell: ({ status }) => status?.phase ?? '' },
    ageColumn(),
  ],
});
