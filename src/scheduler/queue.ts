// The scheduling queue, in kube-scheduler's words: active (by priority, then by age), backoff, unschedulable, and gated.
// Its items are units: one pod, or all waiting pods of a group, which are placed together or not at all.
//
// Invariant: a waiting unit is in exactly one of the four states; of equal unschedulable single pods only the oldest is
// tried when something changes, and each success calls the next: where the first does not fit, no other does.
import { BOUNDS } from '../base/bounds.ts';
import { Heap } from '../base/heap.ts';
import type { PluginName } from './plugin-name.ts';
import type { PodClass } from './pod-class.ts';

export type QueuedPod = {
  readonly uid: string;
  readonly podClass: PodClass;
  readonly addedMs: number;
  readonly group?: GroupMembership | undefined;
};

export type GroupMembership = {
  /** namespace/name. */
  readonly name: string;
  /** How many more of the group must find a node together: its minCount without those that have one. */
  readonly needed: number;
};

export type UnitState = 'gated' | 'active' | 'backoff' | 'unschedulable' | 'in-flight';

export type Unit = {
  /** A pod's uid or a group's name. */
  readonly id: string;
  readonly pods: Map<string, QueuedPod>;
  /** So many must be placed together; 0 once a group has them: latecomers go one by one. */
  needed: number;
  /** A node is being freed for it. */
  isNominated: boolean;
  state: UnitState;
  attempts: number;
  /** Order of arrival, and of the entries in the heaps: an entry with another number is stale. */
  ticket: number;
  readyMs: number;
  rejectedBy: ReadonlySet<PluginName>;
  /** Units of one kind are alike to the scheduler: what helps one helps the other. */
  kind: string | number;
};

type Entry = {
  readonly unit: Unit;
  readonly ticket: number;
  readonly priority: number;
  readonly atMs: number;
};

const NOBODY: ReadonlySet<PluginName> = new Set();

const firstPod = (unit: Unit): QueuedPod | undefined => unit.pods.values().next().value;

function newUnit(id: string): Unit {
  return {
    id,
    pods: new Map(),
    needed: 1,
    state: 'gated',
    attempts: 0,
    ticket: -1,
    readyMs: 0,
    rejectedBy: NOBODY,
    kind: id,
    isNominated: false,
  };
}

export class SchedulingQueue {
  readonly #units = new Map<string, Unit>();
  readonly #unitOfPod = new Map<string, Unit>();
  readonly #active = new Heap<Entry>((a, b) =>
    a.priority !== b.priority
      ? a.priority > b.priority
      : a.atMs !== b.atMs
        ? a.atMs < b.atMs
        : a.ticket < b.ticket,
  );
  readonly #backoff = new Heap<Entry>((a, b) => a.atMs < b.atMs);
  /** Unschedulable units by kind, oldest first. */
  readonly #unschedulable = new Map<string | number, Map<string, Unit>>();
  #tickets = 0;

  /** Pods that wait in any state. */
  get size(): number {
    return this.#unitOfPod.size;
  }

  has(uid: string): boolean {
    return this.#unitOfPod.has(uid);
  }

  add(pod: QueuedPod): void {
    if (this.#unitOfPod.has(pod.uid)) return;
    const id = pod.group?.name ?? pod.uid;
    let unit = this.#units.get(id);
    if (unit === undefined) {
      unit = newUnit(id);
      this.#units.set(id, unit);
    }
    unit.needed = pod.group?.needed ?? 1;
    unit.pods.set(pod.uid, pod);
    this.#unitOfPod.set(pod.uid, unit);
    this.#activateIfComplete(unit);
  }

  /** The pod no longer waits: it is gone or has its node. */
  remove(uid: string, why: 'placed' | 'gone'): void {
    const unit = this.#unitOfPod.get(uid);
    if (unit === undefined) return;
    const podClass = unit.pods.get(uid)?.podClass;
    // It may have been tried for all of its kind.
    if (why === 'gone' && podClass !== undefined && unit.state !== 'unschedulable') this.wakeNext(podClass);
    this.#unitOfPod.delete(uid);
    if (unit.pods.size === 1) this.#leaveUnschedulable(unit);
    unit.pods.delete(uid);
    if (why === 'placed') unit.needed = Math.max(0, unit.needed - 1);
    if (unit.pods.size > 0) return;
    unit.ticket = -1;
    this.#units.delete(unit.id);
  }

  /** The next unit to try, now in flight; undefined when none is due. */
  pop(nowMs: number): Unit | undefined {
    this.#endBackoffs(nowMs);
    for (;;) {
      const entry = this.#active.pop();
      if (entry === undefined) return undefined;
      if (entry.unit.ticket !== entry.ticket || entry.unit.state !== 'active') continue;
      entry.unit.state = 'in-flight';
      entry.unit.attempts += 1;
      return entry.unit;
    }
  }

  /** Waits until something happens that could help. */
  park(unit: Unit, rejectedBy: ReadonlySet<PluginName>, nowMs: number): void {
    const pod = firstPod(unit);
    if (pod === undefined) return;
    unit.state = 'unschedulable';
    unit.rejectedBy = rejectedBy;
    unit.readyMs = nowMs + this.#backoffMs(unit);
    unit.kind = unit.isNominated || unit.id !== pod.uid ? unit.id : pod.podClass.id;
    let alike = this.#unschedulable.get(unit.kind);
    if (alike === undefined) {
      alike = new Map();
      this.#unschedulable.set(unit.kind, alike);
    }
    alike.set(unit.id, unit);
  }

  /** Tries again those whom the test says could be helped: it is asked once per kind of waiting pods. */
  wake(isHelped: (pod: QueuedPod, rejectedBy: ReadonlySet<PluginName>) => boolean, nowMs: number): void {
    for (const alike of [...this.#unschedulable.values()]) {
      const unit = alike.values().next().value;
      const pod = unit && firstPod(unit);
      if (unit === undefined || pod === undefined || !isHelped(pod, unit.rejectedBy)) continue;
      this.#leaveUnschedulable(unit);
      if (unit.readyMs > nowMs) this.#toBackoff(unit);
      else this.#toActive(unit);
    }
  }

  /** A pod of this class found a node: the next of its kind may as well. */
  wakeNext(podClass: PodClass): void {
    const unit = this.#unschedulable.get(podClass.id)?.values().next().value;
    if (unit === undefined) return;
    this.#leaveUnschedulable(unit);
    this.#toActive(unit);
  }

  /** When the next back-off ends; undefined when nobody backs off. */
  nextReadyMs(): number | undefined {
    return this.#backoff.peek()?.atMs;
  }

  stateOf(uid: string): UnitState | undefined {
    return this.#unitOfPod.get(uid)?.state;
  }

  waiting(): Iterable<Unit> {
    return this.#units.values();
  }

  #activateIfComplete(unit: Unit): void {
    if (unit.state === 'gated' && unit.pods.size > 0 && unit.pods.size >= unit.needed) this.#toActive(unit);
    else if (unit.state === 'unschedulable' && unit.pods.size > 1) {
      this.#leaveUnschedulable(unit);
      this.#toActive(unit);
    }
  }

  #backoffMs({ attempts }: Unit): number {
    const { schedulingBackoffMsMin, schedulingBackoffMsMax } = BOUNDS;
    return Math.min(schedulingBackoffMsMax, schedulingBackoffMsMin * 2 ** Math.max(0, attempts - 1));
  }

  #entry(unit: Unit, atMs: number): Entry {
    this.#tickets += 1;
    unit.ticket = this.#tickets;
    return { unit, ticket: unit.ticket, priority: firstPod(unit)?.podClass.priority ?? 0, atMs };
  }

  #toActive(unit: Unit): void {
    unit.state = 'active';
    this.#active.push(this.#entry(unit, firstPod(unit)?.addedMs ?? 0));
  }

  #toBackoff(unit: Unit): void {
    unit.state = 'backoff';
    this.#backoff.push(this.#entry(unit, unit.readyMs));
  }

  #endBackoffs(nowMs: number): void {
    for (
      let entry = this.#backoff.peek();
      entry !== undefined && entry.atMs <= nowMs;
      entry = this.#backoff.peek()
    ) {
      this.#backoff.pop();
      if (entry.unit.ticket === entry.ticket && entry.unit.state === 'backoff') this.#toActive(entry.unit);
    }
  }

  #leaveUnschedulable(unit: Unit): void {
    if (unit.state !== 'unschedulable') return;
    const alike = this.#unschedulable.get(unit.kind);
    alike?.delete(unit.id);
    if (alike?.size === 0) this.#unschedulable.delete(unit.kind);
    unit.state = 'gated';
  }
}
