// A real engine for a test: `podwright serve` as its own process under temporary directories, driven by real kubectl and
// the HTTP client. It can be killed and started again on the same directories, and says at the end what was left behind.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { traces, tracesOfPods } from './leaks.ts';
import { freePort } from './ports.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const IMAGES = join(ROOT, '.podwright/images');
/** scripts/fetch-kubectl.ts puts it there. */
export const KUBECTL = join(ROOT, '.podwright/kubectl/kubectl');

/** Another runtime than the one that is chosen here. */
const RUNTIME = process.env.PODWRIGHT_TEST_RUNTIME;

export type Output = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end; a non-zero exit is a result. */
export function run(
  program: string,
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): Promise<Output> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 300_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Long, since it only costs when something is broken: a busy machine may be ten times as slow as a quiet one. */
export const PATIENCE_MS = 120_000;

/** Asks again until the answer is not undefined; fails with what was waited for. Only for what no watch can tell. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > endMs) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await sleep(50);
  }
}

export class TestEngine {
  readonly dir = mkdtempSync('/var/tmp/podwright-test-');
  readonly dataDir = join(this.dir, 'data');
  readonly kubeconfig = join(this.dataDir, 'kubeconfig');
  readonly #cidr = `10.${randomInt(205, 235)}.${randomInt(0, 255)}.0/24`;
  readonly #arguments: readonly string[];
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #small: readonly string[];
  #process: ChildProcess | undefined;
  #port = 0;

  /**
   * @param options.program another `podwright` than the checkout's; `env` is added to the engine's; `small` gives a
   * directory a file system of its own, of so many megabytes.
   */
  constructor(
    options: {
      readonly arguments?: readonly string[];
      readonly program?: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly small?: Readonly<Partial<Record<'data' | 'run' | 'log', number>>>;
    } = {},
  ) {
    this.#small = Object.entries(options.small ?? {}).map(([name, megabytes]) => {
      const dir = join(this.dir, name);
      mkdirSync(dir);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'podwright-test', dir]);
      return dir;
    });
    this.#env = options.env ?? {};
    this.#arguments = [
      ...(RUNTIME === undefined ? [] : ['--runtime', RUNTIME]),
      ...(options.arguments ?? []),
    ];
    this.#program = options.program ?? join(ROOT, 'podwright');
  }

  get #dirFlags(): string[] {
    return ['--data-dir', this.dataDir, '--run-dir', this.runDir, '--log-dir', this.logDir];
  }

  get logDir(): string {
    return join(this.dir, 'log');
  }

  get runDir(): string {
    return join(this.dir, 'run');
  }

  /** What tells its cgroups, bridge and rules from another engine's. */
  get instance(): string {
    return createHash('sha256').update(realpathSync(this.dataDir)).digest('hex').slice(0, 8);
  }

  get pid(): number {
    return this.#process?.pid ?? assert.fail('the engine is not running');
  }

  /** The address of the node on the pods' bridge: what a pod reaches the host by, without leaving the machine. */
  get gateway(): string {
    return this.#cidr.replace(/0\/24$/, '1');
  }

  get api(): ResourceApi {
    return connectApi(readKubeconfig(this.kubeconfig)).api;
  }

  /** Starts it (again, on the same port and directories) and waits for its `ready` line. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    const flags = [
      '--listen',
      `127.0.0.1:${this.#port}`,
      '--pod-cidr',
      this.#cidr,
      '--node-name',
      'test-node',
    ];
    const child = spawn(this.#program, ['serve', ...this.#dirFlags, ...flags, ...this.#arguments], {
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', process.env.PODWRIGHT_TEST_VERBOSE ? 'inherit' : 'ignore'],
    });
    this.#process = child;
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        if (/ready\s+https:/.test(line)) resolve();
      });
      child.once('exit', (code) => reject(new Error(`the engine ended with ${code} before it was ready`)));
    });
  }

  /** Ends it and waits until it is gone; containers stay. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill(signal);
    });
  }

  /** The command line on this engine's directories. */
  podwright(...args: string[]): Promise<Output> {
    return run(this.#program, args, {
      PODWRIGHT_DATA_DIR: this.dataDir,
      PODWRIGHT_RUN_DIR: this.runDir,
      PODWRIGHT_LOG_DIR: this.logDir,
    });
  }

  async loadImage(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const archive = join(IMAGES, `${name}.tar`);
      assert.ok(existsSync(archive), `${archive} is missing: run npm run setup`);
      const loaded = await this.podwright('image', 'load', archive);
      assert.equal(loaded.code, 0, loaded.stderr);
    }
  }

  kubectl(...args: string[]): Promise<Output> {
    return run(KUBECTL, args, { KUBECONFIG: this.kubeconfig, HOME: this.dir });
  }

  /** kubectl that must succeed; gives its standard output. */
  async kube(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(...args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  pod(name: string, namespace = 'default'): Promise<Pod> {
    return this.api.get(PODS, { namespace, name });
  }

  waitReady(name: string, timeoutSeconds = PATIENCE_MS / 1000): Promise<string> {
    return this.kube('wait', '--for=condition=Ready', `pod/${name}`, `--timeout=${timeoutSeconds}s`);
  }

  traces(): readonly string[] {
    return tracesOfPods({ dirs: [this.dataDir, this.runDir, this.logDir], instance: this.instance });
  }

  /** Deletes every pod, asserts that nothing of any is left, ends the engine and removes its directories. */
  async close(): Promise<void> {
    if (this.#process === undefined || this.#process.exitCode !== null) await this.start();
    try {
      await this.kube('delete', 'pods', '--all', '-A', '--grace-period=1', '--timeout=180s');
      const isClean = () => (this.traces().length === 0 ? true : undefined);
      await eventually('nothing of any pod is left', isClean, 60_000).catch(() =>
        assert.deepEqual(this.traces(), []),
      );
    } finally {
      // Ends the pods, takes away the bridge and the firewall table.
      const { instance } = this;
      await this.kill('SIGUSR2');
      const left = () => traces({ dirs: [this.dataDir, this.runDir, this.logDir], instance });
      const isClean = () => (left().length === 0 ? true : undefined);
      await eventually('nothing is left', isClean, 10_000).catch(() => assert.deepEqual(left(), []));
      for (const dir of this.#small) execFileSync('umount', [dir]);
      rmSync(this.dir, { recursive: true, force: true });
    }
  }
}
