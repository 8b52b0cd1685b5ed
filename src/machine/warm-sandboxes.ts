// Sandboxes that are ready before their pod is known: infra container, namespaces, address, under names of their own, so
// that a pod that fits one need not wait for it. How one becomes the pod's is sandbox-steps.ts.
//
// Invariants
// - No more than the given number, and none while the machine is busy with pods or short of memory.
// - Its directory is there before anything of a warm sandbox and goes after all else of it, but for empty cgroups. None
//   outlives its engine: what a killed one left is swept by its names.
// - A pod never gets one that it does not fit: fits() is the whole rule.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../base/bounds.ts';
import { podUid } from '../base/brand.ts';
import { errorText } from '../base/errors.ts';
import { warmDir } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import type { SandboxConfig } from './model/sandbox.ts';
import type { SandboxRecord } from './records.ts';
import { type Building, build, sandboxIdOf, undo, WARM_STEPS, type WarmSandbox } from './sandbox-steps.ts';
import { isAlive } from './system/processes.ts';

export type WarmSandboxes = {
  /** One that is ready and that the pod fits. The caller then forgets or discards it. */
  take(config: SandboxConfig): WarmSandbox | undefined;
  /** Everything of it has the pod's names: what is left of its own goes. */
  forget(warm: WarmSandbox): Promise<void>;
  /** Takes away whatever still has its names. */
  discard(warm: WarmSandbox): Promise<void>;
  /** All that there are; they come again when the machine is idle. False where there was none. */
  giveBack(): Promise<boolean>;
  /** A pod is being worked on: no warm sandbox is made in its way. */
  busy(): void;
  /** Looks whether those that there are still live and may stay. */
  tend(): Promise<void>;
  /** Ids of those that there are, or are being made or taken. */
  ids(): readonly string[];
  /** Takes all of them away; none is made after. */
  close(): Promise<void>;
};

const ATTEMPT = 0;

/** Whatever else a pod may ask for is given on taking: hostname, host ports, cgroup, files, a shared PID namespace. */
export const fits = ({ namespaces, sysctls }: SandboxConfig): boolean =>
  namespaces.network === 'pod' &&
  namespaces.ipc === 'pod' &&
  namespaces.pid !== 'node' &&
  Object.keys(sysctls).length === 0;

const configOf = (id: string): SandboxConfig => ({
  pod: { uid: podUid(id), namespace: '', name: '' },
  attempt: ATTEMPT,
  hostname: id,
  namespaces: { network: 'pod', ipc: 'pod', pid: 'container' },
  portMappings: [],
  dns: 'node',
  hostAliases: [],
  sysctls: {},
  qosClass: 'BestEffort',
  podResources: {},
});

function availableBytes(): number {
  const kib = /^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib) * 1024;
}

class Pool implements WarmSandboxes {
  readonly #machine: MachineContext;
  readonly #size: number;
  readonly #ready: WarmSandbox[] = [];
  /** Being made, taken or taken away. */
  readonly #moving = new Set<string>();
  readonly #emptied: string[] = [];
  readonly #closed = new AbortController();
  #filling: Promise<void> = Promise.resolve();
  #cancel = (): void => {};

  constructor(machine: MachineContext, size: number) {
    this.#machine = machine;
    this.#size = size;
    this.busy();
  }

  take(config: SandboxConfig): WarmSandbox | undefined {
    if (!fits(config)) return undefined;
    for (let warm = this.#ready.shift(); warm !== undefined; warm = this.#ready.shift()) {
      this.#moving.add(warm.id);
      if (isAlive(warm.infra)) return warm;
      void this.discard(warm);
    }
    return undefined;
  }

  async forget(warm: WarmSandbox): Promise<void> {
    await rm(warm.dir, { recursive: true, force: true });
    this.#moving.delete(warm.id);
    // Empty by now: its removal may wait for the kernel, and the pod need not.
    this.#emptied.push(warm.cgroup);
  }

  async discard(warm: WarmSandbox): Promise<void> {
    this.#moving.add(warm.id);
    try {
      await this.#undo(this.#buildingOf(warm.id, warm));
    } catch (error) {
      // It is nobody's from now on: the sweep tries again.
      this.#warn(error);
    } finally {
      this.#moving.delete(warm.id);
    }
  }

  async giveBack(): Promise<boolean> {
    const all = this.#ready.splice(0);
    await Promise.all(all.map((warm) => this.discard(warm)));
    if (all.length > 0) this.busy();
    return all.length > 0;
  }

  busy(): void {
    this.#cancel();
    this.#cancel = (): void => {};
    if (!this.#wants()) return;
    const { clock } = this.#machine;
    this.#cancel = clock.at(clock.nowMs() + BOUNDS.warmIdleMs, () => {
      this.#cancel = (): void => {};
      this.#filling = this.#filling
        .then(() => this.#removeEmptied())
        .then(() => this.#makeOne())
        .catch(this.#warn);
    });
  }

  readonly tend = async (): Promise<void> => {
    if (availableBytes() < BOUNDS.warmMemoryBytes) await this.giveBack();
    const dead = this.#ready.filter(({ infra }) => !isAlive(infra));
    for (const warm of dead) this.#ready.splice(this.#ready.indexOf(warm), 1);
    await Promise.all(dead.map((warm) => this.discard(warm)));
    this.busy();
  };

  readonly ids = (): readonly string[] => [...this.#ready.map(({ id }) => id), ...this.#moving];

  async close(): Promise<void> {
    this.#closed.abort();
    this.#cancel();
    await this.#filling;
    await this.giveBack();
    await this.#removeEmptied();
  }

  async #removeEmptied(): Promise<void> {
    for (const path of this.#emptied.splice(0)) await this.#machine.cgroups.remove(path);
  }

  #wants(): boolean {
    return !this.#closed.signal.aborted && this.#ready.length < this.#size;
  }

  /** One, and then the next if the machine is still idle. A failure is told and not repeated before the next pod. */
  async #makeOne(): Promise<void> {
    if (!this.#wants() || availableBytes() < BOUNDS.warmMemoryBytes) return;
    const uid = `warm-${randomBytes(4).toString('hex')}`;
    const building = this.#buildingOf(sandboxIdOf(podUid(uid), ATTEMPT));
    this.#moving.add(building.id);
    try {
      mkdirSync(building.dir, { recursive: true, mode: 0o700 });
      await build(this.#machine, building, { steps: WARM_STEPS, signal: this.#closed.signal });
      const { infra } = building.record;
      if (infra === undefined) throw new Error('a warm sandbox has no infra container');
      const { id, dir, podCgroup } = building;
      this.#ready.push({ id, dir, cgroup: join(podCgroup, id), infra });
    } catch (error) {
      await this.#undo(building);
      if (!this.#closed.signal.aborted) throw error;
    } finally {
      this.#moving.delete(building.id);
    }
    this.busy();
  }

  #buildingOf(id: string, warm?: WarmSandbox): Building {
    const { dirs, cgroups, clock } = this.#machine;
    const config = configOf(id.slice(0, id.lastIndexOf('_')));
    const dir = warmDir(dirs, id);
    const record: SandboxRecord = {
      config,
      createdAtMs: clock.nowMs(),
      phase: 'creating',
      ips: [],
      infra: warm?.infra,
    };
    return { config, id, dir, podCgroup: cgroups.warmPath, save: async () => {}, record };
  }

  async #undo(building: Building): Promise<void> {
    await undo(this.#machine, building, WARM_STEPS);
    await rm(building.dir, { recursive: true, force: true });
  }

  readonly #warn = (error: unknown): void =>
    this.#machine.log.warn('warm sandbox', { error: errorText(error) });
}

/** None where the number is 0, or the network cannot hand over what it made. */
export function createWarmSandboxes(machine: MachineContext, size: number): WarmSandboxes {
  return new Pool(machine, machine.network.handOver === undefined ? 0 : size);
}
