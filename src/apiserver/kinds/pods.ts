// pods: the strategy and columns of kube-apiserver's pod registry (pkg/registry/core/pod).
import { PODS } from '../../client/resources.ts';
import type { Container, Pod } from '../../kube/api-types.ts';
import { defaultPod, initialPodStatus } from '../../kube/defaults/pod.ts';
import { forbidden, invalidError } from '../../kube/field-error.ts';
import { isTerminal } from '../../kube/pod.ts';
import { podSummary } from '../../kube/pod-summary.ts';
import { podWarnings } from '../../kube/unsupported-fields.ts';
import { validateEphemeralUpdate } from '../../kube/validation/ephemeral.ts';
import { validatePod } from '../../kube/validation/pod.ts';
import { validatePodUpdate } from '../../kube/validation/pod-update.ts';
import { validateResize } from '../../kube/validation/resize.ts';
import { type Column, defineKind } from '../kind.ts';
import { ageColumn, ageOf, nameColumn } from './columns.ts';

/** A pod that no node runs needs no grace. */
function graceSeconds(pod: Pod, requested: number | undefined): number {
  if (pod.spec?.nodeName === undefined || pod.spec.nodeName === '' || isTerminal(pod)) return 0;
  const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}

function admit(pod: Pod): void {
  const { name = '' } = pod.metadata ?? {};
  if ((pod.spec?.ephemeralContainers ?? []).length > 0) {
    throw invalidError({ ...PODS, name }, [forbidden('spec.ephemeralContainers', 'cannot be set on create')]);
  }
}

function takeEphemeralContainers(wanted: Pod, current: Pod): Pod {
  const spec = current.spec ?? { containers: [] };
  return { ...current, spec: { ...spec, ephemeralContainers: wanted.spec?.ephemeralContainers ?? [] } };
}

/** Resources and resize policies of containers, and the pod's own resources. */
function takeResize(wanted: Pod, current: Pod): Pod {
  const spec = current.spec ?? { containers: [] };
  const resized = (containers: readonly Container[], from: readonly Container[] = []): readonly Container[] =>
    containers.map((container) => {
      const { resources, resizePolicy } = from.find(({ name }) => name === container.name) ?? container;
      return {
        ...container,
        ...(resources === undefined ? {} : { resources }),
        ...(resizePolicy === undefined ? {} : { resizePolicy }),
      };
    });
  return {
    ...current,
    spec: {
      ...spec,
      ...(wanted.spec?.resources === undefined ? {} : { resources: wanted.spec.resources }),
      containers: resized(spec.containers, wanted.spec?.containers),
      ...(spec.initContainers && {
        initContainers: resized(spec.initContainers, wanted.spec?.initContainers),
      }),
    },
  };
}

function restarts(pod: Pod, nowMs: number): string {
  const { restarts: count, lastRestartAtMs } = podSummary(pod);
  if (count === 0 || lastRestartAtMs === undefined) return String(count);
  return `${count} (${ageOf(new Date(lastRestartAtMs).toISOString(), nowMs)} ago)`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const isTrue = (type: string): boolean =>
    pod.status?.conditions?.some((one) => one.type === type && one.status === 'True') === true;
  return `${gates.filter(({ conditionType }) => isTrue(conditionType)).length}/${gates.length}`;
}

const columns: readonly Column<Pod>[] = [
  nameColumn(),
  {
    name: 'Ready',
    type: 'string',
    cell: (pod) => {
      const { ready, total } = podSummary(pod);
      return `${ready}/${total}`;
    },
  },
  { name: 'Status', type: 'string', cell: (pod) => podSummary(pod).status },
  { name: 'Restarts', type: 'string', cell: restarts },
  ageColumn(),
  { name: 'IP', type: 'string', priority: 1, cell: ({ status }) => status?.podIP || '<none>' },
  { name: 'Node', type: 'string', priority: 1, cell: ({ spec }) => spec?.nodeName || '<none>' },
  {
    name: 'Nominated Node',
    type: 'string',
    priority: 1,
    cell: ({ status }) => status?.nominatedNodeName || '<none>',
  },
  { name: 'Readiness Gates', type: 'string', priority: 1, cell: readinessGates },
];

export const podKind = defineKind<Pod>({
  ...PODS,
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  subresources: [
    'status',
    'log',
    'exec',
    'attach',
    'portforward',
    'proxy',
    'binding',
    'eviction',
    'ephemeralcontainers',
    'resize',
  ],
  schema: 'Pod',
  nameRule: 'subdomain',
  selectableFields: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  hasGeneration: true,
  strategy: {
    defaults: defaultPod,
    prepareForCreate: (pod) =>
      pod.spec === undefined ? pod : { ...pod, status: initialPodStatus(pod.spec) },
    validate: validatePod,
    validateUpdate: validatePodUpdate,
    parts: {
      ephemeralcontainers: { take: takeEphemeralContainers, validateUpdate: validateEphemeralUpdate },
      resize: { take: takeResize, validateUpdate: validateResize },
    },
    warnings: podWarnings,
    admit,
    graceSeconds,
  },
  columns,
});
