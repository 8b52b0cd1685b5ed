// podwright up: manifests become running pods, seen step by step. Detached it ends when they are Ready; attached it stays
// with their logs until they have ended or Ctrl-C stops them.
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { silentLog } from '../base/log.ts';
import { PODS } from '../client/resources.ts';
import type { Pod } from '../kube/api-types.ts';
import { applyObject } from './apply.ts';
import { type Cli, type Connection, type ExitCode, printNote } from './cli.ts';
import { createLogFollower } from './follow-logs.ts';
import { followPods } from './follow-pods.ts';
import { type ManifestObjectRef, readManifests } from './manifests.ts';
import { type Outcome, outcomeOf } from './steps.ts';
import { createUpView } from './up-view.ts';

export type UpOptions = {
  readonly mode: 'attached' | 'detached';
  /** How long `detached` waits for Ready. */
  readonly timeoutMs: number;
  /** An engine that answers, started in the background if none did. */
  readonly connectOrStart: () => Promise<Connection>;
};

/** Events are stamped in whole seconds. */
const EVENT_STAMP_MS = 1000;
/** A reason of a failed watch, once; while it fails the containers run on. */
const watchLog = (cli: Cli): Log => ({
  ...silentLog,
  warn: (_, fields) =>
    printNote(cli, cli.colors.yellow(`the engine does not answer, trying again: ${fields?.error ?? ''}`)),
});

async function applyAll(
  cli: Cli,
  { api }: Connection,
  entries: readonly ManifestObjectRef[],
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const pods: Pod[] = [];
  for (const entry of entries) {
    const { object, verb } = await applyObject(api, entry, signal);
    const name = `${entry.ref.kind.toLowerCase()}/${object.metadata?.name}`;
    printNote(cli, `${name} ${verb}`);
    if (entry.ref.kind === 'Pod') pods.push(object as Pod);
  }
  return pods;
}

type PodOutcome = { readonly pod: Pod; readonly outcome: Outcome };
type Until = (progress: Progress) => boolean;

/** The pods one `up` is about, as they are now, and waiting until that is as one wants it. */
class Progress {
  readonly #newest = new Map<string, Pod>();
  readonly #gone = new Set<string>();
  readonly #waiters = new Set<() => void>();

  constructor(pods: readonly Pod[]) {
    for (const pod of pods) this.#newest.set(pod.metadata?.uid ?? '', pod);
  }

  update(pod: Pod): void {
    this.#newest.set(pod.metadata?.uid ?? '', pod);
    for (const waiter of this.#waiters) waiter();
  }

  gone(pod: Pod): void {
    this.#gone.add(pod.metadata?.uid ?? '');
    for (const waiter of this.#waiters) waiter();
  }

  async until(condition: Until): Promise<void> {
    const reached = Promise.withResolvers<void>();
    const waiter = (): void => void (condition(this) && reached.resolve());
    this.#waiters.add(waiter);
    waiter();
    await reached.promise;
    this.#waiters.delete(waiter);
  }

  get present(): readonly Pod[] {
    return [...this.#newest].flatMap(([uid, pod]) => (this.#gone.has(uid) ? [] : [pod]));
  }

  get outcomes(): readonly PodOutcome[] {
    const removed: Outcome = { kind: 'failed', reason: 'it was removed', exitCode: 1 };
    return [...this.#newest].map(([uid, pod]) => {
      const outcome = outcomeOf(pod);
      const isOver = outcome.kind === 'failed' || outcome.kind === 'succeeded';
      return { pod, outcome: this.#gone.has(uid) && !isOver ? removed : outcome };
    });
  }
}

/** Every pod is as far as it will come, or one has failed for good. */
const isDecided: Until = ({ outcomes }) =>
  outcomes.every(({ outcome }) => outcome.kind !== 'pending') ||
  outcomes.some(({ outcome }) => outcome.kind === 'failed');
const isOver: Until = ({ outcomes }) =>
  outcomes.every(({ outcome }) => outcome.kind === 'succeeded' || outcome.kind === 'failed');
const isGone: Until = ({ present }) => present.length === 0;

function report(cli: Cli, { outcomes }: Progress, timeoutMs: number): ExitCode {
  for (const { pod, outcome } of outcomes) {
    const name = `pod/${pod.metadata?.name}`;
    if (outcome.kind === 'failed') printNote(cli, `${name} cannot become ready: ${outcome.reason}`);
    if (outcome.kind === 'pending')
      printNote(cli, `${name} is not ready after ${timeoutMs / 1000} s: ${outcome.reason}`);
  }
  return outcomes.every(({ outcome }) => outcome.kind === 'ready' || outcome.kind === 'succeeded') ? 0 : 1;
}

/** First Ctrl-C: with each pod's grace. Second: at once. */
function stopOnInterrupt(
  cli: Cli,
  { api }: Connection,
  progress: Progress,
): { readonly asked: Promise<void> } & Disposable {
  const asked = Promise.withResolvers<void>();
  let interrupts = 0;
  const remove = async (pod: Pod, gracePeriodSeconds: number | undefined): Promise<void> => {
    const { namespace, name = '', uid } = pod.metadata ?? {};
    try {
      await api.delete(PODS, { namespace, name }, { gracePeriodSeconds, preconditions: { uid } });
    } catch (error) {
      // Not found or another uid: it is gone already, which the watch tells.
      printNote(cli, cli.colors.dim(errorText(error)));
    }
  };
  const undo = cli.onInterrupt(() => {
    interrupts += 1;
    asked.resolve();
    printNote(
      cli,
      interrupts === 1 ? 'stopping the pods; Ctrl-C again ends them at once' : 'ending the pods at once',
    );
    for (const pod of progress.present) void remove(pod, interrupts === 1 ? undefined : 0);
  });
  return { asked: asked.promise, [Symbol.dispose]: undo };
}

async function stayAttached(cli: Cli, connection: Connection, progress: Progress): Promise<ExitCode> {
  using interrupt = stopOnInterrupt(cli, connection, progress);
  const end = await Promise.race([
    progress.until(isOver).then(() => 'over'),
    interrupt.asked.then(() => 'asked'),
  ]);
  if (end === 'asked') {
    await progress.until(isGone);
    return 0;
  }
  const failed = progress.outcomes.find(({ outcome }) => outcome.kind === 'failed');
  if (failed?.outcome.kind !== 'failed') return 0;
  printNote(cli, `pod/${failed.pod.metadata?.name} failed: ${failed.outcome.reason}`);
  return failed.outcome.exitCode;
}

async function waitDetached(cli: Cli, progress: Progress, timeoutMs: number): Promise<ExitCode> {
  const timer = new AbortController();
  const undo = cli.onInterrupt(() => timer.abort());
  await Promise.race([
    progress.until(isDecided),
    sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  undo();
  if (timer.signal.aborted) {
    printNote(cli, 'the pods go on without this command');
    return 130;
  }
  timer.abort();
  return report(cli, progress, timeoutMs);
}

export async function up(cli: Cli, args: readonly string[], options: UpOptions): Promise<ExitCode> {
  const { mode, timeoutMs } = options;
  const startedAtMs = Date.now();
  const entries = await readManifests(cli, args);
  const connection = await options.connectOrStart();
  const pods = await applyAll(cli, connection, entries, AbortSignal.timeout(timeoutMs));
  if (pods.length === 0) return 0;

  const write = (line: string): void => void cli.stdout.write(`${line}\n`);
  const view = createUpView({ write, colors: cli.colors, startedAtMs, nowMs: Date.now });
  const progress = new Progress(pods);
  const watching = new AbortController();
  const reading = new AbortController();
  const logs = mode === 'attached' ? createLogFollower(connection.node, view.log, reading.signal) : undefined;
  const following = followPods(
    {
      api: connection.api,
      pods,
      sinceMs: startedAtMs - EVENT_STAMP_MS,
      log: watchLog(cli),
      handlers: {
        onPod(pod) {
          view.pod(pod);
          logs?.update(pod);
          progress.update(pod);
        },
        onGone(pod) {
          view.gone(pod);
          progress.gone(pod);
        },
        onWarning: view.warning,
      },
    },
    watching.signal,
  );
  try {
    const exitCode =
      mode === 'detached'
        ? await waitDetached(cli, progress, timeoutMs)
        : await stayAttached(cli, connection, progress);
    await logs?.drained();
    return exitCode;
  } finally {
    watching.abort();
    reading.abort();
    await following;
  }
}
