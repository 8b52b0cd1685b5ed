// What the agent counts, under the kubelet's names.
import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { figures, type Sample } from '../base/figures.ts';
import { spans } from '../base/spans.ts';
import type { Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import type { Machine } from '../machine/machine.ts';
import type { Action } from './action.ts';
import { podIdentity } from './container-config.ts';

const OPERATIONS: { readonly [kind in Action['kind']]?: string } = {
  createSandbox: 'run_podsandbox',
  stopSandbox: 'stop_podsandbox',
  removeSandbox: 'remove_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  removeContainer: 'remove_container',
  pullImage: 'pull_image',
};

const operations = figures.counter({
  name: 'kubelet_runtime_operations_total',
  help: 'Cumulative number of runtime operations by operation type.',
  labels: ['operation_type'],
});
const operationErrors = figures.counter({
  name: 'kubelet_runtime_operations_errors_total',
  help: 'Cumulative number of runtime operation errors by operation type.',
  labels: ['operation_type'],
});
const operationSeconds = figures.histogram({
  name: 'kubelet_runtime_operations_duration_seconds',
  help: 'Duration in seconds of runtime operations. Broken down by operation type.',
  labels: ['operation_type'],
  buckets: Array.from({ length: 14 }, (_, index) => 0.005 * 2.5 ** index),
});

/** Counts the action where it is one of the runtime's; a failure goes on to the caller. */
export async function countOperation<T>(action: Action, work: () => Promise<T>): Promise<T> {
  const operation_type = OPERATIONS[action.kind];
  if (operation_type === undefined) return work();
  const startMs = performance.now();
  operations({ operation_type });
  try {
    return await work();
  } catch (error) {
    operationErrors({ operation_type });
    throw error;
  } finally {
    operationSeconds({ operation_type }, (performance.now() - startMs) / 1000);
  }
}

const START_BUCKETS = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200,
];
const startSeconds = figures.histogram({
  name: 'kubelet_pod_start_duration_seconds',
  help: 'Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run',
  buckets: START_BUCKETS,
});
const startTotalSeconds = figures.histogram({
  name: 'kubelet_pod_start_total_duration_seconds',
  help: 'Duration in seconds to start a pod since creation, including time to pull images and run init containers, measured from pod creation timestamp to when all its containers are reported as started and observed via watch',
  buckets: START_BUCKETS,
});
const startSliSeconds = figures.histogram({
  name: 'kubelet_pod_start_sli_duration_seconds',
  help: 'Duration in seconds to start a pod, excluding time to pull images and run init containers, measured from pod creation timestamp to when all its containers are reported as started and observed via watch',
  buckets: START_BUCKETS,
});

function isStarted({ status }: Pod): boolean {
  const statuses = status?.containerStatuses ?? [];
  return status?.phase === 'Running' && statuses.every(({ state }) => state?.running !== undefined);
}

/** From the beginning of the first pull to the end of the last, as the kubelet subtracts it. */
function pullMs(uid: PodUid): number {
  const pulls = spans.of(uid).filter(({ name }) => name.startsWith('agent: pullImage'));
  if (pulls.length === 0) return 0;
  return Math.max(...pulls.map(({ endMs }) => endMs)) - Math.min(...pulls.map(({ startMs }) => startMs));
}

function initEndMs({ status }: Pod): number {
  const ends = (status?.initContainerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt ?? '');
  return Math.max(0, ...ends.map((end) => Date.parse(end) || 0));
}

export type StartWatch = {
  /** Each state of a pod, as the API tells it. */
  see(pod: Pod): void;
  forget(uid: PodUid): void;
};

/** Pods that were there before this engine are not counted: nobody here saw them begin. */
export function createStartWatch(clock: Clock): StartWatch {
  const firstSeenMs = new Map<PodUid, number>();
  return {
    see(pod) {
      const { uid } = podIdentity(pod);
      const nowMs = clock.nowMs();
      const seenMs = firstSeenMs.get(uid);
      if (seenMs === undefined) {
        if (pod.status?.phase === 'Pending') firstSeenMs.set(uid, nowMs);
        return;
      }
      if (!isStarted(pod)) return;
      firstSeenMs.delete(uid);
      const createdMs = Date.parse(pod.metadata?.creationTimestamp ?? '') || seenMs;
      startSeconds({}, (nowMs - seenMs) / 1000);
      startTotalSeconds({}, Math.max(0, nowMs - createdMs) / 1000);
      const sinceMs = Math.max(createdMs, initEndMs(pod));
      startSliSeconds({}, Math.max(0, nowMs - sinceMs - pullMs(uid)) / 1000);
    },
    forget: (uid) => void firstSeenMs.delete(uid),
  };
}

const CONTAINER_STATES = {
  created: 'created',
  running: 'running',
  exited: 'exited',
  incomplete: 'unknown',
} as const;

/** Gauges of what the node holds now. Returns the undo. */
export function gaugeNode(nodeName: string, machine: Machine, pods: () => readonly Pod[]): () => void {
  const observed = () => machine.pods().map(({ uid }) => machine.observe(uid));
  const containers = (): Sample[] => {
    const all = observed().flatMap((pod) => pod.containers);
    return Object.entries(CONTAINER_STATES).map(([kind, container_state]) => {
      return { labels: { container_state }, value: all.filter(({ state }) => state.kind === kind).length };
    });
  };
  const running = (): Sample[] => [
    {
      value: observed().filter(({ sandboxes }) => sandboxes.some(({ state }) => state.kind === 'ready'))
        .length,
    },
  ];
  const gauge = (name: string, help: string, read: () => Sample[]) => figures.gauge({ name, help }, read);
  const undo = [
    gauge('kubelet_node_name', "The node's name. The count is always 1.", () => [
      { labels: { node: nodeName }, value: 1 },
    ]),
    gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox', running),
    gauge('kubelet_running_containers', 'Number of containers by state', containers),
    gauge(
      'kubelet_active_pods',
      'The number of pods the kubelet considers active and which are being considered when admitting new pods.',
      () => [{ value: pods().filter((pod) => !isTerminal(pod)).length }],
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}
