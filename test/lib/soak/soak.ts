// A soak: for some minutes, random pods and random harm on a real engine, with its promises (docs/guarantees.md) looked
// at all along from outside. It ends clean, or says which promise was broken, when, and after what.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, isPodwrightError } from '../../../src/base/errors.ts';
import { PODS } from '../../../src/client/resources.ts';
import type { ContainerStatus, Pod } from '../../../src/kube/api-types.ts';
import { eventually, TestEngine } from '../engine.ts';
import { ACTIONS, type ActionName, type Arena, drawAction } from './actions.ts';
import { holdings, vethsOf } from './holdings.ts';
import { doubled, look } from './observer.ts';
import { STEADY_COUNTER, STEADY_ECHO, STEADY_LABEL, steadyPods } from './pods.ts';
import { type Random, randomOf } from './random.ts';
import { AcknowledgedWrites, gapsIn, SteadyConnection, SteadyProcesses } from './witnesses.ts';

export type SoakOptions = {
  readonly seed: number;
  readonly durationMs: number;
  readonly say: (line: string) => void;
};

export type SoakReport = {
  readonly counts: Readonly<Record<string, number>>;
  /** Empty: every promise held. */
  readonly broken: readonly string[];
};

/** How long, once nothing is done any more, pods may take to be as their objects say. */
const QUIET_MS = 90_000;
const QUIET_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 150;
const FOREIGN_TEXT = 'not yours';

/** What an action may meet because another was there first; anything else is a defect. */
const EXPECTED = [
  'EngineUnreachable',
  'NotFound',
  'Conflict',
  'AlreadyExists',
  'Invalid',
  'BadRequest',
] as const;
const isExpected = (error: unknown): boolean => EXPECTED.some((code) => isPodwrightError(error, code));

class Soak {
  readonly #engine = new TestEngine();
  readonly #random: Random;
  readonly #options: SoakOptions;
  readonly #counts: Record<string, number> = {};
  readonly #broken = new Set<string>();
  readonly #recent: string[] = [];
  readonly #writes = new AcknowledgedWrites();
  readonly #startMs = Date.now();

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  #count(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }

  #note(text: string): void {
    this.#recent.push(`${((Date.now() - this.#startMs) / 1000).toFixed(1)} s ${text}`);
    if (this.#recent.length > 12) this.#recent.shift();
  }

  #blame(promise: string, findings: readonly string[]): void {
    for (const finding of findings) {
      const text = `${promise}: ${finding}`;
      if (this.#broken.has(text)) continue;
      this.#broken.add(text);
      this.#options.say(`BROKEN ${text}\n  after: ${this.#recent.join('; ')}`);
    }
  }

  async #act(arena: Arena): Promise<void> {
    const name: ActionName = drawAction(this.#random);
    this.#note(name);
    this.#count(name);
    try {
      await ACTIONS[name].run(arena);
    } catch (error) {
      if (!isExpected(error)) this.#blame('requests are answered', [`${name}: ${errorText(error)}`]);
    }
    if (name !== 'kill engine') return;
    this.#blame('an acknowledged write survives', await this.#writes.lost(this.#engine.api));
  }

  /** Reads the kernel until it is told to stop; blames what is broken. */
  async #watchKernel(steady: SteadyProcesses, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.#count('looks at the kernel');
      this.#blame('never two live instances', doubled(look(this.#engine.instance)));
      this.#blame('no container restarts because the engine did', steady.lost());
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #writeOn(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#writes.write(this.#engine.api).catch((error: unknown) => {
        if (!isExpected(error)) this.#blame('requests are answered', [`write: ${errorText(error)}`]);
      });
      await sleep(50);
    }
  }

  /** With nothing going on, status, kernel and objects must come to agree. */
  async #checkQuiet(arena: Arena): Promise<void> {
    await Promise.all(arena.background);
    this.#note('quiet');
    this.#count('quiet points');
    let wrong: readonly string[] = [];
    await eventually(
      'quiet',
      async () => {
        wrong = await this.#disagreements();
        return wrong.length === 0 ? true : undefined;
      },
      QUIET_MS,
    ).catch(() => this.#blame('once quiet, all belongs to a pod of the API and is as it says', wrong));
  }

  async #disagreements(): Promise<readonly string[]> {
    const { items } = await this.#engine.api.list(PODS);
    const uids = new Set(items.map(({ metadata }) => metadata?.uid ?? ''));
    const ips = new Set(items.map(({ status }) => status?.podIP ?? ''));
    const orphans = holdings(this.#engine)
      .filter(
        ({ owner }) => owner === undefined || !('uid' in owner ? uids.has(owner.uid) : ips.has(owner.ip)),
      )
      .map(({ what }) => `nobody's: ${what}`);
    const seen = look(this.#engine.instance);
    const infras = seen.filter(({ command }) => command === '/pause').length;
    const veths = vethsOf(this.#engine).length;
    return [
      ...orphans,
      ...(veths > infras ? [`${veths} veths for ${infras} sandboxes`] : []),
      ...items.flatMap((pod) =>
        podDisagreements(pod, (container, attempt) =>
          seen.some(
            (one) =>
              one.podUid === pod.metadata?.uid && one.container === container && one.attempt === attempt,
          ),
        ),
      ),
    ];
  }

  async #begin(hostDir: string): Promise<Arena> {
    const engine = this.#engine;
    await engine.start();
    await engine.loadImage('busybox', 'busybox-2');
    const steady = new Set<string>();
    for (const pod of steadyPods()) {
      const { metadata } = await engine.api.create(PODS, pod);
      steady.add(metadata?.uid ?? '');
    }
    for (const pod of steadyPods()) await engine.waitReady(pod.metadata?.name ?? '');
    const background = new Set<Promise<void>>();
    return { engine, random: this.#random, hostDir, background, steady, nextPod: 0 };
  }

  async #steadyPod(): Promise<Pod> {
    return this.#engine.pod(STEADY_ECHO.pod);
  }

  /** The part between begin and end; whatever it throws, the engine is closed after it. */
  async #harm(arena: Arena): Promise<void> {
    const ip = (await this.#steadyPod()).status?.podIP ?? '';
    const connection = await SteadyConnection.open(ip, STEADY_ECHO.port);
    const processes = new SteadyProcesses(this.#engine.instance, [...arena.steady]);
    if (processes.count < 5) throw new Error(`only ${processes.count} steady processes were found`);
    const ended = new AbortController();
    const watching = [this.#watchKernel(processes, ended.signal), this.#writeOn(ended.signal)];
    const endMs = Date.now() + this.#options.durationMs;
    let quietAtMs = Date.now() + QUIET_EVERY_MS;
    try {
      while (Date.now() < endMs) {
        await this.#act(arena);
        await sleep(this.#random.integer(0, 250));
        if (Date.now() < quietAtMs) continue;
        await this.#checkQuiet(arena);
        this.#blame('connections go on', await connection.broken());
        quietAtMs = Date.now() + QUIET_EVERY_MS;
      }
      await this.#checkQuiet(arena);
      this.#blame('connections go on', await connection.broken());
      const { pod, container } = STEADY_COUNTER;
      this.#blame('logs go on without a gap', gapsIn(this.#engine.logDir, pod, container));
      const { items } = await this.#engine.api.list(PODS, { labelSelector: STEADY_LABEL });
      this.#blame('restart counts stay', items.flatMap(restartsOf));
    } finally {
      ended.abort();
      await Promise.all([...watching, ...arena.background]);
      connection.close();
    }
  }

  async run(): Promise<SoakReport> {
    const hostDir = mkdtempSync('/var/tmp/podwright-soak-host-');
    const foreign = join(hostDir, 'foreign');
    writeFileSync(foreign, FOREIGN_TEXT);
    try {
      await this.#harm(await this.#begin(hostDir));
    } catch (error) {
      this.#blame('the soak runs to its end', [errorText(error)]);
    } finally {
      await this.#engine
        .close()
        .catch((error: unknown) => this.#blame('nothing is left at the end', [errorText(error)]));
    }
    if (readFileSync(foreign, 'utf8') !== FOREIGN_TEXT) this.#blame('foreign things stay', [foreign]);
    rmSync(hostDir, { recursive: true });
    this.#counts['acknowledged writes'] = this.#writes.count;
    return { counts: this.#counts, broken: [...this.#broken] };
  }
}

const restartsOf = (pod: Pod): string[] =>
  (pod.status?.containerStatuses ?? [])
    .filter(({ restartCount }) => restartCount > 0)
    .map(({ name, restartCount }) => `${pod.metadata?.name}/${name} was restarted ${restartCount} times`);

type IsLive = (container: string, attempt: number) => boolean;

/** What of a pod's status is not so, or should not stay so. */
function podDisagreements(pod: Pod, isLive: IsLive): string[] {
  const name = pod.metadata?.name ?? '';
  if (pod.metadata?.deletionTimestamp !== undefined) return [`pod ${name} is still being deleted`];
  const { phase, conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  if (conditions.some(({ type, status }) => type === 'PodScheduled' && status === 'False')) return [];
  const statuses = [...initContainerStatuses, ...containerStatuses];
  if (statuses.length === 0) return [`pod ${name} has no container statuses (phase ${phase})`];
  // An application container waits for as long as an init container does.
  const backsOff = statuses.some(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
  return statuses.flatMap((status) =>
    containerDisagreements(status, { backsOff, isLive }).map((text) => `pod ${name}: ${text}`),
  );
}

function containerDisagreements(
  { name, state, restartCount }: ContainerStatus,
  { backsOff, isLive }: { readonly backsOff: boolean; readonly isLive: IsLive },
): string[] {
  const live = isLive(name, restartCount);
  if (state?.running !== undefined) return live ? [] : [`${name} is told as running and is not`];
  if (live) return [`${name} runs and is told as ${JSON.stringify(state)}`];
  const reason = state?.waiting?.reason;
  if (state?.terminated !== undefined || reason === 'CrashLoopBackOff') return [];
  if (reason === 'PodInitializing' && backsOff) return [];
  return [`${name} still waits: ${JSON.stringify(state)}`];
}

/** Runs one soak to its end. */
export function soak(options: SoakOptions): Promise<SoakReport> {
  return new Soak(options).run();
}
