// Load: many pods with probes on, the engine killed and started anew under them, many exec sessions at once, and a container
// that writes logs as fast as it can beside the others. Prints figures; throws where a promise does not hold.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { eventually, TestEngine } from './engine.ts';
import { podOf, shell } from './manifests.ts';
import { look } from './soak/observer.ts';

export type LoadOptions = {
  readonly pods: number;
  readonly sessions: number;
  readonly say: (line: string) => void;
};

/** A loaded machine of two cores starts five hundred pods in minutes. */
const PATIENCE_MS = 20 * 60_000;
const PARALLEL = 20;
const NOISE_MS = 20_000;

const server = (name: string): Pod => {
  const probe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 10 };
  const app = shell('app', 'echo here > /tmp/index.html; exec httpd -f -p 8080 -h /tmp', {
    readinessProbe: probe,
    livenessProbe: { ...probe, timeoutSeconds: 10, failureThreshold: 6 },
  });
  return podOf(name, [app]);
};

async function seconds(work: () => Promise<unknown>): Promise<string> {
  const startedMs = performance.now();
  await work();
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

/** Runs the work for each, so many at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

class Load {
  readonly #options: LoadOptions;
  readonly #engine = new TestEngine({ arguments: ['--pod-cidr', '10.241.0.0/20'] });
  readonly #names: readonly string[];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#names = Array.from({ length: options.pods }, (_, index) => `load-${index}`);
  }

  #say(line: string): void {
    this.#options.say(line);
  }

  async #pods(): Promise<readonly Pod[]> {
    return (await this.#engine.api.list(PODS, { namespace: 'default' })).items;
  }

  #allReady(): Promise<unknown> {
    const isReady = (pod: Pod): boolean =>
      pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
    return eventually(
      'all are ready',
      async () => (await this.#pods()).filter(isReady).length >= this.#names.length || undefined,
      PATIENCE_MS,
    );
  }

  #memory(): string {
    const status = readFileSync(`/proc/${this.#engine.pid}/status`, 'utf8');
    const kib = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
    return `engine ${Math.round(kib('VmRSS') / 1024)} MiB (at most ${Math.round(kib('VmHWM') / 1024)})`;
  }

  /** What must be the same after the engine was killed: the first process and the restart count of each container. */
  async #state(): Promise<ReadonlyMap<string, string>> {
    const seen = look(this.#engine.instance).toSorted((a, b) => Number(b.startTime) - Number(a.startTime));
    const first = seen.map(
      ({ podUid, container = '', pid, startTime }) => [podUid + container, `${pid}@${startTime}`] as const,
    );
    const restarts = (await this.#pods()).map(({ metadata, status }) => {
      const count = status?.containerStatuses?.[0]?.restartCount;
      return [`${metadata?.name}`, `restarted ${count} times`] as const;
    });
    // The oldest is the last to be put in: a server has a process for each request besides.
    return new Map([...first, ...restarts]);
  }

  async #restart(): Promise<void> {
    const before = await this.#state();
    await this.#engine.kill();
    const started = await seconds(() => this.#engine.start());
    const ready = await seconds(() => this.#allReady());
    const after = await this.#state();
    const changed = [...before].filter(([what, was]) => after.get(what) !== was);
    assert.deepEqual(changed, [], 'a process or a restart count is another one');
    this.#say(
      `engine killed and started anew: answers after ${started}, all ready after ${ready} more, nothing restarted`,
    );
  }

  async #execs(): Promise<void> {
    const { node } = connectApi(readKubeconfig(this.#engine.kubeconfig));
    const ended = new AbortController();
    const session = async (index: number): Promise<void> => {
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const pod = this.#names[index % this.#names.length] ?? '';
      const target = { namespace: 'default', pod, container: 'app' };
      const { exitCode } = await node.exec({
        ...target,
        command: ['cat'],
        tty: false,
        stdin,
        stdout,
        signal: ended.signal,
      });
      stdin.write(`hello ${index}\n`);
      for await (const chunk of stdout) if (String(chunk).includes(`hello ${index}`)) break;
      all.push({ stdin, exitCode });
    };
    const all: { readonly stdin: PassThrough; readonly exitCode: Promise<number> }[] = [];
    const indexes = Array.from({ length: this.#options.sessions }, (_, index) => index);
    const opened = await seconds(() => Promise.all(indexes.map(session)));
    for (const { stdin } of all) stdin.end();
    assert.deepEqual(new Set(await Promise.all(all.map(({ exitCode }) => exitCode))), new Set([0]));
    this.#say(`${this.#options.sessions} exec sessions at once: all open and answered after ${opened}`);
  }

  async #noise(): Promise<void> {
    const writer = shell('app', 'while :; do head -c 65536 /dev/zero | tr "\\0" x | fold -w 100; done');
    await this.#engine.api.create(PODS, podOf('noisy', [writer]));
    await this.#engine.waitReady('noisy');
    const endMs = performance.now() + NOISE_MS;
    const waits: number[] = [];
    while (performance.now() < endMs) {
      const startedMs = performance.now();
      assert.equal((await this.#engine.podwright('exec', 'load-0', '--', 'echo', 'here')).stdout, 'here\n');
      waits.push(performance.now() - startedMs);
    }
    waits.sort((a, b) => a - b);
    const median = Math.round(waits[Math.floor(waits.length / 2)] ?? 0);
    await this.#engine.kube('delete', 'pod', 'noisy', '--now', '--timeout=300s');
    this.#say(
      `beside a container that writes logs as fast as it can: podwright exec ${median} ms (median of ${waits.length})`,
    );
  }

  async run(): Promise<void> {
    const engine = this.#engine;
    try {
      await engine.start();
      await engine.loadImage('busybox');
      const created = await seconds(async () => {
        await each(this.#names, (name) => engine.api.create(PODS, server(name)));
        await this.#allReady();
      });
      this.#say(
        `${this.#names.length} pods created until all are ready by their probes: ${created}; ${this.#memory()}`,
      );
      await this.#restart();
      await this.#execs();
      await this.#noise();
      await this.#restart();
      this.#say(this.#memory());
      const deleted = await seconds(async () => {
        await each(this.#names, (name) => engine.api.delete(PODS, { namespace: 'default', name }));
        await eventually(
          'all are gone',
          async () => (await this.#pods()).length === 0 || undefined,
          PATIENCE_MS,
        );
      });
      this.#say(`deleted until nothing is left: ${deleted}`);
    } finally {
      await engine.close();
    }
  }
}

/** Throws where a promise does not hold; leaves nothing. */
export function load(options: LoadOptions): Promise<void> {
  return new Load(options).run();
}
