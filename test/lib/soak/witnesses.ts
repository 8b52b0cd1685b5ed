// What must go on whatever happens to the engine: processes with their PIDs, a log that counts, a TCP connection, and
// writes that were acknowledged. Each is looked at from outside.
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { isPodwrightError } from '../../../src/base/errors.ts';
import type { ResourceApi } from '../../../src/client/resource-api.ts';
import { CONFIG_MAPS } from '../../../src/client/resources.ts';
import { isStillAlive, look, type Seen } from './observer.ts';

/** Processes that may end for no reason but an end of their own pod. */
export class SteadyProcesses {
  readonly #first: readonly Seen[];

  constructor(instance: string, podUids: readonly string[]) {
    // Children of a shell's loop come and go; what was started by the container's command itself stays.
    this.#first = look(instance).filter(
      ({ podUid, command }) => podUids.includes(podUid) && !/^sleep (0\.2|1)$/.test(command),
    );
  }

  get count(): number {
    return this.#first.length;
  }

  lost(): readonly string[] {
    return this.#first
      .filter((one) => !isStillAlive(one))
      .map(({ pid, command, podUid }) => `pid ${pid} (${command}) of steady pod ${podUid} is gone`);
  }
}

/** A log of 1, 2, 3 ... in CRI lines: a gap, a repetition or a second instance is a broken promise. */
export function gapsIn(logDir: string, podName: string, container: string): readonly string[] {
  const pods = join(logDir, 'pods');
  const dir = readdirSync(pods).find((name) => name.includes(`_${podName}_`));
  const logs = dir === undefined ? [] : readdirSync(join(pods, dir, container));
  if (dir === undefined || logs.join() !== '0.log')
    return [`logs of ${podName}/${container}: ${logs.join()}`];
  const lines = readFileSync(join(pods, dir, container, '0.log'), 'utf8')
    .trimEnd()
    .split('\n');
  const wrong = lines.findIndex((line, index) => line.split(' ')[3] !== String(index + 1));
  return wrong < 0 ? [] : [`log of ${podName}/${container}, line ${wrong + 1}: ${lines[wrong]}`];
}

/** One connection that is used again and again. */
export class SteadyConnection {
  readonly #socket: Socket;
  #ended: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#ended ??= error.message;
    });
    socket.on('close', () => {
      this.#ended ??= 'closed';
    });
  }

  static open(host: string, port: number): Promise<SteadyConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port }, () => resolve(new SteadyConnection(socket)));
      socket.once('error', reject);
    });
  }

  /** What is wrong with it, after a word was sent and awaited back. */
  async broken(): Promise<readonly string[]> {
    const word = `word ${Date.now()}\n`;
    const back = new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve('no answer within 10 s'), 10_000);
      this.#socket.once('data', (data) => {
        clearTimeout(timer);
        resolve(String(data) === word ? '' : `answered ${JSON.stringify(String(data))}`);
      });
    });
    if (this.#ended === undefined) this.#socket.write(word);
    const wrong = this.#ended ?? (await back);
    return wrong === '' ? [] : [`connection into a steady pod: ${wrong}`];
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Writes a number that grows; what was acknowledged must be read again, or something newer. */
export class AcknowledgedWrites {
  readonly #key = { namespace: 'default', name: 'acknowledged' };
  #acknowledged = 0;
  #tried = 0;

  get count(): number {
    return this.#acknowledged;
  }

  async write(api: ResourceApi): Promise<void> {
    this.#tried += 1;
    const wanted = this.#tried;
    const data = { n: String(wanted) };
    try {
      const patch = { type: 'application/merge-patch+json', body: { data } } as const;
      await api.patch(CONFIG_MAPS, this.#key, patch);
    } catch (error) {
      if (!isPodwrightError(error, 'NotFound')) throw error;
      await api.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: this.#key, data });
    }
    this.#acknowledged = Math.max(this.#acknowledged, wanted);
  }

  async lost(api: ResourceApi): Promise<readonly string[]> {
    const acknowledged = this.#acknowledged;
    if (acknowledged === 0) return [];
    const found = Number((await api.get(CONFIG_MAPS, this.#key)).data?.n);
    return found >= acknowledged ? [] : [`write ${acknowledged} was acknowledged, ${found} was read`];
  }
}
