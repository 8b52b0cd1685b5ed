// The scheduler: takes pods without a node, places each whole, binds. It is an ordinary client of the API.
//
// A pod that fits nowhere waits until something changes that could help it: a node, or a pod that gave back what it held.
// A pod just bound is assumed on its node at once, before the watch shows it bound.
import { type Clock, timeText } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { createEventRecorder, referenceTo } from '../client/event-recorder.ts';
import { runInformer } from '../client/informer.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { BINDINGS, NODES, PODS } from '../client/resources.ts';
import type { Node, Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { ClusterState } from './cluster-state.ts';
import { placePod } from './place.ts';

export type SchedulerOptions = { readonly api: ResourceApi; readonly clock: Clock; readonly log: Log };

/** Pods whose spec.schedulerName names another scheduler are left alone. */
const SCHEDULER_NAME = 'default-scheduler';

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions, signal: AbortSignal): Promise<void> {
  const { api, clock, log } = options;
  const events = createEventRecorder({ api, clock, log, component: SCHEDULER_NAME });
  const state = new ClusterState();
  const waiting = new Map<string, Pod>();
  const nodes = new Map<string, Node>();
  const unsynced = new Set(['nodes', 'pods']);
  let working = false;
  let again = false;

  async function bind(pod: Pod, nodeName: string): Promise<void> {
    const { name = '', namespace = 'default', uid } = pod.metadata ?? {};
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    state.setPod(uidOf(pod), { ...pod, spec: pod.spec && { ...pod.spec, nodeName } });
    waiting.delete(uidOf(pod));
    try {
      await api.create(BINDINGS, { metadata: { name, namespace, uid }, target }, { subresource: 'binding' });
    } catch (error) {
      state.removePod(uidOf(pod));
      // Gone, or somebody else bound it: the watch tells. Everything else is tried again with the next change.
      if (!isPodwrightError(error, 'NotFound', 'Conflict')) waiting.set(uidOf(pod), pod);
      log.warn('binding failed', { pod: `${namespace}/${name}`, error: errorText(error) });
      return;
    }
    const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
    events.record({ regarding: referenceTo(pod), type: 'Normal', reason: 'Scheduled', message });
  }

  async function reportUnschedulable(pod: Pod, message: string): Promise<void> {
    const before = pod.status?.conditions?.find((one) => one.type === 'PodScheduled');
    if (before?.status === 'False' && before.message === message) return;
    events.record({ regarding: referenceTo(pod), type: 'Warning', reason: 'FailedScheduling', message });
    const lastTransitionTime =
      before?.status === 'False' ? before.lastTransitionTime : timeText(clock.nowMs());
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime,
    };
    const { name = '', namespace } = pod.metadata ?? {};
    const patch = {
      type: 'application/strategic-merge-patch+json',
      body: { status: { conditions: [condition] } },
    } as const;
    try {
      await api.patch(PODS, { namespace, name }, patch, { subresource: 'status' });
    } catch (error) {
      log.debug('condition not written', { pod: `${namespace}/${name}`, error: errorText(error) });
    }
  }

  async function scheduleWaiting(): Promise<void> {
    for (const [uid, pod] of [...waiting]) {
      if (signal.aborted) return;
      if (waiting.get(uid) !== pod) continue;
      const placement = placePod(pod, state.nodes());
      if (placement.kind === 'placed') await bind(pod, placement.nodeName);
      else await reportUnschedulable(pod, placement.message);
    }
  }

  /** One pass at a time; whatever asks meanwhile gets another pass after it. */
  async function work(): Promise<void> {
    again = true;
    if (working || unsynced.size > 0) return;
    working = true;
    while (again && !signal.aborted) {
      again = false;
      await scheduleWaiting();
    }
    working = false;
  }

  function synced(kind: 'nodes' | 'pods'): void {
    unsynced.delete(kind);
    void work();
  }

  const podHandlers = {
    onObject(pod: Pod): void {
      const uid = uidOf(pod);
      if (pod.spec?.nodeName || isTerminal(pod)) {
        waiting.delete(uid);
        if (state.setPod(uid, pod)) void work();
      } else if (isOurs(pod) && !state.holds(uid)) {
        // Our own condition coming back is no news: only a changed spec is worth another attempt.
        const isNews = waiting.get(uid)?.metadata?.generation !== pod.metadata?.generation;
        waiting.set(uid, pod);
        if (isNews) void work();
      } else waiting.delete(uid);
    },
    onDelete(pod: Pod): void {
      waiting.delete(uidOf(pod));
      if (state.removePod(uidOf(pod))) void work();
    },
    onSynced: () => synced('pods'),
  };
  const nodeHandlers = {
    onObject(node: Node): void {
      const name = node.metadata?.name ?? '';
      const before = nodes.get(name);
      nodes.set(name, node);
      state.setNode(node);
      if (before === undefined || couldHelp(before, node)) void work();
    },
    onDelete(node: Node): void {
      nodes.delete(node.metadata?.name ?? '');
      state.removeNode(node.metadata?.name ?? '');
    },
    onSynced: () => synced('nodes'),
  };
  await Promise.all([
    runInformer({ api, ref: PODS, handlers: podHandlers, log }, signal),
    runInformer({ api, ref: NODES, handlers: nodeHandlers, log }, signal),
  ]);
}

function isOurs(pod: Pod): boolean {
  const isGated = (pod.spec?.schedulingGates ?? []).length > 0;
  const schedulerName = pod.spec?.schedulerName ?? SCHEDULER_NAME;
  return schedulerName === SCHEDULER_NAME && !isGated && !pod.metadata?.deletionTimestamp;
}

/** A heartbeat changes nothing for a waiting pod; labels, taints and capacity may. */
function couldHelp(before: Node, after: Node): boolean {
  const relevant = (node: Node): string =>
    JSON.stringify([node.metadata?.labels, node.spec, node.status?.allocatable]);
  return relevant(before) !== relevant(after);
}
