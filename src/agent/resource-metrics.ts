// The kubelet's /metrics/resource, which metrics-server and autoscalers read, and of /metrics/cadvisor what dashboards of
// containers read: totals from the kernel under Kubernetes' names.
import type { Family, Sample } from '../base/figures.ts';
import {
  type MeteredContainer,
  type MeteredGroup,
  type MeteredPod,
  type Usage,
  workingSetOf,
} from './usage-meter.ts';

type Labels = NonNullable<Sample['labels']>;
type Kind = Family['type'];

const seconds = ({ cpuNanoseconds }: MeteredGroup): number => cpuNanoseconds / 1e9;

const podLabels = ({ pod }: MeteredPod): Labels => ({
  namespace: pod.metadata?.namespace ?? '',
  pod: pod.metadata?.name ?? '',
});

function family(name: string, type: Kind, samples: readonly Sample[]): Family {
  return { name, type, help: HELP[name] ?? name, samples };
}

const HELP: { readonly [name: string]: string } = {
  container_cpu_usage_seconds_total: 'Cumulative cpu time consumed by the container in core-seconds',
  container_memory_working_set_bytes: 'Current working set of the container in bytes',
  container_start_time_seconds: 'Start time of the container since unix epoch in seconds',
  pod_cpu_usage_seconds_total: 'Cumulative cpu time consumed by the pod in core-seconds',
  pod_memory_working_set_bytes: 'Current working set of the pod in bytes',
  node_cpu_usage_seconds_total: 'Cumulative cpu time consumed by the node in core-seconds',
  node_memory_working_set_bytes: 'Current working set of the node in bytes',
  resource_scrape_error: '1 if there was an error while getting container metrics, 0 otherwise',
};

export function resourceMetrics({ node, pods }: Usage): readonly Family[] {
  const ofContainers = (value: (one: MeteredContainer) => number): Sample[] =>
    pods.flatMap((pod) =>
      pod.containers.map((one) => ({
        labels: { container: one.name, ...podLabels(pod) },
        value: value(one),
      })),
    );
  const ofPods = (value: (group: MeteredGroup) => number): Sample[] =>
    pods.flatMap((pod) =>
      pod.group === undefined ? [] : { labels: podLabels(pod), value: value(pod.group) },
    );
  return [
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      ofContainers(({ group }) => seconds(group)),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      ofContainers(({ group }) => workingSetOf(group)),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      ofContainers(({ startedAtMs }) => startedAtMs / 1000),
    ),
    family('pod_cpu_usage_seconds_total', 'counter', ofPods(seconds)),
    family('pod_memory_working_set_bytes', 'gauge', ofPods(workingSetOf)),
    family('node_cpu_usage_seconds_total', 'counter', [{ value: seconds(node.group) }]),
    family('node_memory_working_set_bytes', 'gauge', [{ value: workingSetOf(node.group) }]),
    family('resource_scrape_error', 'gauge', [{ value: 0 }]),
  ];
}

type Cadvisor = readonly [name: string, type: Kind, value: (group: MeteredGroup) => number];

const CADVISOR_GROUPS: readonly Cadvisor[] = [
  ['container_cpu_usage_seconds_total', 'counter', seconds],
  ['container_memory_usage_bytes', 'gauge', ({ memoryBytes }) => memoryBytes],
  ['container_memory_working_set_bytes', 'gauge', workingSetOf],
  ['container_memory_rss', 'gauge', ({ residentBytes }) => residentBytes],
  ['container_processes', 'gauge', ({ processes }) => processes],
];

/** Containers by name, and each pod as a whole under no container's name, as cAdvisor lists them. */
export function cadvisorMetrics({ pods, node, atMs }: Usage): readonly Family[] {
  const groups = pods.flatMap((pod) => {
    const labels = podLabels(pod);
    const id = `/kubepods/pod${pod.pod.metadata?.uid}`;
    const whole =
      pod.group === undefined
        ? []
        : [{ labels: { ...labels, container: '', id, image: '', name: '' }, group: pod.group }];
    const containers = pod.containers.map(({ name, imageId, group }) => {
      return { labels: { ...labels, container: name, id: `${id}/${name}`, image: imageId, name }, group };
    });
    return [...whole, ...containers];
  });
  const network = (value: (one: MeteredPod['network'][number]) => number): Sample[] =>
    pods.flatMap((pod) =>
      pod.network.map((one) => ({ labels: { ...podLabels(pod), interface: one.name }, value: value(one) })),
    );
  return [
    ...CADVISOR_GROUPS.map(([name, type, value]) =>
      family(
        name,
        type,
        groups.map(({ labels, group }) => ({ labels, value: value(group) })),
      ),
    ),
    family(
      'container_last_seen',
      'gauge',
      groups.map(({ labels }) => ({ labels, value: Math.floor(atMs / 1000) })),
    ),
    family(
      'container_network_receive_bytes_total',
      'counter',
      network(({ rxBytes }) => rxBytes),
    ),
    family(
      'container_network_transmit_bytes_total',
      'counter',
      network(({ txBytes }) => txBytes),
    ),
    family('machine_memory_bytes', 'gauge', [{ value: node.memoryCapacityBytes }]),
  ];
}
