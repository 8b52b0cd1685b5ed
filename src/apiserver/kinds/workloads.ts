// Kinds that make pods in Kubernetes: stored, validated and defaulted as there. No controller of theirs runs here yet, which
// whoever makes one is told.
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  LabelSelector,
  PodDisruptionBudget,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../kube/api-types.ts';
import { defaultPod } from '../../kube/defaults/pod.ts';
import { type FieldError, invalid } from '../../kube/field-error.ts';
import { labelSelectorMatcher, labelSelectorText } from '../../kube/label-selector.ts';
import { validatePod } from '../../kube/validation/pod.ts';
import type { Column, ScaleSource } from '../kind.ts';
import { ageColumn, ageOf } from './columns.ts';
import { number, selectorText, storedKind, text, wide } from './stored-kind.ts';

const noController = (kind: string): string =>
  `${kind} is stored, but Podwright has no controller for it yet: it makes no pods`;

function defaultTemplate(template: PodTemplateSpec): PodTemplateSpec {
  const { spec } = defaultPod({ spec: template.spec });
  return { ...template, spec };
}

type Templated = {
  readonly template?: PodTemplateSpec | undefined;
  readonly selector?: LabelSelector | undefined;
};

/** The template is a pod in all but its name; the selector must find the pods made of it. */
function validateTemplate({ template, selector }: Templated, prefix = 'spec.'): FieldError[] {
  const labels = template?.metadata?.labels ?? {};
  const errors = validatePod({ metadata: template?.metadata, spec: template?.spec }).map((error) => ({
    ...error,
    field: `${prefix}template.${error.field}`,
  }));
  if (selector === undefined || labelSelectorMatcher(selector)(labels)) return errors;
  const why = '`selector` does not match template `labels`';
  return [...errors, invalid(`${prefix}template.metadata.labels`, labels, why)];
}

function templateColumns<T>(template: (object: T) => PodTemplateSpec | undefined): Column<T>[] {
  const column = (name: string, of: 'name' | 'image'): Column<T> =>
    wide(
      text(name, (object) =>
        (template(object)?.spec?.containers ?? []).map((one) => one[of] ?? '').join(','),
      ),
    );
  return [column('Containers', 'name'), column('Images', 'image')];
}

const selectorColumn = <
  T extends { readonly spec?: { readonly selector?: LabelSelector | undefined } | undefined },
>() => wide(text<T>('Selector', ({ spec }) => selectorText(spec?.selector?.matchLabels)));

const scaleBy = (selector: ScaleSource['selector']): ScaleSource => ({
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector,
});
const scale = scaleBy((object) => labelSelectorText((object as Deployment).spec?.selector ?? {}));

const apps = { group: 'apps', scope: 'Namespaced', status: true, categories: ['all'] } as const;
const replicas = { replicas: 1 };

export const WORKLOAD_KINDS = [
  storedKind<Deployment>({
    ...apps,
    kind: 'Deployment',
    plural: 'deployments',
    scale,
    shortNames: ['deploy'],
    immutable: ['spec.selector'],
    warning: noController('Deployment'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              ...replicas,
              revisionHistoryLimit: 10,
              progressDeadlineSeconds: 600,
              ...object.spec,
              strategy:
                (object.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
                  ? {
                      type: 'RollingUpdate',
                      rollingUpdate: {
                        maxUnavailable: '25%',
                        maxSurge: '25%',
                        ...object.spec.strategy?.rollingUpdate,
                      },
                    }
                  : object.spec.strategy,
              template: defaultTemplate(object.spec.template),
            },
          },
    validate: ({ spec }) => (spec === undefined ? [] : validateTemplate(spec)),
    columns: [
      text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
      number('Up-to-date', ({ status }) => status?.updatedReplicas),
      number('Available', ({ status }) => status?.availableReplicas),
    ],
    lastColumns: [
      ageColumn(),
      ...templateColumns<Deployment>(({ spec }) => spec?.template),
      selectorColumn(),
    ],
  }),
  storedKind<ReplicaSet>({
    ...apps,
    kind: 'ReplicaSet',
    plural: 'replicasets',
    scale,
    shortNames: ['rs'],
    selectableFields: ['status.replicas'],
    immutable: ['spec.selector'],
    warning: noController('ReplicaSet'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              ...replicas,
              ...object.spec,
              ...(object.spec.template && { template: defaultTemplate(object.spec.template) }),
            },
          },
    validate: ({ spec }) => (spec === undefined ? [] : validateTemplate(spec)),
    columns: [
      number('Desired', ({ spec }) => spec?.replicas),
      number('Current', ({ status }) => status?.replicas),
      number('Ready', ({ status }) => status?.readyReplicas),
    ],
    lastColumns: [
      ageColumn(),
      ...templateColumns<ReplicaSet>(({ spec }) => spec?.template),
      selectorColumn(),
    ],
  }),
  storedKind<StatefulSet>({
    ...apps,
    kind: 'StatefulSet',
    plural: 'statefulsets',
    scale,
    shortNames: ['sts'],
    immutable: ['spec.selector', 'spec.serviceName', 'spec.podManagementPolicy', 'spec.volumeClaimTemplates'],
    warning: noController('StatefulSet'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              ...replicas,
              podManagementPolicy: 'OrderedReady',
              revisionHistoryLimit: 10,
              updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
              ...object.spec,
              template: defaultTemplate(object.spec.template),
            },
          },
    validate: ({ spec }) => (spec === undefined ? [] : validateTemplate(spec)),
    columns: [text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`)],
    lastColumns: [ageColumn(), ...templateColumns<StatefulSet>(({ spec }) => spec?.template)],
  }),
  storedKind<DaemonSet>({
    ...apps,
    kind: 'DaemonSet',
    plural: 'daemonsets',
    shortNames: ['ds'],
    immutable: ['spec.selector'],
    warning: noController('DaemonSet'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              revisionHistoryLimit: 10,
              updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
              ...object.spec,
              template: defaultTemplate(object.spec.template),
            },
          },
    validate: ({ spec }) => (spec === undefined ? [] : validateTemplate(spec)),
    columns: [
      number('Desired', ({ status }) => status?.desiredNumberScheduled),
      number('Current', ({ status }) => status?.currentNumberScheduled),
      number('Ready', ({ status }) => status?.numberReady),
      number('Up-to-date', ({ status }) => status?.updatedNumberScheduled),
      number('Available', ({ status }) => status?.numberAvailable),
      text('Node Selector', ({ spec }) => selectorText(spec?.template?.spec?.nodeSelector)),
    ],
    lastColumns: [ageColumn(), ...templateColumns<DaemonSet>(({ spec }) => spec?.template), selectorColumn()],
  }),
  storedKind<ControllerRevision>({
    group: 'apps',
    kind: 'ControllerRevision',
    plural: 'controllerrevisions',
    scope: 'Namespaced',
    immutable: ['data'],
    columns: [
      text('Controller', ({ metadata }) => {
        const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
        return owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}/${owner.name}`;
      }),
      number('Revision', ({ revision }) => revision),
    ],
  }),
  storedKind<Job>({
    group: 'batch',
    kind: 'Job',
    orphansDependents: true,
    plural: 'jobs',
    scope: 'Namespaced',
    status: true,
    categories: ['all'],
    selectableFields: ['status.successful'],
    immutable: ['spec.completions', 'spec.selector', 'spec.template'],
    warning: noController('Job'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              ...(object.spec.parallelism === undefined && { completions: 1 }),
              parallelism: 1,
              backoffLimit: 6,
              completionMode: 'NonIndexed',
              suspend: false,
              podReplacementPolicy: 'TerminatingOrFailed',
              ...object.spec,
              template: defaultTemplate(object.spec.template),
            },
          },
    validate: ({ spec }) =>
      spec === undefined
        ? []
        : [...validateTemplate({ template: spec.template }), ...notAlways(spec.template)],
    columns: [
      text('Status', ({ status }) => {
        const on = (type: string) =>
          status?.conditions?.some((one) => one.type === type && one.status === 'True');
        if (on('Complete')) return 'Complete';
        if (on('Failed')) return 'Failed';
        return on('Suspended') ? 'Suspended' : 'Running';
      }),
      text('Completions', ({ spec, status }) => `${status?.succeeded ?? 0}/${spec?.completions ?? 1}`),
      {
        name: 'Duration',
        type: 'string',
        cell: ({ status }, nowMs) => {
          if (status?.startTime === undefined) return '';
          return ageOf(status.startTime, status.completionTime ? Date.parse(status.completionTime) : nowMs);
        },
      },
    ],
    lastColumns: [ageColumn(), ...templateColumns<Job>(({ spec }) => spec?.template), selectorColumn()],
  }),
  storedKind<CronJob>({
    group: 'batch',
    kind: 'CronJob',
    plural: 'cronjobs',
    scope: 'Namespaced',
    status: true,
    shortNames: ['cj'],
    categories: ['all'],
    warning: noController('CronJob'),
    defaults: (object) =>
      object.spec === undefined
        ? object
        : {
            ...object,
            spec: {
              concurrencyPolicy: 'Allow',
              suspend: false,
              successfulJobsHistoryLimit: 3,
              failedJobsHistoryLimit: 1,
              ...object.spec,
            },
          },
    columns: [
      text('Schedule', ({ spec }) => spec?.schedule ?? ''),
      text('Timezone', ({ spec }) => spec?.timeZone ?? '<none>'),
      text('Suspend', ({ spec }) => (spec?.suspend === true ? 'True' : 'False')),
      number('Active', ({ status }) => status?.active?.length),
      {
        name: 'Last Schedule',
        type: 'string',
        cell: ({ status }, nowMs) =>
          status?.lastScheduleTime === undefined ? '<none>' : ageOf(status.lastScheduleTime, nowMs),
      },
    ],
    lastColumns: [
      ageColumn(),
      ...templateColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
      wide(
        text<CronJob>('Selector', ({ spec }) => selectorText(spec?.jobTemplate?.spec?.selector?.matchLabels)),
      ),
    ],
  }),
  storedKind<PodDisruptionBudget>({
    group: 'policy',
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
    scope: 'Namespaced',
    status: true,
    shortNames: ['pdb'],
    columns: [
      text('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
      text('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
      number('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed),
    ],
  }),
  storedKind<PodTemplate>({
    group: '',
    kind: 'PodTemplate',
    plural: 'podtemplates',
    scope: 'Namespaced',
    defaults: (object) => ({
      ...object,
      ...(object.template && { template: defaultTemplate(object.template) }),
    }),
    validate: (object) => validateTemplate({ template: object.template }, ''),
    columns: [],
    lastColumns: [
      ...templateColumns<PodTemplate>(({ template }) => template).map(({ priority: _, ...column }) => column),
      text<PodTemplate>('Pod Labels', ({ template }) => selectorText(template?.metadata?.labels)),
      ageColumn(),
    ],
  }),
  storedKind<ReplicationController>({
    group: '',
    kind: 'ReplicationController',
    orphansDependents: true,
    plural: 'replicationcontrollers',
    scope: 'Namespaced',
    status: true,
    scale: scaleBy((object) =>
      labelSelectorText({ matchLabels: (object as ReplicationController).spec?.selector }),
    ),
    shortNames: ['rc'],
    selectableFields: ['status.replicas'],
    categories: ['all'],
    warning: noController('ReplicationController'),
    defaults: (object) => ({
      ...object,
      spec: {
        ...replicas,
        selector: object.spec?.template?.metadata?.labels,
        ...object.spec,
        ...(object.spec?.template && { template: defaultTemplate(object.spec.template) }),
      },
    }),
    validate: ({ spec }) => validateTemplate({ template: spec?.template }),
    columns: [
      number('Desired', ({ spec }) => spec?.replicas),
      number('Current', ({ status }) => status?.replicas),
      number('Ready', ({ status }) => status?.readyReplicas),
    ],
    lastColumns: [
      ageColumn(),
      ...templateColumns<ReplicationController>(({ spec }) => spec?.template),
      wide(text<ReplicationController>('Selector', ({ spec }) => selectorText(spec?.selector))),
    ],
  }),
];

/** A job's pods come to an end: they are not restarted for ever. */
function notAlways({ spec }: PodTemplateSpec): FieldError[] {
  if (spec?.restartPolicy !== 'Always') return [];
  const why = 'Unsupported value: "Always": supported values: "OnFailure", "Never"';
  return [{ reason: 'FieldValueNotSupported', field: 'spec.template.spec.restartPolicy', message: why }];
}
