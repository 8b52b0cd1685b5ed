// Where does this pod go? The views of the classes seen lately, the choice of a node, and the words for why there is none.
// A pod is placed whole or not at all. Decides only: who calls it places the pod in the cluster and binds it.
import { BOUNDS } from '../base/bounds.ts';
import { ClassView } from './class-view.ts';
import type { Cluster } from './cluster.ts';
import type { PluginName } from './framework.ts';
import type { PodClass } from './pod-class.ts';
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
    return this.#profiles.has(podClass.schedulerName);
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

  /** kube-scheduler's FailedScheduling message. */
  diagnose(podClass: PodClass): string {
    const view = this.viewOf(podClass);
    view.refresh();
    const counts = new Map<string, number>();
    let nodeCount = 0;
    this.cluster.nodes.forEach((node, index) => {
      if (node === undefined) return;
      nodeCount += 1;
      const objection = view.objection(index);
      if (objection === undefined) return;
      for (const { text } of objection.reasons) counts.set(text, (counts.get(text) ?? 0) + 1);
    });
    if (nodeCount === 0) return 'no nodes available to schedule pods';
    const texts = [...counts].map(([text, count]) => `${count} ${text}`).sort();
    return `0/${nodeCount} nodes are available: ${texts.join(', ')}.`;
  }
}
