// Keeps the node from running out: looks, tells the node's conditions, gives up what can be spared, and when that is not
// enough ends one pod after the other. What to do is decided elsewhere (pressure.ts, ranking.ts, local-storage.ts); here is
// the memory from one look to the next.
import { BOUNDS } from '../../base/bounds.ts';
import type { PodUid } from '../../base/brand.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Pod } from '../../kube/api-types.ts';
import { SIGNALS, type Threshold } from '../../kube/eviction-thresholds.ts';
import { evictionThresholds, type KubeletConfiguration } from '../../kube/kubelet-configuration.ts';
import { isTerminal, qosClassOf } from '../../kube/pod.ts';
import type { Machine } from '../../machine/machine.ts';
import { podIdentity } from '../container-config.ts';
import { allContainers } from '../container-instances.ts';
import { IMMEDIATE_GRACE_MS } from '../evicted.ts';
import type { Eviction } from '../observed.ts';
import { brokenDiskLimit, hasDiskLimit } from './local-storage.ts';
import { measurePods } from './measure.ts';
import {
  conditionsOf,
  isMet,
  mostUrgent,
  NO_PRESSURE,
  nextPressure,
  type Observations,
  observationsOf,
  type PressureCondition,
} from './pressure.ts';
import { isCritical, rankForEviction } from './ranking.ts';
import { pressureMessage, refusalMessage } from './words.ts';

export type EvictionManagerOptions = {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Log;
  readonly configuration: KubeletConfiguration;
  readonly pods: () => readonly Pod[];
  readonly evict: (uid: PodUid, eviction: Eviction) => void;
  readonly removeUnusedImages: () => Promise<void>;
  readonly tellNode: (reason: string, message: string) => void;
  readonly onConditions: (conditions: ReadonlySet<PressureCondition>) => Promise<void>;
};

export class EvictionManager {
  readonly #options: EvictionManagerOptions;
  readonly #thresholds: readonly Threshold[];
  #pressure = NO_PRESSURE;
  #conditions: ReadonlySet<PressureCondition> = new Set();
  /** The pod that is going: nobody else goes before it has, or has had its time. */
  #going: { readonly uid: PodUid; readonly untilMs: number } | undefined;
  #reclaimedFor: Threshold | undefined;
  #diskDueMs = 0;

  constructor(options: EvictionManagerOptions) {
    this.#options = options;
    this.#thresholds = evictionThresholds(options.configuration);
  }

  get isDiskShort(): boolean {
    return this.#conditions.has('DiskPressure');
  }

  /** The message of its refusal; undefined: the node takes the pod. kubelet's Admit. */
  refusalOf(pod: Pod): string | undefined {
    const conditions = this.#conditions;
    if (conditions.size === 0 || pod.spec === undefined || isCritical(pod)) return undefined;
    const isOnlyMemory = conditions.size === 1 && conditions.has('MemoryPressure');
    if (isOnlyMemory && (qosClassOf(pod.spec) !== 'BestEffort' || toleratesMemoryPressure(pod)))
      return undefined;
    return refusalMessage([...conditions]);
  }

  /** One look, and what it asks for. */
  async round(): Promise<void> {
    const { clock, machine, configuration } = this.#options;
    const observations = observationsOf(machine.nodeUsage());
    const nowMs = clock.nowMs();
    this.#pressure = nextPressure(this.#pressure, this.#thresholds, { observations, nowMs });
    const transitionMs = configuration.evictionPressureTransitionPeriod;
    await this.#tellConditions(conditionsOf(this.#pressure, { nowMs, transitionMs }));
    if (await this.#enforceDiskLimits()) return;
    const threshold = mostUrgent(this.#pressure, nowMs);
    if (threshold === undefined) this.#reclaimedFor = undefined;
    else await this.#relieve(threshold, observations);
  }

  async #tellConditions(conditions: ReadonlySet<PressureCondition>): Promise<void> {
    const isSame =
      conditions.size === this.#conditions.size && [...conditions].every((one) => this.#conditions.has(one));
    if (isSame) return;
    this.#conditions = conditions;
    await this.#options.onConditions(conditions);
  }

  #active(): readonly Pod[] {
    return this.#options
      .pods()
      .filter((pod) => !isTerminal(pod) && pod.metadata?.deletionTimestamp === undefined);
  }

  /** Measured the more rarely the longer it takes. */
  async #enforceDiskLimits(): Promise<boolean> {
    const { clock, machine } = this.#options;
    const beganMs = clock.nowMs();
    if (beganMs < this.#diskDueMs) return false;
    let hasEvicted = false;
    for (const pod of this.#active().filter(hasDiskLimit)) {
      const message = brokenDiskLimit(pod, await machine.podDisk(podIdentity(pod).uid));
      if (message === undefined || isCritical(pod)) continue;
      this.#evict(pod, { graceMs: IMMEDIATE_GRACE_MS, message, isDisruption: false });
      hasEvicted = true;
    }
    this.#diskDueMs = clock.nowMs() + (clock.nowMs() - beganMs) * BOUNDS.diskMeasureShare;
    return hasEvicted;
  }

  async #relieve(threshold: Threshold, observations: Observations): Promise<void> {
    const { tellNode, removeUnusedImages, log } = this.#options;
    const resource = SIGNALS[threshold.signal];
    tellNode('EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const isDisk = resource === 'ephemeral-storage' || resource === 'inodes';
    if (isDisk) {
      await removeUnusedImages();
      if (!isMet(threshold, observationsOf(this.#options.machine.nodeUsage()))) return;
      // Dead containers go by the condition, which every pod's worker looks at; whether it was enough the next look says.
      const isFirst = this.#reclaimedFor !== threshold;
      this.#reclaimedFor = threshold;
      if (isFirst) return;
    }
    if (this.#isWaiting()) return;
    const measured = await measurePods(this.#options.machine, this.#active(), resource);
    const ranked = rankForEviction(
      measured.map(({ use }) => use),
      resource,
    );
    const first = ranked.find(({ pod }) => !isCritical(pod));
    if (first === undefined)
      return log.warn('the node is under pressure and no pod can be evicted', { resource });
    this.#evict(first.pod, {
      graceMs: threshold.graceMs === 0 ? IMMEDIATE_GRACE_MS : this.#softGraceMs(first.pod),
      message: pressureMessage({
        threshold,
        observations,
        containers: allContainers(first.pod),
        uses: measured.find(({ use }) => use === first)?.containers ?? [],
      }),
      isDisruption: true,
    });
  }

  #softGraceMs({ spec }: Pod): number {
    const ownMs = (spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    return Math.min(ownMs, this.#options.configuration.evictionMaxPodGracePeriod);
  }

  #isWaiting(): boolean {
    const going = this.#going;
    if (going === undefined || this.#options.clock.nowMs() >= going.untilMs) return false;
    return this.#active().some((pod) => podIdentity(pod).uid === going.uid);
  }

  #evict(pod: Pod, eviction: Omit<Eviction, 'atMs' | 'reason'>): void {
    const { clock, evict } = this.#options;
    const atMs = clock.nowMs();
    const { uid } = podIdentity(pod);
    this.#going = { uid, untilMs: atMs + eviction.graceMs + BOUNDS.evictionWaitMs };
    evict(uid, { reason: 'Evicted', ...eviction, atMs });
  }
}

function toleratesMemoryPressure({ spec }: Pod): boolean {
  return (spec?.tolerations ?? []).some(
    ({ key, operator, effect }) =>
      (key === 'node.kubernetes.io/memory-pressure' || (key === undefined && operator === 'Exists')) &&
      (effect === undefined || effect === 'NoSchedule'),
  );
}
