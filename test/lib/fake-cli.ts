// A command line over an API in memory; the test plays the agent.
import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pc from 'picocolors';
import type { Cli } from '../../src/cli/cli.ts';
import type { NodeApi } from '../../src/client/node-api.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { PODS } from '../../src/client/resources.ts';
import type { Pod, PodStatus } from '../../src/kube/api-types.ts';
import { MemoryApi } from './memory-api.ts';
import { VirtualClock } from './virtual-clock.ts';

export class FakeCli implements Cli {
  readonly stdin = Readable.from([]);
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly isTerminal = false;
  readonly colors = pc.createColors(false);
  readonly dirs = { dataDir: '/none', runDir: '/none', logDir: '/none' };
  readonly kubeconfigPath = '/none/kubeconfig';
  readonly namespace = 'default';
  readonly api = new MemoryApi(new VirtualClock());
  readonly node: Pick<NodeApi, 'logs' | 'exec'> = {
    logs: async ({ pod, container }) => Readable.from([`hello from ${pod}\nand ${container}`]),
    exec: () => assert.fail('no exec here'),
  };
  readonly #listeners = new Set<() => void>();

  connect = async () => ({ api: this.api as ResourceApi, node: this.node, trace: async () => [] });
  onInterrupt(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async interrupt(): Promise<void> {
    await this.until(() => this.#listeners.size > 0);
    for (const listener of this.#listeners) listener();
  }

  /** The agent's part: a status, once the pod is there. */
  async report(name: string, status: PodStatus): Promise<void> {
    await this.until(() => this.find(name) !== undefined);
    await this.api.patch(
      PODS,
      { namespace: 'default', name },
      { type: 'application/merge-patch+json', body: { status } },
      { subresource: 'status' },
    );
  }
  find(name: string): Pod | undefined {
    return this.api.all(PODS).find(({ metadata }) => metadata?.name === name);
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await nextTurn();
  }
  async output(): Promise<{ readonly stdout: string; readonly stderr: string }> {
    this.stdout.end();
    this.stderr.end();
    return { stdout: await text(this.stdout), stderr: await text(this.stderr) };
  }
}
