// One scheduling cycle after another: takes the next unit of the queue, finds nodes, assumes the pods there, and says what
// was decided. The engine's scheduler carries the decisions to the API, the simulator to virtual time; both run this.
//
// Invariant: what is decided is already true in the cluster when it is returned: the next cycle sees it.
import type { Cluster, PlacedPod } from './cluster.ts';
import { type ClusterEvent, couldHelp, isAboutOneNode } from './cluster-event.ts';
import type { Placement } from './placement.ts';
import type { PluginName } from './plugin-name.ts';
import { findEviction } from './preemption.ts';
import { type QueuedPod, SchedulingQueue, type Unit } from './queue.ts';

export type Assignment = { readonly pod: QueuedPod; readonly placed: PlacedPod };

export type Decision =
  | { readonly kind: 'assigned'; readonly assignments: readonly Assignment[] }
  | {
      readonly kind: 'unschedulable';
      readonly pods: readonly QueuedPod[];
      /** Of now: to be asked at once or never. Words cost more than the verdict. */
      readonly message: () => string;
    }
  /** The victims must be deleted; the node is kept free for the pod. */
  | {
      readonly kind: 'nominated';
      readonly pod: QueuedPod;
      readonly node: number;
      readonly victims: readonly PlacedPod[];
      readonly message: () => string;
    };

type Refusal = { readonly rejectedBy: ReadonlySet<PluginName>; readonly message: string };

export class SchedulingCycle {
  readonly placement: Placement;
  readonly queue = new SchedulingQueue();
  readonly #cluster: Cluster;
  readonly #nominated = new Map<string, PlacedPod>();

  constructor(placement: Placement) {
    this.placement = placement;
    this.#cluster = placement.cluster;
  }

  /** Undefined when nothing is due. */
  next(nowMs: number): Decision | undefined {
    const unit = this.queue.pop(nowMs);
    if (unit === undefined) return undefined;
    const [pod] = unit.pods.values();
    if (pod === undefined) throw new Error(`unit ${unit.id} has no pods`);
    return unit.id === pod.uid ? this.#placeOne(unit, pod, nowMs) : this.#placeTogether(unit, nowMs);
  }

  /** The pod is gone, or somebody else gave it a node. */
  forget(uid: string): void {
    this.#withdraw(uid);
    this.queue.remove(uid, 'gone');
  }

  /** Tries again those of the waiting that the event could help. */
  notice(event: ClusterEvent, nowMs: number): void {
    this.queue.wake((pod, rejectedBy) => {
      if (!couldHelp(event, rejectedBy)) return false;
      const nominated = this.#nominated.get(pod.uid);
      if (nominated !== undefined)
        return !('node' in event) || event.node === nominated.node || event.kind !== 'PodLeft';
      if (event.kind !== 'PodLeft' || !isAboutOneNode(rejectedBy)) return true;
      const view = this.placement.viewOf(pod.podClass);
      view.refresh();
      return view.fits(event.node) || this.#couldPreempt(pod);
    }, nowMs);
  }

  nominatedNode(uid: string): number | undefined {
    return this.#nominated.get(uid)?.node;
  }

  #couldPreempt({ podClass, group }: QueuedPod): boolean {
    return group === undefined && podClass.priority > 0 && podClass.mayPreempt;
  }

  #placeOne(unit: Unit, pod: QueuedPod, nowMs: number): Decision {
    const nomination = this.#withdraw(pod.uid);
    unit.isNominated = false;
    const node = this.placement.findNode(pod.podClass);
    if (node >= 0) return { kind: 'assigned', assignments: [this.#assume(pod, node, nowMs)] };
    const rejectedBy = this.placement.rejectedBy(pod.podClass);
    const isBeingFreed =
      nomination !== undefined &&
      this.#cluster
        .podsOn(nomination.node)
        .some((one) => one.isTerminating && one.podClass.priority < pod.podClass.priority);
    const eviction = isBeingFreed
      ? { node: nomination.node, victims: [] }
      : findEviction(this.placement.viewOf(pod.podClass), this.#cluster);
    // What stood in the way, not what the nomination below adds to it.
    const why = eviction === undefined ? '' : this.placement.diagnose(pod.podClass);
    if (eviction !== undefined) {
      this.#nominate(pod, eviction.node);
      unit.isNominated = true;
    }
    this.queue.park(unit, rejectedBy, nowMs);
    if (eviction === undefined)
      return { kind: 'unschedulable', pods: [pod], message: () => this.placement.failure(pod.podClass) };
    const real = eviction.victims.filter(({ uid, isNominated }) => !(isNominated && this.#withdraw(uid)));
    return { kind: 'nominated', pod, node: eviction.node, victims: real, message: () => why };
  }

  /** All or nothing: at least `needed` of them, or what was placed is taken back in the same breath. */
  #placeTogether(unit: Unit, nowMs: number): Decision {
    const found: { pod: QueuedPod; placed: PlacedPod }[] = [];
    const { needed } = unit;
    let refusal: Refusal | undefined;
    for (const pod of [...unit.pods.values()]) {
      const node = this.placement.findNode(pod.podClass);
      if (node < 0) refusal ??= this.#refusal(pod);
      else found.push({ pod, placed: this.#cluster.place(pod.podClass, pod.uid, node) });
    }
    if (found.length > 0 && found.length >= needed) {
      for (const { pod } of found) this.queue.remove(pod.uid, 'placed');
      for (const { placed } of found) this.notice({ kind: 'PodPlaced', node: placed.node }, nowMs);
      if (refusal !== undefined) this.queue.park(unit, refusal.rejectedBy, nowMs);
      return { kind: 'assigned', assignments: found };
    }
    for (const { placed } of found) this.#cluster.remove(placed);
    this.queue.park(unit, refusal?.rejectedBy ?? new Set(), nowMs);
    const text = `pod group ${unit.id}: ${found.length} of at least ${needed} pods fit together: ${refusal?.message}`;
    return { kind: 'unschedulable', pods: [...unit.pods.values()], message: () => text };
  }

  #assume(pod: QueuedPod, node: number, nowMs: number): Assignment {
    const placed = this.#cluster.place(pod.podClass, pod.uid, node);
    this.queue.remove(pod.uid, 'placed');
    this.queue.wakeNext(pod.podClass);
    this.notice({ kind: 'PodPlaced', node }, nowMs);
    return { pod, placed };
  }

  #refusal({ podClass }: QueuedPod): Refusal {
    return { rejectedBy: this.placement.rejectedBy(podClass), message: this.placement.diagnose(podClass) };
  }

  #nominate(pod: QueuedPod, node: number): void {
    this.#nominated.set(pod.uid, this.#cluster.place(pod.podClass, pod.uid, node, 'nominated'));
  }

  #withdraw(uid: string): PlacedPod | undefined {
    const nomination = this.#nominated.get(uid);
    if (nomination === undefined) return undefined;
    this.#cluster.remove(nomination);
    this.#nominated.delete(uid);
    return nomination;
  }
}
