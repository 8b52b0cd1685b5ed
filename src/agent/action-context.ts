// What carrying out an action needs: the parts every worker shares, the pod and what is known of it; and what it may
// have found out. Types only.
import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import type { Pod } from '../kube/api-types.ts';
import type { ResourceAmounts } from '../kube/pod.ts';
import type { Machine } from '../machine/machine.ts';
import type { PodIdentity } from '../machine/model/pod-identity.ts';
import type { DnsConfig } from '../machine/model/sandbox.ts';
import type { RunCheck } from './checks/check.ts';
import type { NodeFacts } from './downward.ts';
import type { ExclusiveClaims } from './exclusive-claims.ts';
import type { ImagePuller } from './image-puller.ts';
import type { HookNote, Observed, ReadyImage } from './observed.ts';
import type { PodEvents } from './pod-events.ts';
import type { ApiEndpoints } from './service-env.ts';
import type { SourceCache } from './source-cache.ts';

export type NodeInfo = {
  readonly name: string;
  readonly ips: readonly string[];
  readonly allocatable: NodeFacts['allocatable'];
  /** "crun": scheme of containerID. */
  readonly runtime: string;
  readonly dns?: DnsConfig | undefined;
  readonly apiEndpoints?: ApiEndpoints | undefined;
  readonly restartPeriodMsMax?: number | undefined;
};

/** What every worker shares. */
export type AgentParts = {
  readonly api: ResourceApi;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly puller: ImagePuller;
  readonly runCheck: RunCheck;
  /** 0..1 */
  readonly random: () => number;
  /** What the pods of the node but this one ask for. */
  readonly requestsOfOthers: (uid: PodUid) => ResourceAmounts;
  readonly sources: SourceCache;
  readonly isDiskShort: () => boolean;
  readonly exclusiveClaims: ExclusiveClaims;
  readonly node: NodeInfo;
};

export type ActionContext = {
  readonly parts: AgentParts;
  readonly identity: PodIdentity;
  /** Absent when the API no longer has the pod: only removals are planned then. */
  readonly pod: Pod | undefined;
  readonly observed: Observed;
  readonly events: PodEvents;
  readonly signal: AbortSignal;
};

/** What an action has found out, for the worker's notes. */
export type Learned =
  | { readonly kind: 'image'; readonly container: string; readonly image: ReadyImage }
  | { readonly kind: 'hook'; readonly key: string; readonly result: NonNullable<HookNote['result']> }
  | { readonly kind: 'volumes'; readonly version: string }
  | { readonly kind: 'pod'; readonly pod: Pod };
