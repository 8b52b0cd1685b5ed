// The node agent, our kubelet: follows the pods bound to its node and keeps one worker for each. An ordinary client of
// the API; what it knows of the Linux machine is Machine, what it knows of time is Clock. It keeps nothing on disk: the
// machine remembers, and a new agent adopts what it finds there.

import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { createEventRecorder } from '../client/event-recorder.ts';
import { runInformer } from '../client/informer.ts';
import type { NodeApi } from '../client/node-api.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { PODS } from '../client/resources.ts';
import type { Pod } from '../kube/api-types.ts';
import { type KubeletConfiguration, kubeletConfiguration } from '../kube/kubelet-configuration.ts';
import { effectiveRequests, isTerminal, type ResourceAmounts } from '../kube/pod.ts';
import { quantityMilli, quantityValue } from '../kube/quantity.ts';
import type { Machine } from '../machine/machine.ts';
import type { PodIdentity } from '../machine/model/pod-identity.ts';
import type { DnsConfig } from '../machine/model/sandbox.ts';
import type { AgentParts } from './action-context.ts';
import { checkRunner } from './checks/run-check.ts';
import { podIdentity } from './container-config.ts';
import { ExclusiveClaims } from './exclusive-claims.ts';
import { ImagePuller } from './image-puller.ts';
import { createStartWatch, gaugeNode } from './kubelet-figures.ts';
import { createNodeApi } from './node-api.ts';
import { createNodeKeeper } from './node-keeper.ts';
import { type NodeDescription, NodeRegistration } from './node-registration.ts';
import { PodWorker } from './pod-worker.ts';
import type { ApiEndpoints } from './service-env.ts';
import { SourceCache } from './source-cache.ts';
import type { StaticPods } from './static-pods.ts';

export type AgentOptions = {
  readonly api: ResourceApi;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** cpu, memory, pods, ephemeral-storage; all of it is allocatable. */
  readonly capacity: NodeDescription['capacity'];
  readonly labels?: NodeDescription['labels'];
  /** Of a node that is new: kubelet's --register-with-taints. */
  readonly taints?: NodeDescription['taints'];
  /** Where the addresses of its pods come from. */
  readonly podCidr?: string | undefined;
  /** "crun://1.8.1": its scheme is that of containerID. */
  readonly runtimeVersion?: string | undefined;
  /** kubeletVersion of the Node. */
  readonly version?: string | undefined;
  /** The node's own resolver, merged under a pod's dnsConfig. Absent: such pods get dnsConfig alone. */
  readonly nodeDns?: DnsConfig | undefined;
  /** Where containers find the API. Absent: they are not told. */
  readonly apiEndpoints?: ApiEndpoints | undefined;
  /** For tests: 0..1. */
  readonly random?: (() => number) | undefined;
  /** The longest restart back-off (KEP-5593). Absent: Kubernetes' 5 minutes. */
  readonly restartPeriodMsMax?: number | undefined;
  /** How the node is kept in order. Absent: as Kubernetes does by default. */
  readonly kubelet?: KubeletConfiguration | undefined;
  /** A directory of static pod manifests. */
  readonly manifestsDir?: string | undefined;
};

export type Agent = {
  /** Registers the node and follows its pods until the signal or stop(). Resolves once the first list is taken over. */
  start(signal: AbortSignal): Promise<void>;
  readonly nodeApi: NodeApi;
  /** Lets go of everything; containers stay. */
  stop(): Promise<void>;
};

export function createAgent(options: AgentOptions): Agent {
  const { api, machine, clock, log } = options;
  const node = describeNode(options);
  const workers = new Map<PodUid, PodWorker>();
  const stopping = new AbortController();
  const sources = new SourceCache({ api, clock, log, onChange: (uid) => workers.get(uid)?.wake() });
  const parts: AgentParts = {
    api,
    machine,
    clock,
    sources,
    puller: new ImagePuller(machine.images),
    runCheck: checkRunner(machine),
    random: options.random ?? Math.random,
    isDiskShort: () => keeper.isDiskShort(),
    exclusiveClaims: new ExclusiveClaims(machine, () => pods()),
    requestsOfOthers: (uid) => requestsOfAll([...workers].filter(([other]) => other !== uid)),
    node: {
      ...nodeInfo(node, options.nodeDns),
      apiEndpoints: options.apiEndpoints,
      restartPeriodMsMax: options.restartPeriodMsMax,
    },
  };
  const recorder = createEventRecorder({ api, clock, log, component: 'kubelet', host: node.name });
  const registration = new NodeRegistration({ api, images: machine.images, clock, log, node });
  const { manifestsDir: directory } = options;
  let staticPods: StaticPods | undefined;

  let offChange = (): void => {};
  let ungauge = (): void => {};
  const starts = createStartWatch(clock);
  const pods = (): readonly Pod[] => [...workers.values()].flatMap((worker) => worker.pod ?? []);
  const tellNode = (reason: string, message: string): void => {
    // As the kubelet refers to its node: by name alone.
    const regarding = { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.name };
    recorder.record({ regarding, type: 'Warning', reason, message });
  };
  const keeper = createNodeKeeper({
    api,
    machine,
    clock,
    log,
    configuration: options.kubelet ?? kubeletConfiguration({}),
    pods,
    evict: (uid, why) => workers.get(uid)?.evict(why),
    tellNode,
    async onConditions(conditions) {
      await registration.setPressure(conditions);
      for (const worker of workers.values()) worker.wake();
    },
  });

  const workerFor = (identity: PodIdentity): PodWorker => {
    const known = workers.get(identity.uid);
    if (known !== undefined) return known;
    const onGone = (): void => {
      workers.delete(identity.uid);
      sources.release(identity.uid);
    };
    const worker = new PodWorker({ parts, identity, recorder, log, onGone });
    workers.set(identity.uid, worker);
    return worker;
  };

  /** Pods the machine holds and the API does not know. */
  const adoptOrphans = (): void => {
    for (const identity of machine.pods()) {
      if (!workers.has(identity.uid)) workerFor(identity).submit(undefined);
    }
  };

  return {
    async start(signal) {
      const { promise: synced, resolve } = Promise.withResolvers<void>();
      offChange = machine.onChange((uid) => workers.get(uid)?.wake());
      ungauge = gaugeNode(node.name, machine, pods);
      await registration.confirm();
      const handlers = {
        onObject: (pod: Pod) => {
          starts.see(pod);
          const isNew = !workers.has(podIdentity(pod).uid) && pod.status?.startTime === undefined;
          const worker = workerFor(podIdentity(pod));
          worker.submit(pod);
          const refusal = isNew ? keeper.refusalOf(pod) : undefined;
          if (refusal !== undefined)
            worker.evict({ atMs: clock.nowMs(), graceMs: 0, ...refusal, isDisruption: false });
        },
        onDelete: (pod: Pod) => {
          starts.forget(podIdentity(pod).uid);
          workers.get(podIdentity(pod).uid)?.submit(undefined);
        },
        onSynced: resolve,
      };
      const select = { fieldSelector: `spec.nodeName=${node.name}` };
      void runInformer({ api, ref: PODS, select, handlers, log }, AbortSignal.any([signal, stopping.signal]));
      await synced;
      adoptOrphans();
      if (directory !== undefined) {
        // With its YAML library, which nothing else of an engine at rest needs.
        const { StaticPods } = await import('./static-pods.ts');
        staticPods = new StaticPods({ api, clock, log, node, recorder, directory });
        await staticPods.start();
      }
      await keeper.start();
    },
    nodeApi: createNodeApi({
      machine,
      clock,
      nodeName: node.name,
      pods,
    }),
    async stop() {
      stopping.abort();
      offChange();
      ungauge();
      sources.stop();
      await staticPods?.stop();
      await keeper.stop();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      await registration.stop();
    },
  };
}

function requestsOfAll(workers: readonly (readonly [PodUid, PodWorker])[]): ResourceAmounts {
  const all = workers.flatMap(([, { pod }]) =>
    pod?.spec === undefined || isTerminal(pod) ? [] : [effectiveRequests(pod.spec)],
  );
  const sum = (name: string): number => all.reduce((total, one) => total + (one[name] ?? 0), 0);
  return { cpu: sum('cpu'), memory: sum('memory') };
}

function describeNode(options: AgentOptions): NodeDescription {
  const { nodeName, nodeIp, runtimeVersion = 'crun://', version = 'v1.36.0' } = options;
  const { capacity, labels, taints, podCidr } = options;
  return { name: nodeName, ips: [nodeIp], capacity, labels, taints, podCidr, runtimeVersion, version };
}

function nodeInfo(
  { name, ips, capacity, runtimeVersion }: NodeDescription,
  dns: DnsConfig | undefined,
): AgentParts['node'] {
  return {
    name,
    ips,
    allocatable: {
      cpuMilli: quantityMilli(capacity.cpu ?? 1),
      memoryBytes: quantityValue(capacity.memory ?? '1Gi'),
    },
    runtime: runtimeVersion.split('://')[0] ?? 'crun',
    dns,
  };
}
