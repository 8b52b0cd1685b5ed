// `podwright lab` as a process of its own, driven by real kubectl; says at the end what it left behind.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { IMAGES, KUBECTL, type Output, ROOT, run } from './engine.ts';
import { tracesOfPods } from './leaks.ts';

export class TestLab {
  readonly dir = join(mkdtempSync('/var/tmp/podwright-test-lab-'), 'lab');
  readonly #names: readonly string[];
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  #errors = '';
  /** Where the nodes keep what does not survive a reboot. */
  runDir = '';

  constructor(nodes: string, ...images: readonly string[]) {
    this.#names = nodes.split(',').map((one) => /^\s*([^=\s]+)/.exec(one)?.[1] ?? '');
    const cidr = `10.${randomInt(236, 250)}.${randomInt(0, 255)}.0/24`;
    const archives = images.flatMap((name) => ['--image', join(IMAGES, `${name}.tar`)]);
    this.#flags = ['--nodes', nodes, '--dir', this.dir, '--pod-cidr', cidr, ...archives];
  }

  get kubeconfig(): string {
    return join(this.dir, 'data', 'kubeconfig');
  }

  /** Starts it (again, on the same directory); resolves once it is ready. */
  async start(): Promise<void> {
    const child = spawn(join(ROOT, 'podwright'), ['lab', ...this.#flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += String(chunk);
    });
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('export ')) continue;
      this.runDir = /PODWRIGHT_RUN_DIR=(\S+)/.exec(line)?.[1] ?? '';
      return;
    }
    assert.fail(`the lab ended before it was ready: ${this.#errors}`);
  }

  /** Without a chance to clean up. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
  }

  kubectl(...args: readonly string[]): Promise<Output> {
    return run(KUBECTL, args, { KUBECONFIG: this.kubeconfig, HOME: this.dir });
  }

  podwright(...args: readonly string[]): Promise<Output> {
    return run(join(ROOT, 'podwright'), [args[0] ?? '', '--kubeconfig', this.kubeconfig, ...args.slice(1)]);
  }

  /** kubectl that must succeed; gives its standard output. */
  async kube(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(...args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  /** Eight hex digits of a node: in the names of its cgroups, bridge and rules. */
  instance(node: string): string {
    const dataDir = realpathSync(join(this.dir, 'data', 'nodes', node));
    return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  }

  /** Ctrl-C; asserts that it ends with 0 and that nothing of any node is left. */
  async close(): Promise<void> {
    const instances = this.#names.map((name) => this.instance(name));
    this.#process?.kill('SIGINT');
    assert.equal(await this.#ended, 0, this.#errors);
    for (const instance of instances) {
      assert.deepEqual(tracesOfPods({ dirs: [this.dir, this.runDir], instance }), []);
      assert.ok(!existsSync(`/sys/class/net/pw-${instance}`), `the bridge of ${instance} is left`);
      const { stdout } = await run('nft', ['list', 'tables']);
      assert.doesNotMatch(stdout, new RegExp(instance));
      assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(this.dir));
    }
    assert.ok(!existsSync(this.dir) && !existsSync(this.runDir), 'its directories are left');
    rmdirSync(dirname(this.dir));
  }
}
