// The agent's own Node object: created at the start, confirmed from time to time, marked not ready at a clean stop.
// https://kubernetes.io/docs/reference/node/node-status/
import { readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import { BOUNDS } from '../base/bounds.ts';
import { type CancelTimer, type Clock, timeText } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { NODES } from '../client/resources.ts';
import type { Node, NodeStatus, NodeSystemInfo, Quantity, Taint } from '../kube/api-types.ts';
import type { ImageStore } from '../machine/model/image.ts';
import type { PressureCondition } from './eviction/pressure.ts';
import { mergePatch } from './merge-patch.ts';
import { NOT_READY, nodeConditions, pressureVerdicts, READY, type Verdict } from './node-conditions.ts';

export type NodeDescription = {
  readonly name: string;
  readonly ips: readonly string[];
  readonly capacity: { readonly [resource: string]: Quantity };
  readonly labels?: { readonly [key: string]: string } | undefined;
  readonly taints?: readonly Taint[] | undefined;
  readonly podCidr?: string | undefined;
  /** "crun://1.8.1" */
  readonly runtimeVersion: string;
  readonly version: string;
};

export type NodeRegistrationOptions = {
  readonly api: ResourceApi;
  readonly images: ImageStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeDescription;
};

export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  #cancelTimer: CancelTimer = () => {};
  #failuresInRow = 0;
  #isStopped = false;
  #pressure: ReadonlySet<PressureCondition> = new Set();
  /** Does not change while the machine is up. */
  readonly #systemInfo: Promise<NodeSystemInfo>;

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
    this.#systemInfo = systemInfo(options.node);
  }

  /** Creates or confirms the Node; from then on it is confirmed again by itself. Never throws: it tries again. */
  async confirm(): Promise<void> {
    const { clock, log } = this.#options;
    this.#cancelTimer();
    let nextMs: number = BOUNDS.nodeHeartbeatMs;
    try {
      await this.#write(READY);
      this.#failuresInRow = 0;
    } catch (error) {
      this.#failuresInRow += 1;
      nextMs = Math.min(BOUNDS.stepRetryMsMax, BOUNDS.stepRetryMsMin * 2 ** (this.#failuresInRow - 1));
      log.warn('node could not be registered', { error: errorText(error), waitMs: nextMs });
    }
    if (!this.#isStopped) this.#cancelTimer = clock.at(clock.nowMs() + nextMs, () => void this.confirm());
  }

  /** The conditions that are true from now on; told at once. */
  async setPressure(pressure: ReadonlySet<PressureCondition>): Promise<void> {
    this.#pressure = pressure;
    await this.confirm();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    await this.#write(NOT_READY).catch((error: unknown) =>
      this.#options.log.debug('node could not be marked not ready', { error: errorText(error) }),
    );
  }

  async #write(ready: Verdict): Promise<void> {
    const { api, node, clock, images } = this.#options;
    const key = { name: node.name };
    const known = await this.#getOrCreate();
    const status: NodeStatus = {
      ...known.status,
      capacity: node.capacity,
      allocatable: node.capacity,
      addresses: [
        ...node.ips.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: node.name },
      ],
      conditions: nodeConditions(known.status?.conditions ?? [], {
        verdicts: [...pressureVerdicts(this.#pressure), ['Ready', ready]],
        nowText: timeText(clock.nowMs()),
      }),
      nodeInfo: await this.#systemInfo,
      images: (await images.list()).map(({ tags, digests, sizeBytes }) => ({
        names: [...digests, ...tags],
        sizeBytes,
      })),
    };
    const patch = mergePatch(known.status, status);
    if (patch === undefined) return;
    await api.patch(
      NODES,
      key,
      { type: 'application/merge-patch+json', body: { status: patch } },
      { subresource: 'status' },
    );
  }

  async #getOrCreate(): Promise<Node> {
    const { api, node } = this.#options;
    try {
      return await api.get(NODES, { name: node.name });
    } catch (error) {
      if (!isPodwrightError(error, 'NotFound')) throw error;
    }
    const labels = {
      'kubernetes.io/hostname': node.name,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': architecture(),
      ...node.labels,
    };
    const { taints, podCidr } = node;
    const podCIDRs = podCidr === undefined ? undefined : [podCidr];
    return api.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: node.name, labels },
      spec: { taints, podCIDR: podCidr, podCIDRs },
    });
  }
}

async function systemInfo(node: NodeDescription): Promise<NodeSystemInfo> {
  const osRelease = (await readIfExists('/etc/os-release')) ?? '';
  return {
    architecture: architecture(),
    bootID: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    containerRuntimeVersion: node.runtimeVersion,
    kernelVersion: release(),
    kubeProxyVersion: '',
    kubeletVersion: node.version,
    machineID: ((await readIfExists('/etc/machine-id')) ?? '').trim(),
    operatingSystem: 'linux',
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    systemUUID: '',
  };
}

/** Go's name of the architecture. */
function architecture(): string {
  const name = arch();
  return name === 'x64' ? 'amd64' : name;
}
