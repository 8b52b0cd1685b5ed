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
import { quantityMilli, quantityValue } from '../kube/quantity.ts';
import type { DnsConfig, Machine, PodIdentity } from '../machine/machine.ts';
import { podIdentity } from './container-config.ts';
import { ImagePuller } from './image-puller.ts';
import { createNodeApi } from './node-api.ts';
import { type NodeDescription, NodeRegistration } from './node-registration.ts';
import type { AgentParts } from './perform.ts';
import { PodWorker } from './pod-worker.ts';
import { SourceCache } from './source-cache.ts';
import { StaticPods } from './static-pods.ts';

export type AgentOptions = {
  readonly api: ResourceApi;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeDescription;
  /** The node's own resolver, merged under a pod's dnsConfig. Absent: such pods get dnsConfig alone. */
  readonly nodeDns?: DnsConfig | undefined;
  /** A directory of static pod manifests. */
  readonly manifestsDir?: string | undefined;
};

export type Agent = {
  /** Registers the node and follows its pods until stop(). Resolves once the first list of pods was taken over. */
  start(): Promise<void>;
  readonly nodeApi: NodeApi;
  /** Lets go of everything; containers stay. */
  stop(): Promise<void>;
};

export function createAgent(options: AgentOptions): Agent {
  const { api, machine, clock, log, node } = options;
  const workers = new Map<PodUid, PodWorker>();
  const stopping = new AbortController();
  const sources = new SourceCache({ api, log, onChange: (uid) => workers.get(uid)?.wake() });
  const parts: AgentParts = {
    api,
    machine,
    clock,
    sources,
    puller: new ImagePuller(machine.images),
    node: nodeInfo(options),
  };
  const recorder = createEventRecorder({ api, clock, log, component: 'kubelet', host: node.name });
  const registration = new NodeRegistration({ api, images: machine.images, clock, log, node });
  const staticPods = options.manifestsDir === undefined ? undefined : new StaticPods({ ...options, directory: options.manifestsDir, recorder });

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
    async start() {
      const { promise: synced, resolve } = Promise.withResolvers<void>();
      machine.onChange((uid) => workers.get(uid)?.wake());
      await registration.confirm();
      const handlers = {
        onObject: (pod: Pod) => workerFor(podIdentity(pod)).submit(pod),
        onDelete: (pod: Pod) => workers.get(podIdentity(pod).uid)?.submit(undefined),
        onSynced: resolve,
      };
      const select = { fieldSelector: `spec.nodeName=${node.name}` };
      void runInformer({ api, ref: PODS, select, handlers, log }, stopping.signal);
      await synced;
      adoptOrphans();
      await staticPods?.start();
    },
    nodeApi: createNodeApi({
      machine,
      findPod: (namespace, name) =>
        [...workers.values()]
          .flatMap((worker) => worker.pod ?? [])
          .find((pod) => pod.metadata?.namespace === namespace && pod.metadata.name === name),
    }),
    async stop() {
      stopping.abort();
      sources.stop();
      await staticPods?.stop();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      await registration.stop();
    },
  };
}

function nodeInfo({ node, nodeDns }: AgentOptions): AgentParts['node'] {
  const { cpu = 1, memory = 0 } = node.allocatable ?? node.capacity;
  return {
    name: node.name,
    ips: node.ips,
    allocatable: { cpuMilli: quantityMilli(cpu), memoryBytes: quantityValue(memory) },
    runtime: node.runtimeVersion.split('://')[0] ?? 'crun',
    dns: nodeDns,
  };
}
