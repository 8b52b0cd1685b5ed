// The engine's scheduler: an ordinary client of the API. It follows nodes and pods, runs scheduling cycles, and carries
// what they decide to the API: bindings, deletions of preempted pods, conditions and events. It decides nothing itself.
//
// Invariant: a pod is in the queue, or placed in the cluster (bound, or assumed until its binding is answered), or neither
// of our business; never in two of them.
import { BOUNDS } from '../base/bounds.ts';
import { type Clock, timeText } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { createEventRecorder, type EventRecorder, referenceTo } from '../client/event-recorder.ts';
import { runInformer } from '../client/informer.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { BINDINGS, NAMESPACES, NODES, PODS } from '../client/resources.ts';
import type { Namespace, Node, Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { Cluster, type PlacedPod } from './cluster.ts';
import { Placement } from './placement.ts';
import { PodClasses } from './pod-class.ts';
import { groupOf, minCountOf, PlacedGroups } from './pod-group.ts';
import { DEFAULT_PROFILE, DEFAULT_SCHEDULER_NAME, type Profile } from './profile.ts';
import { countConflict, countDecision, gaugeQueue } from './scheduler-figures.ts';
import { type Assignment, type Decision, SchedulingCycle } from './scheduling-cycle.ts';

export type SchedulerOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  /** One per schedulerName this scheduler answers to. */
  readonly profiles?: readonly Profile[] | undefined;
};

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';
const keyOf = (pod: Pod) => ({
  namespace: pod.metadata?.namespace ?? 'default',
  name: pod.metadata?.name ?? '',
});
const textOf = (pod: Pod): string => `${keyOf(pod).namespace}/${keyOf(pod).name}`;

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions, signal: AbortSignal): Promise<void> {
  const scheduler = new Scheduler(options, signal);
  const { api, log } = options;
  const ends = [
    runInformer({ api, ref: NAMESPACES, handlers: scheduler.namespaceHandlers, log }, signal),
    runInformer({ api, ref: NODES, handlers: scheduler.nodeHandlers, log }, signal),
    runInformer({ api, ref: PODS, handlers: scheduler.podHandlers, log }, signal),
  ];
  const ungauge = gaugeQueue(() => scheduler.pending());
  await Promise.all(ends).finally(ungauge);
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #signal: AbortSignal;
  readonly #events: EventRecorder;
  readonly #cluster = new Cluster();
  readonly #classes = new PodClasses();
  readonly #placement: Placement;
  readonly #cycle: SchedulingCycle;
  /** Every pod there is, as last seen. */
  readonly #pods = new Map<string, Pod>();
  readonly #nodes = new Map<string, Node>();
  readonly #placed = new Map<string, PlacedPod>();
  readonly #groups = new PlacedGroups();
  readonly #unsynced = new Set(['namespaces', 'nodes', 'pods']);
  readonly #binding = new Set<Promise<void>>();
  #isWorking = false;
  #cancelTimer: () => void = () => {};

  constructor(options: SchedulerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { profiles = [DEFAULT_PROFILE] } = options;
    this.#events = createEventRecorder({
      ...options,
      component: profiles[0]?.schedulerName ?? DEFAULT_SCHEDULER_NAME,
    });
    this.#placement = new Placement(this.#cluster, profiles);
    this.#cycle = new SchedulingCycle(this.#placement);
  }

  readonly namespaceHandlers = {
    onObject: ({ metadata }: Namespace): void => {
      this.#cluster.setNamespace(metadata?.name ?? '', metadata?.labels ?? {});
      this.#notice({ kind: 'NamespaceChanged' });
    },
    onDelete: (): void => {},
    onSynced: () => this.#synced('namespaces'),
  };

  readonly nodeHandlers = {
    onObject: (node: Node): void => {
      const name = node.metadata?.name ?? '';
      const before = this.#nodes.get(name);
      this.#nodes.set(name, node);
      if (before !== undefined && isAlike(before, node)) return;
      const index = this.#cluster.setNode(node);
      this.#notice({ kind: before === undefined ? 'NodeAdded' : 'NodeChanged', node: index });
    },
    onDelete: ({ metadata }: Node): void => {
      this.#nodes.delete(metadata?.name ?? '');
      this.#cluster.removeNode(metadata?.name ?? '');
    },
    onSynced: () => this.#synced('nodes'),
  };

  readonly podHandlers = {
    onObject: (pod: Pod): void => {
      const before = this.#pods.get(uidOf(pod));
      this.#pods.set(uidOf(pod), pod);
      if (pod.spec?.nodeName) this.#setBound(pod);
      else if (!this.#placed.has(uidOf(pod))) this.#setWaiting(pod, before);
      this.#work();
    },
    onDelete: (pod: Pod): void => {
      this.#pods.delete(uidOf(pod));
      this.#cycle.forget(uidOf(pod));
      this.#free(uidOf(pod));
      this.#work();
    },
    onSynced: () => this.#synced('pods'),
  };

  #setBound(pod: Pod): void {
    const uid = uidOf(pod);
    const podClass = this.#classes.ofBound(pod);
    const node = this.#cluster.reserveIndex(pod.spec?.nodeName ?? '');
    if (this.#cycle.queue.has(uid)) this.#cycle.forget(uid);
    const known = this.#placed.get(uid);
    if (isTerminal(pod)) this.#free(uid);
    else if (known === undefined || known.node !== node || known.podClass !== podClass) {
      this.#free(uid);
      this.#setPlaced(pod, this.#cluster.place(podClass, uid, node));
      this.#notice({ kind: 'PodPlaced', node });
    }
    const placed = this.#placed.get(uid);
    if (placed === undefined || placed.isTerminating || pod.metadata?.deletionTimestamp === undefined) return;
    this.#cluster.setTerminating(placed);
    this.#notice({ kind: 'PodLeft', node });
  }

  #setWaiting(pod: Pod, before: Pod | undefined): void {
    const uid = uidOf(pod);
    const podClass = this.#classes.of(pod);
    const isGated = (pod.spec?.schedulingGates ?? []).length > 0;
    const isOurs =
      this.#placement.isResponsible(podClass) && !isTerminal(pod) && !pod.metadata?.deletionTimestamp;
    const isChanged = before !== undefined && this.#classes.of(before) !== podClass;
    if (!isOurs || isGated || isChanged) this.#cycle.forget(uid);
    if (isOurs && isGated)
      void this.#report(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
    if (!isOurs || isGated || this.#cycle.queue.has(uid)) return;
    const name = groupOf(pod);
    const group =
      name === undefined ? undefined : { name, needed: this.#groups.missing(name, minCountOf(pod)) };
    const addedMs = Date.parse(pod.metadata?.creationTimestamp ?? '') || this.#options.clock.nowMs();
    this.#cycle.queue.add({ uid, podClass, addedMs, group });
  }

  #setPlaced(pod: Pod | undefined, placed: PlacedPod): void {
    this.#placed.set(placed.uid, placed);
    if (pod !== undefined) this.#groups.add(groupOf(pod), placed.uid);
  }

  #free(uid: string): void {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    this.#placed.delete(uid);
    this.#groups.delete(uid);
    this.#cluster.remove(placed);
    this.#notice({ kind: 'PodLeft', node: placed.node });
  }

  #notice(event: Parameters<SchedulingCycle['notice']>[0]): void {
    this.#cycle.notice(event, this.#options.clock.nowMs());
    this.#work();
  }

  #synced(kind: string): void {
    this.#unsynced.delete(kind);
    this.#work();
  }

  /** Pods that wait, by kube-scheduler's name of the queue they wait in. */
  pending(): { readonly [queue: string]: number } {
    const sizes = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };
    for (const { state, pods } of this.#cycle.queue.waiting())
      sizes[state === 'in-flight' ? 'active' : state] += pods.size;
    for (const { spec } of this.#pods.values())
      if (!spec?.nodeName && (spec?.schedulingGates ?? []).length > 0) sizes.gated += 1;
    return sizes;
  }

  /** One loop at a time; it ends when nothing is due and is started again by whatever happens. */
  #work(): void {
    if (this.#isWorking || this.#unsynced.size > 0 || this.#signal.aborted) return;
    this.#isWorking = true;
    // Not within the handler that called: it may have more to tell first.
    queueMicrotask(() => {
      void this.#drain().finally(() => {
        this.#isWorking = false;
      });
    });
  }

  async #drain(): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      if (this.#signal.aborted) return;
      if (this.#binding.size >= BOUNDS.parallelBindings) await Promise.race(this.#binding);
      const startMs = performance.now();
      const decision = this.#cycle.next(clock.nowMs());
      if (decision === undefined) break;
      countDecision(decision, performance.now() - startMs);
      this.#carryOut(decision);
    }
    this.#cancelTimer();
    const nextMs = this.#cycle.queue.nextReadyMs() ?? clock.nowMs() + BOUNDS.unschedulableMsMax;
    if (this.#cycle.queue.size > 0) this.#cancelTimer = clock.at(nextMs, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#cycle.queue.nextReadyMs() === undefined) this.#cycle.queue.wake(() => true, nowMs);
    this.#work();
  }

  #carryOut(decision: Decision): void {
    switch (decision.kind) {
      case 'assigned':
        for (const { pod, placed } of decision.assignments) this.#setPlaced(this.#pods.get(pod.uid), placed);
        for (const assignment of decision.assignments) this.#startBinding(assignment);
        return;
      case 'unschedulable':
        for (const { uid } of decision.pods) this.#reportUnschedulable(uid, decision.message());
        return;
      case 'nominated':
        this.#reportUnschedulable(decision.pod.uid, decision.message());
        void this.#preempt(decision);
        return;
    }
  }

  #startBinding(assignment: Assignment): void {
    const binding = this.#bind(assignment).finally(() => this.#binding.delete(binding));
    this.#binding.add(binding);
  }

  async #bind({ pod: { uid }, placed }: Assignment): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    const { api, clock, log } = this.#options;
    const nodeName = this.#cluster.nodeName(placed.node);
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    try {
      await api.create(BINDINGS, { metadata: { ...keyOf(pod), uid }, target }, { subresource: 'binding' });
    } catch (error) {
      if (isPodwrightError(error, 'Conflict')) countConflict(placed.podClass.schedulerName);
      log.warn('binding failed', { pod: textOf(pod), error: errorText(error) });
      if (this.#placed.get(uid) !== placed) return;
      this.#free(uid);
      // Who is gone or bound by somebody else is known by then; everybody else is planned anew.
      clock.at(clock.nowMs() + BOUNDS.schedulingBackoffMsMin, () => {
        const newest = this.#pods.get(uid);
        if (newest !== undefined) this.podHandlers.onObject(newest);
      });
      return;
    }
    const message = `Successfully assigned ${textOf(pod)} to ${nodeName}`;
    this.#events.record({ regarding: referenceTo(pod), type: 'Normal', reason: 'Scheduled', message });
  }

  async #preempt({ pod: { uid }, node, victims }: Extract<Decision, { kind: 'nominated' }>): Promise<void> {
    const { api, log } = this.#options;
    const preemptor = this.#pods.get(uid);
    const nodeName = this.#cluster.nodeName(node);
    if (preemptor === undefined) return;
    const patch = {
      type: 'application/merge-patch+json',
      body: { status: { nominatedNodeName: nodeName } },
    } as const;
    try {
      await api.patch(PODS, keyOf(preemptor), patch, { subresource: 'status' });
      for (const { uid: victimUid } of victims) {
        const victim = this.#pods.get(victimUid);
        if (victim === undefined || victim.metadata?.deletionTimestamp !== undefined) continue;
        const message = `Preempted by pod ${uid} on node ${nodeName}`;
        this.#events.record({ regarding: referenceTo(victim), type: 'Normal', reason: 'Preempted', message });
        await this.#setCondition(victim, {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'PreemptionByScheduler',
          message: `${DEFAULT_SCHEDULER_NAME}: preempting to accommodate a higher priority pod`,
        });
        await api.delete(PODS, keyOf(victim), { preconditions: { uid: victimUid } });
      }
    } catch (error) {
      log.warn('preemption failed', { pod: textOf(preemptor), error: errorText(error) });
    }
  }

  #reportUnschedulable(uid: string, message: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined || isReported(pod, 'Unschedulable', message)) return;
    this.#events.record({
      regarding: referenceTo(pod),
      type: 'Warning',
      reason: 'FailedScheduling',
      message,
    });
    void this.#report(pod, 'Unschedulable', message);
  }

  async #report(pod: Pod, reason: string, message: string): Promise<void> {
    if (!isReported(pod, reason, message))
      await this.#setCondition(pod, { type: 'PodScheduled', status: 'False', reason, message });
  }

  /** A condition that cannot be written is not worth failing over: the next attempt writes it again. */
  async #setCondition(
    pod: Pod,
    condition: {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    },
  ): Promise<void> {
    const { api, clock, log } = this.#options;
    const before = pod.status?.conditions?.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      before?.status === condition.status ? before.lastTransitionTime : timeText(clock.nowMs());
    const body = { status: { conditions: [{ ...condition, lastTransitionTime }] } };
    const patch = { type: 'application/strategic-merge-patch+json', body } as const;
    try {
      await api.patch(PODS, keyOf(pod), patch, { subresource: 'status' });
    } catch (error) {
      log.debug('condition not written', { pod: textOf(pod), error: errorText(error) });
    }
  }
}

function isReported(pod: Pod, reason: string, message: string): boolean {
  const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return before?.status === 'False' && before.reason === reason && before.message === message;
}

/** A heartbeat changes nothing for the scheduler; labels, taints, capacity and images may. */
function isAlike(before: Node, after: Node): boolean {
  const relevant = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([metadata?.labels, spec, status?.allocatable, status?.images]);
  return relevant(before) === relevant(after);
}
