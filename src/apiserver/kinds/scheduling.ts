// scheduling.k8s.io: priorities, and groups of pods that are placed together (KEP-4671, of which v1.36 has v1alpha2).
import type {
  PodGroup,
  PodGroupSchedulingPolicy,
  PodGroupSpec,
  PriorityClass,
  Workload,
} from '../../kube/api-types.ts';
import { type FieldError, forbidden, invalid, required, tooMany } from '../../kube/field-error.ts';
import { SYSTEM_PRIORITY_CLASSES, USER_PRIORITY_MAX } from '../../kube/priority-classes.ts';
import { ageColumn } from './columns.ts';
import { number, storedKind, text } from './stored-kind.ts';

const group = 'scheduling.k8s.io';
/** WorkloadMaxPodGroupTemplates. */
const TEMPLATES_MAX = 8;

function policyErrors({ basic, gang }: PodGroupSchedulingPolicy, path: string): readonly FieldError[] {
  const given = [basic, gang].filter((one) => one !== undefined).length;
  if (given === 0) return [required(path, 'must specify one of: `basic`, `gang`')];
  if (given > 1) return [invalid(path, '', 'must specify exactly one of: `basic`, `gang`')];
  if (gang === undefined || gang.minCount > 0) return [];
  return [invalid(`${path}.gang.minCount`, gang.minCount, 'must be greater than or equal to 1')];
}

/** What is accepted and does nothing here is said by name. */
function unenforced({
  disruptionMode,
  resourceClaims,
  schedulingConstraints,
}: Partial<PodGroupSpec>): readonly string[] {
  const fields = { disruptionMode, resourceClaims, schedulingConstraints };
  return Object.entries(fields).flatMap(([field, value]) =>
    value === undefined
      ? []
      : [`spec.${field} of a PodGroup is stored, but Podwright does not enforce it yet`],
  );
}

/** Names and values above the users' are the system's own. */
function validatePriorityClass({ metadata, value = 0 }: PriorityClass): FieldError[] {
  const { name = '' } = metadata ?? {};
  const system = SYSTEM_PRIORITY_CLASSES.find((one) => one.metadata?.name === name);
  if (system !== undefined) {
    if (value === system.value) return [];
    return [forbidden('value', `value of priority class ${name} is ${system.value}`)];
  }
  const why = 'priority class names with system- prefix are reserved for system use only';
  return [
    ...(name.startsWith('system-') ? [forbidden('metadata.name', why)] : []),
    ...(value > USER_PRIORITY_MAX
      ? [forbidden('value', `maximum allowed value of a user defined priority is ${USER_PRIORITY_MAX}`)]
      : []),
  ];
}

export const SCHEDULING_KINDS = [
  storedKind<PriorityClass>({
    group,
    kind: 'PriorityClass',
    plural: 'priorityclasses',
    scope: 'Cluster',
    shortNames: ['pc'],
    immutable: ['value', 'preemptionPolicy'],
    validate: validatePriorityClass,
    defaults: (object) => ({ preemptionPolicy: 'PreemptLowerPriority', ...object }),
    columns: [
      number('Value', ({ value }) => value),
      text('Global-Default', ({ globalDefault }) => String(globalDefault ?? false)),
    ],
    lastColumns: [
      ageColumn(),
      text<PriorityClass>('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? ''),
    ],
  }),
  storedKind<PodGroup>({
    group,
    version: 'v1alpha2',
    kind: 'PodGroup',
    plural: 'podgroups',
    scope: 'Namespaced',
    status: true,
    immutable: ['spec'],
    validate: ({ spec }) =>
      spec?.schedulingPolicy === undefined
        ? []
        : policyErrors(spec.schedulingPolicy, 'spec.schedulingPolicy'),
    warnings: ({ spec }) => unenforced(spec ?? {}),
    columns: [],
  }),
  storedKind<Workload>({
    group,
    version: 'v1alpha2',
    kind: 'Workload',
    plural: 'workloads',
    scope: 'Namespaced',
    immutable: ['spec'],
    validate: ({ spec }) => {
      const templates = spec?.podGroupTemplates ?? [];
      const path = 'spec.podGroupTemplates';
      return [
        ...(templates.length > TEMPLATES_MAX ? [tooMany(path, templates.length, TEMPLATES_MAX)] : []),
        ...templates.flatMap(({ schedulingPolicy }, index) =>
          schedulingPolicy === undefined
            ? []
            : policyErrors(schedulingPolicy, `${path}[${index}].schedulingPolicy`),
        ),
      ];
    },
    columns: [],
  }),
];
