// Where does this pod go? The views of the classes seen lately, the choice of a node, and the words for why there is none.
// A pod is placed whole or not at all. Decides only: who calls it places the pod in the cluster and binds it.
import { BOUNDS } from '../base/bounds.ts';
import { ClassView } from './class-view.ts';
import type { Cluster } from './cluster.ts';
import { fitError } from './fit-error.ts';
import type { PluginName } from './plugin-name.ts';
import type { PodClass } from './pod-class.ts';
import { preemptionFailure } from './preemption.ts';
import { DEFAULT_PROFILE, type Profile } from './profile.ts';

export class Placement {
  readonly cluster: Cluster;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #views = new Map<number, ClassView>();

  constructor(cluster: Cluster, profiles: readonly Profile[] = [DEFAULT_PROFILE]) {
    this.cluster = cluster;
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
  }

  /** Pods whose spec.schedulerName names another scheduler are left alone. */
  isResponsible(podClass: PodClass): boolean {
    return this.hasProfile(podClass.schedulerName);
  }

  hasProfile(schedulerName: string): boolean {
    return this.#profiles.has(schedulerName);
  }

  viewOf(podClass: PodClass): ClassView {
    let view = this.#views.get(podClass.id);
    if (view === undefined) {
      const profile = this.#profiles.get(podClass.schedulerName) ?? DEFAULT_PROFILE;
      view = new ClassView(podClass, this.cluster, profile);
      const oldest = this.#views.keys().next();
      const most = Math.max(1, Math.floor(BOUNDS.classViewNodes / Math.max(1, this.cluster.size)));
      if (this.#views.size >= most && oldest.done !== true) this.#views.delete(oldest.value);
      this.#views.set(podClass.id, view);
    }
    return view;
  }

  /** The number of the best node; -1 when none fits. */
  findNode(podClass: PodClass): number {
    return this.viewOf(podClass).best();
  }

  /** The plug-ins that object, each where it is the first to: only what concerns them can help. */
  rejectedBy(podClass: PodClass): ReadonlySet<PluginName> {
    const view = this.viewOf(podClass);
    view.refresh();
    const plugins = new Set<PluginName>();
    const { nodes, size } = this.cluster;
    for (let node = 0; node < size; node += 1) {
      const plugin = nodes[node] === undefined ? undefined : view.objector(node);
      if (plugin !== undefined) plugins.add(plugin);
    }
    return plugins;
  }

  /** kube-scheduler's FailedScheduling message: what filters a node out, and why preemption would not help. */
  failure(podClass: PodClass): string {
    const message = this.diagnose(podClass);
    if (this.cluster.nodes.every((node) => node === undefined)) return message;
    return `${message} preemption: ${preemptionFailure(this.viewOf(podClass), this.cluster)}`;
  }

  /** What filters each node out. */
  diagnose(podClass: PodClass): string {
    const view = this.viewOf(podClass);
    view.refresh();
    const { nodes } = this.cluster;
    const present = [...nodes.keys()].filter((node) => nodes[node] !== undefined);
    if (present.length === 0) return 'no nodes available to schedule pods';
    if (view.refusal !== undefined) return `0/${present.length} nodes are available: ${view.refusal}.`;
    const reasons = present.flatMap((node) => view.objection(node)?.reasons ?? []);
    return fitError(
      present.length,
      reasons.map(({ text }) => text),
    );
  }
}
