// A whole small world for one test: virtual time, an API and a machine in memory, and the real agent between them.
import { type Agent, createAgent } from '../../src/agent/agent.ts';
import { podUid } from '../../src/base/brand.ts';
import { silentLog } from '../../src/base/log.ts';
import { EVENTS, PODS } from '../../src/client/resources.ts';
import type { Container, ContainerStatus, Event, Pod, PodSpec } from '../../src/kube/api-types.ts';
import { MemoryApi } from '../lib/memory-api.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { FakeMachine, type FakeOptions } from './fake-machine.ts';

const NAMESPACE = 'default';

export class World {
  readonly clock = new VirtualClock();
  readonly api = new MemoryApi(this.clock);
  machine: FakeMachine;
  agent: Agent;
  #life = new AbortController();

  constructor(options: Omit<FakeOptions, 'clock'> = {}) {
    this.machine = new FakeMachine({ ...options, clock: this.clock });
    this.agent = this.#createAgent();
  }

  async start(): Promise<void> {
    this.#life = new AbortController();
    const started = this.agent.start(this.#life.signal);
    await this.clock.settle();
    await started;
    await this.clock.settle();
  }

  /** kill -9 of the engine, and a new one on the same machine. */
  async crash(): Promise<void> {
    this.machine = this.machine.reopen();
    this.#life.abort();
    void this.agent.stop();
    this.agent = this.#createAgent();
    await this.start();
  }

  async stop(): Promise<void> {
    // Calls in their middle end when time passes.
    const stopped = this.agent.stop();
    await this.clock.advance(1000);
    await stopped;
  }

  create(pod: Pod): Promise<Pod> {
    return this.api.create(PODS, pod);
  }

  pod(name = 'p'): Pod {
    return this.api.find(PODS, { namespace: NAMESPACE, name });
  }

  hasPod(name = 'p'): boolean {
    return this.api.all(PODS).some((pod) => pod.metadata?.name === name);
  }

  status(container: string, pod = 'p'): ContainerStatus {
    const { initContainerStatuses = [], containerStatuses = [] } = this.pod(pod).status ?? {};
    const found = [...initContainerStatuses, ...containerStatuses].find((one) => one.name === container);
    if (found === undefined) throw new Error(`no status of ${container}`);
    return found;
  }

  delete(graceSeconds?: number, name = 'p'): Promise<Pod> {
    return this.api.delete(PODS, { namespace: NAMESPACE, name }, { gracePeriodSeconds: graceSeconds });
  }

  patch(body: unknown, name = 'p'): Promise<Pod> {
    return this.api.patch(
      PODS,
      { namespace: NAMESPACE, name },
      { type: 'application/merge-patch+json', body },
    );
  }

  events(): readonly Event[] {
    return this.api.all(EVENTS);
  }

  /** "Reason: message" of every event, in order. */
  story(): readonly string[] {
    return this.events().map((event) => `${event.reason}: ${event.message}`);
  }

  callNames(): readonly string[] {
    return this.machine.calls.map((call) => call.name);
  }

  #createAgent(): Agent {
    return createAgent({
      api: this.api,
      machine: this.machine,
      clock: this.clock,
      log: silentLog,
      nodeName: 'node',
      nodeIp: '192.0.2.1',
      random: () => 0.5,
      capacity: { cpu: '2', memory: '4Gi', pods: 110 },
    });
  }
}

export function container(name: string, more: Partial<Container> = {}): Container {
  return { name, image: 'busybox:1', imagePullPolicy: 'IfNotPresent', ...more };
}

export function sidecar(name: string, more: Partial<Container> = {}): Container {
  return container(name, { restartPolicy: 'Always', ...more });
}

/** Bound to the node; one app container "a" unless the spec says otherwise. */
export function podOf(spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: NAMESPACE, uid: 'uid-p', ...metadata },
    spec: {
      nodeName: 'node',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [container('a')],
      ...spec,
    },
  };
}

export const UID = podUid('uid-p');
