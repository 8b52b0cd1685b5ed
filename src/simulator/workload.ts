// What a simulation runs: nodes, and applications that arrive, run and end. An application is a pod: containers that must
// share a node. Its whole and its parts are kept as pod classes, since the strategies differ in which of them they place.
import type { Node, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import { type PodClass, PodClasses } from '../scheduler/pod-class.ts';
import type { GroupMembership } from '../scheduler/queue.ts';

export type Shape = {
  readonly whole: PodClass;
  /** One a container; together they ask for what the whole asks for. */
  readonly parts: readonly PodClass[];
};

export type App = {
  readonly name: string;
  readonly arriveMs: number;
  /** Infinity: it stays. */
  readonly durationMs: number;
  readonly shape: Shape;
  readonly group?: GroupMembership | undefined;
};

export type Workload = {
  readonly title: string;
  readonly nodes: readonly Node[];
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** In the order of arrival. */
  readonly apps: readonly App[];
  /** Pods whose scheduling gates nobody lifts. */
  readonly gated: readonly string[];
};

/** Shapes of pods, compiled once for all that are equal. */
export class Shapes {
  readonly #classes = new PodClasses();
  readonly #byWhole = new Map<PodClass, Shape>();

  of(pod: Pod): Shape {
    const whole = this.#classes.of(pod);
    let shape = this.#byWhole.get(whole);
    if (shape === undefined) {
      shape = { whole, parts: this.#partsOf(pod) };
      this.#byWhole.set(whole, shape);
    }
    return shape;
  }

  /** Containers that stay; what init containers need before is over by then and counts for the whole alone. */
  #partsOf(pod: Pod): readonly PodClass[] {
    const { containers = [], initContainers = [], ...rest } = pod.spec ?? {};
    const staying = [...initContainers.filter(isSidecar), ...containers];
    return staying.map((container) =>
      this.#classes.of({ ...pod, spec: { ...rest, containers: [container] } }),
    );
  }
}
