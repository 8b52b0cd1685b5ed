// How fast pods and the node use the processor: two looks at the kernel's totals and the time between them. Nobody looks
// while nobody asks: the first who asks waits for the second look, who asks again soon gets the time since.

import { BOUNDS } from '../base/bounds.ts';
import type { ContainerId, PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Pod } from '../kube/api-types.ts';
import type { Machine } from '../machine/machine.ts';
import type { GroupUsage, NodeUsage, PodUsage } from '../machine/model/usage.ts';
import { podIdentity } from './container-config.ts';
import { isRunning } from './container-instances.ts';

export type MeteredGroup = GroupUsage & {
  /** Billionths of a processor, over the window; of what is younger than the window, over its life. */
  readonly cpuNanoCores: number;
};

export type MeteredContainer = {
  readonly name: string;
  readonly startedAtMs: number;
  readonly imageId: string;
  readonly group: MeteredGroup;
  readonly logBytes: number;
};

export type MeteredPod = {
  readonly pod: Pod;
  readonly group: MeteredGroup | undefined;
  readonly containers: readonly MeteredContainer[];
  readonly network: PodUsage['network'];
};

export type Usage = {
  readonly atMs: number;
  readonly windowMs: number;
  readonly node: Omit<NodeUsage, 'group'> & { readonly group: MeteredGroup };
  /** That have a sandbox. */
  readonly pods: readonly MeteredPod[];
};

type Look = {
  readonly atMs: number;
  readonly node: NodeUsage;
  readonly pods: ReadonlyMap<PodUid, PodUsage>;
};

export type UsageMeter = { usage(): Promise<Usage> };

type MeterOptions = {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly pods: () => readonly Pod[];
};

export const workingSetOf = ({ memoryBytes, inactiveFileBytes }: GroupUsage): number =>
  Math.max(0, memoryBytes - inactiveFileBytes);

/** Without an earlier total it was made within the window: then its life is what it used its time in. */
function metered(
  now: GroupUsage,
  before: GroupUsage | undefined,
  ms: { window: number; life: number },
): MeteredGroup {
  const used = now.cpuNanoseconds - (before?.cpuNanoseconds ?? 0);
  const overMs = before === undefined ? ms.life : ms.window;
  return { ...now, cpuNanoCores: Math.max(0, Math.round((used / Math.max(1, overMs)) * 1000)) };
}

function between(earlier: Look, later: Look, { machine, pods }: MeterOptions): Usage {
  const windowMs = later.atMs - earlier.atMs;
  const meteredPod = (pod: Pod): MeteredPod[] => {
    const { uid } = podIdentity(pod);
    const now = later.pods.get(uid);
    if (now?.group === undefined) return [];
    const before = earlier.pods.get(uid);
    const earlierOf = (id: ContainerId) => before?.containers.find((one) => one.id === id)?.group;
    const observed = machine.observe(uid);
    const lifeOf = (sinceMs: number) => ({ window: windowMs, life: later.atMs - sinceMs });
    const madeAtMs = observed.sandboxes.at(-1)?.createdAtMs ?? later.atMs;
    const containers = now.containers.flatMap(({ id, group, logBytes }) => {
      const instance = observed.containers.find((one) => one.id === id);
      if (instance === undefined || !isRunning(instance)) return [];
      const { name, imageId, state } = instance;
      const used = metered(group, earlierOf(id), lifeOf(state.startedAtMs));
      return [{ name, imageId, startedAtMs: state.startedAtMs, group: used, logBytes }];
    });
    const group = metered(now.group, before?.group, lifeOf(madeAtMs));
    return [{ pod, group, containers, network: now.network }];
  };
  return {
    atMs: later.atMs,
    windowMs,
    node: {
      ...later.node,
      group: metered(later.node.group, earlier.node.group, { window: windowMs, life: windowMs }),
    },
    pods: pods().flatMap(meteredPod),
  };
}

/** Pods looked at in one turn of the event loop: a dozen small files each. */
const PODS_A_TURN = 20;

export function createUsageMeter(options: MeterOptions): UsageMeter {
  const { machine, clock, pods } = options;
  let last: Look | undefined;
  let newest: Usage | undefined;
  let measuring: Promise<Usage> | undefined;

  const look = async (): Promise<Look> => {
    const found = new Map<PodUid, PodUsage>();
    const atMs = clock.nowMs();
    const node = machine.nodeUsage();
    for (const [index, pod] of pods().entries()) {
      const { uid } = podIdentity(pod);
      found.set(uid, machine.podUsage(uid));
      if (index % PODS_A_TURN === PODS_A_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    return { atMs, node, pods: found };
  };
  const measure = async (): Promise<Usage> => {
    const isRecent = last !== undefined && clock.nowMs() - last.atMs <= BOUNDS.usageWindowMsMax;
    const earlier = last !== undefined && isRecent ? last : await look();
    const dueMs = earlier.atMs + BOUNDS.usageWindowMsMin;
    if (clock.nowMs() < dueMs) await new Promise<void>((resolve) => clock.at(dueMs, resolve));
    last = await look();
    newest = between(earlier, last, options);
    return newest;
  };
  return {
    async usage() {
      if (newest !== undefined && clock.nowMs() - newest.atMs < BOUNDS.usageWindowMsMin) return newest;
      measuring ??= measure().finally(() => {
        measuring = undefined;
      });
      return measuring;
    },
  };
}
