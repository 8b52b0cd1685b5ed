// What the agent does for the node as a whole, wired together: logs are rotated, images collected, pressure is told and
// fought, and a pod the node cannot take is refused. docs/node.md tells of it.
import { BOUNDS } from '../base/bounds.ts';
import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import type { Pod } from '../kube/api-types.ts';
import type { KubeletConfiguration } from '../kube/kubelet-configuration.ts';
import { forbiddenSysctl } from '../kube/sysctls.ts';
import type { Machine } from '../machine/machine.ts';
import { EvictionManager } from './eviction/eviction-manager.ts';
import type { PressureCondition } from './eviction/pressure.ts';
import { Housekeeping } from './housekeeping.ts';
import { ImageCollector } from './image-collector.ts';
import type { Eviction } from './observed.ts';
import { rotateLogs } from './rotate-logs.ts';

export type NodeKeeperOptions = {
  readonly api: ResourceApi;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Log;
  readonly configuration: KubeletConfiguration;
  readonly pods: () => readonly Pod[];
  readonly evict: (uid: PodUid, eviction: Eviction) => void;
  /** A Warning event of the Node. */
  readonly tellNode: (reason: string, message: string) => void;
  readonly onConditions: (conditions: ReadonlySet<PressureCondition>) => Promise<void>;
};

export type NodeKeeper = {
  isDiskShort(): boolean;
  /** The kubelet's admission: what keeps a pod from ever coming. */
  refusalOf(pod: Pod): Pick<Eviction, 'reason' | 'message'> | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
};

export function createNodeKeeper(options: NodeKeeperOptions): NodeKeeper {
  const { machine, clock, log, configuration } = options;
  const images = new ImageCollector({ ...options, bounds: configuration });
  const removeUnusedImages = (): Promise<void> => images.collect('every unused image');
  const eviction = new EvictionManager({ ...options, removeUnusedImages });
  const housekeeping = new Housekeeping(clock, log);
  return {
    isDiskShort: () => eviction.isDiskShort,
    refusalOf(pod) {
      const { spec } = pod;
      const sysctl =
        spec === undefined ? undefined : forbiddenSysctl(spec, configuration.allowedUnsafeSysctls);
      if (sysctl !== undefined) return { reason: 'SysctlForbidden', message: `Pod was rejected: ${sysctl}` };
      const pressure = eviction.refusalOf(pod);
      if (pressure !== undefined) return { reason: 'Evicted', message: `Pod was rejected: ${pressure}` };
      return undefined;
    },
    async start() {
      await images.look().catch((error: unknown) => log.warn('look at images', { error: errorText(error) }));
      housekeeping.start([
        {
          name: 'log rotation',
          everyMs: BOUNDS.logMonitorMs,
          run: () => rotateLogs(machine, configuration),
        },
        { name: 'eviction', everyMs: BOUNDS.evictionMonitorMs, run: () => eviction.round() },
        {
          name: 'image collection',
          everyMs: BOUNDS.imageCollectionMs,
          run: () => images.collect('to the threshold'),
        },
      ]);
    },
    stop: () => housekeeping.stop(),
  };
}
