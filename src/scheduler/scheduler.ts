// The engine's scheduler: an ordinary client of the API. It follows nodes and pods, runs scheduling cycles, and carries
// what they decide to the API: bindings, deletions of preempted pods, conditions and events. It decides nothing itself.
//
// Invariant: a pod is in the queue, or placed in the cluster (bound, or assumed until its binding is answered), or neither
// of our business; never in two of them.
import { BOUNDS } from '../base/bounds.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { createEventRecorder } from '../client/event-recorder.ts';
import { runInformer } from '../client/informer.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_GROUPS,
  PODS,
  STORAGE_CLASSES,
} from '../client/resources.ts';
import type { Namespace, Node, Pod, PodGroup } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { Cluster, type PlacedPod } from './cluster.ts';
import type { StorageObject } from './cluster-volumes.ts';
import { bind, type CommitParts, preempt } from './commits.ts';
import { Placement } from './placement.ts';
import { PodClasses } from './pod-class.ts';
import { groupOf, PodGroups, WAITING_FOR_GANG } from './pod-group.ts';
import { DEFAULT_PROFILE, DEFAULT_SCHEDULER_NAME, type Profile } from './profile.ts';
import { Reports } from './reports.ts';
import { countDecision, gaugeQueue } from './scheduler-figures.ts';
import { type Assignment, type Decision, SchedulingCycle } from './scheduling-cycle.ts';
import { VolumeBinder } from './volume-binder.ts';

export type SchedulerOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  /** One per schedulerName this scheduler answers to. */
  readonly profiles?: readonly Profile[] | undefined;
};

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions, signal: AbortSignal): Promise<void> {
  const scheduler = new Scheduler(options, signal);
  const { api, log } = options;
  const ends = [
    runInformer({ api, ref: NAMESPACES, handlers: scheduler.namespaceHandlers, log }, signal),
    runInformer({ api, ref: NODES, handlers: scheduler.nodeHandlers, log }, signal),
    runInformer({ api, ref: POD_GROUPS, handlers: scheduler.podGroupHandlers, log }, signal),
    runInformer({ api, ref: PODS, handlers: scheduler.podHandlers, log }, signal),
    runInformer(
      { api, ref: PERSISTENT_VOLUME_CLAIMS, handlers: scheduler.storageHandlers('claim'), log },
      signal,
    ),
    runInformer({ api, ref: PERSISTENT_VOLUMES, handlers: scheduler.storageHandlers('volume'), log }, signal),
    runInformer({ api, ref: STORAGE_CLASSES, handlers: scheduler.storageHandlers('class'), log }, signal),
  ];
  const ungauge = gaugeQueue(() => scheduler.pending());
  await Promise.all(ends).finally(ungauge);
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #signal: AbortSignal;
  readonly #reports: Reports;
  readonly #commits: CommitParts;
  readonly #volumes: VolumeBinder;
  readonly #cluster = new Cluster();
  readonly #classes = new PodClasses();
  readonly #placement: Placement;
  readonly #cycle: SchedulingCycle;
  /** Every pod there is, as last seen. */
  readonly #pods = new Map<string, Pod>();
  readonly #nodes = new Map<string, Node>();
  readonly #placed = new Map<string, PlacedPod>();
  readonly #groups = new PodGroups();
  readonly #unsynced = new Set(['namespaces', 'nodes', 'podgroups', 'pods', 'claim', 'volume', 'class']);
  readonly #binding = new Set<Promise<void>>();
  #isWorking = false;
  #cancelTimer: () => void = () => {};

  constructor(options: SchedulerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { profiles = [DEFAULT_PROFILE] } = options;
    const component = profiles[0]?.schedulerName ?? DEFAULT_SCHEDULER_NAME;
    this.#reports = new Reports({ ...options, events: createEventRecorder({ ...options, component }) });
    this.#commits = { ...options, reports: this.#reports };
    this.#volumes = new VolumeBinder({
      volumes: this.#cluster.volumes,
      commits: this.#commits,
      clock: options.clock,
      onChange: () => this.#notice({ kind: 'VolumeChanged' }),
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

  readonly podGroupHandlers = {
    onObject: (group: PodGroup): void => this.#lookAgain(this.#groups.set(group)),
    onDelete: (group: PodGroup): void => this.#lookAgain(this.#groups.remove(group)),
    onSynced: () => this.#synced('podgroups'),
  };

  storageHandlers(kind: StorageObject['kind']) {
    return { ...this.#volumes.handlers(kind), onSynced: () => this.#synced(kind) };
  }

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
    if (isOurs && isGated) this.#reports.gated(pod);
    if (!isOurs || isGated || this.#cycle.queue.has(uid)) return;
    const membership = this.#groups.membershipOf(pod);
    // Groups may be listed after their pods.
    if (membership.kind === 'absent' && this.#unsynced.has('podgroups')) return;
    if (membership.kind === 'absent') {
      this.#reports.unschedulable(pod, membership.message);
      return;
    }
    const addedMs = Date.parse(pod.metadata?.creationTimestamp ?? '') || this.#options.clock.nowMs();
    const group = membership.kind === 'gang' ? membership.group : undefined;
    this.#cycle.queue.add({ uid, podClass, addedMs, group });
    if (this.#cycle.queue.stateOf(uid) === 'gated') this.#reports.unschedulable(pod, WAITING_FOR_GANG);
  }

  /** The waiting pods of a group that came or went; undefined: of none. */
  #lookAgain(group: string | undefined): void {
    if (group === undefined) return;
    for (const pod of this.#pods.values()) {
      if (groupOf(pod) !== group || pod.spec?.nodeName || this.#placed.has(uidOf(pod))) continue;
      this.#cycle.forget(uidOf(pod));
      this.#setWaiting(pod, undefined);
    }
    this.#work();
  }

  #setPlaced(pod: Pod | undefined, placed: PlacedPod): void {
    this.#placed.set(placed.uid, placed);
    if (pod !== undefined) this.#groups.place(groupOf(pod), placed.uid);
  }

  #free(uid: string): void {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    this.#placed.delete(uid);
    this.#groups.free(uid);
    this.#cluster.remove(placed);
    this.#notice({ kind: 'PodLeft', node: placed.node });
  }

  #notice(event: Parameters<SchedulingCycle['notice']>[0]): void {
    this.#cycle.notice(event, this.#options.clock.nowMs());
    this.#work();
  }

  #synced(kind: string): void {
    this.#unsynced.delete(kind);
    if (kind === 'podgroups')
      for (const pod of this.#pods.values()) if (groupOf(pod) !== undefined) this.podHandlers.onObject(pod);
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
        this.#startBinding(decision.assignments);
        return;
      case 'unschedulable':
        this.#reportUnschedulable(decision);
        return;
      case 'nominated':
        this.#reportUnschedulable({ pods: [decision.pod], message: decision.message });
        this.#preempt(decision);
        return;
    }
  }

  #startBinding(assignments: readonly Assignment[]): void {
    const binding = this.#bind(assignments).finally(() => this.#binding.delete(binding));
    this.#binding.add(binding);
  }

  async #bind(assignments: readonly Assignment[]): Promise<void> {
    const wanted = assignments.flatMap(({ pod: { uid }, placed }) => {
      const pod = this.#pods.get(uid);
      return pod === undefined ? [] : [{ pod, placed, nodeName: this.#cluster.nodeName(placed.node) }];
    });
    const isReady = await this.#volumes.bind(wanted, this.#signal);
    if (!isReady || (await bind(this.#commits, wanted)) === 'refused') {
      for (const { placed } of wanted) this.#planAnew(placed);
      return;
    }
    const group = this.#groups.get(groupOf(wanted[0]?.pod ?? {}) ?? '');
    const news = { type: 'PodGroupScheduled', status: 'True', reason: 'Scheduled' } as const;
    if (group !== undefined) void this.#reports.group(group, { ...news, message: 'its pods have nodes' });
  }

  /** Who is gone or bound by somebody else is known by then; everybody else goes back into the queue. */
  #planAnew(placed: PlacedPod): void {
    const { clock } = this.#options;
    if (this.#placed.get(placed.uid) !== placed) return;
    this.#free(placed.uid);
    clock.at(clock.nowMs() + BOUNDS.schedulingBackoffMsMin, () => {
      const newest = this.#pods.get(placed.uid);
      if (newest !== undefined) this.podHandlers.onObject(newest);
    });
  }

  #preempt({ pod: { uid }, node, victims }: Extract<Decision, { kind: 'nominated' }>): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    const doomed = victims.flatMap((victim) => this.#pods.get(victim.uid) ?? []);
    void preempt(this.#commits, { pod, nodeName: this.#cluster.nodeName(node) }, doomed);
  }

  #reportUnschedulable({
    pods,
    message,
  }: Pick<Extract<Decision, { kind: 'unschedulable' }>, 'pods' | 'message'>): void {
    const text = message();
    for (const { uid } of pods) {
      const pod = this.#pods.get(uid);
      if (pod !== undefined) this.#reports.unschedulable(pod, text);
    }
    const group = this.#groups.get(pods[0]?.group?.name ?? '');
    const news = { type: 'PodGroupScheduled', status: 'False', reason: 'Unschedulable' } as const;
    if (group !== undefined) void this.#reports.group(group, { ...news, message: text });
  }
}

/** A heartbeat changes nothing for the scheduler; labels, taints, capacity and images may. */
function isAlike(before: Node, after: Node): boolean {
  const relevant = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([metadata?.labels, spec, status?.allocatable, status?.images]);
  return relevant(before) === relevant(after);
}
