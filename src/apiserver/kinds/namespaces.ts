// namespaces: deleting one announces it; namespace-cleaner.ts empties it and takes itself out of spec.finalizers, and with the
// last of those it goes. They are written through namespaces/finalize alone.
import { NAMESPACES } from '../../client/resources.ts';
import type { Namespace } from '../../kube/api-types.ts';
import { type FieldError, invalid } from '../../kube/field-error.ts';
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from '../../kube/owners.ts';
import { policyWarnings, validatePolicyLabels } from '../../kube/pod-security/policy.ts';
import { qualifiedName } from '../../kube/validation/names.ts';
import { defineKind } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

/** Who has to be done with a namespace before it goes: the cleaner of its content. */
export const NAMESPACE_FINALIZER = 'kubernetes';
const STANDARD_FINALIZERS: readonly string[] = [NAMESPACE_FINALIZER, ORPHAN_FINALIZER, FOREGROUND_FINALIZER];
const UNQUALIFIED = 'name is neither a standard finalizer name nor is it fully qualified';

/** Only who is known may be without a domain (core/validation, ValidateFinalizerName). */
function validateFinalizers({ spec }: Namespace): readonly FieldError[] {
  return (spec?.finalizers ?? []).flatMap((one) => {
    const isKnown = one.includes('/') || STANDARD_FINALIZERS.includes(one);
    const messages = [...qualifiedName(one), ...(isKnown ? [] : [UNQUALIFIED])];
    return messages.map((message) => invalid('spec.finalizers', one, message));
  });
}

function withFinalizers(object: Namespace, { spec }: Namespace): Namespace {
  return { ...object, spec: { ...object.spec, finalizers: spec?.finalizers ?? [] } };
}

export const namespaceKind = defineKind<Namespace>({
  ...NAMESPACES,
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  subresources: ['status', 'finalize'],
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
      spec: { finalizers: [...new Set([...(object.spec?.finalizers ?? []), NAMESPACE_FINALIZER])] },
      status: { phase: 'Active' },
    }),
    prepareForUpdate: withFinalizers,
    validate: (object) => [...validatePolicyLabels(object), ...validateFinalizers(object)],
    parts: {
      finalize: { take: (wanted, current) => withFinalizers(current, wanted), validateUpdate: () => [] },
    },
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
