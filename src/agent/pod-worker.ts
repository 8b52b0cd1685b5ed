// One pod's worker: the newest wish and the machine's truth in, actions and a status out. It owns the loop and the
// notes of this engine's life, and decides nothing: planPod and podStatus do.
//
// Invariants
// - The mailbox holds only the newest pod; any number of wakes before a turn is one turn.
// - An action runs at most once at a time; two that conflict never run together; one no longer planned is aborted.
// - Errors of actions end here: they become steps with a back-off, and Events. Everything else crashes.

import type { CancelTimer } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { spans } from '../base/spans.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Pod } from '../kube/api-types.ts';
import type { ObservedPod } from '../machine/machine.ts';
import type { PodIdentity } from '../machine/model/pod-identity.ts';
import { type Action, actionKey, isAbortable, isConflict, type Plan } from './action.ts';
import type { AgentParts, Learned } from './action-context.ts';
import { isEvicted } from './evicted.ts';
import { holdBack, recordStep } from './hold-back.ts';
import { countOperation } from './kubelet-figures.ts';
import { mergePatch } from './merge-patch.ts';
import {
  type Eviction,
  type HookNote,
  hookKey,
  type Notes,
  type Observed,
  type ReadyImage,
} from './observed.ts';
import { perform, problemOf } from './perform.ts';
import { planPod } from './plan-pod.ts';
import { isGone } from './plan-removal.ts';
import { type PodEvents, podEvents, tellProbe, tellProblem } from './pod-events.ts';
import { podStatus } from './pod-status.ts';
import { probeTargets } from './probe-targets.ts';
import { Prober } from './prober.ts';
import { isResizing } from './resize.ts';

type InFlight = { readonly action: Action; readonly abort: AbortController; readonly ended: Promise<void> };

export type PodWorkerOptions = {
  readonly parts: AgentParts;
  readonly identity: PodIdentity;
  readonly recorder: EventRecorder;
  readonly log: Log;
  /** Called once: the API does not have the pod, and the machine holds nothing of it. */
  readonly onGone: () => void;
};

export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #events: PodEvents;
  #pod: Pod | undefined;
  #isStopped = false;
  #isTurnDue = false;
  #cancelTimer: CancelTimer = () => {};
  readonly #inFlight = new Map<string, InFlight>();

  #images: ReadonlyMap<string, ReadyImage> = new Map();
  #steps: Notes['steps'] = new Map();
  #volumesVersion: string | undefined;
  #eviction: Eviction | undefined;
  #hooks: ReadonlyMap<string, HookNote> = new Map();
  readonly #prober: Prober;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#events = podEvents(options.recorder, options.identity, () => this.#pod);
    const { clock, runCheck, random } = options.parts;
    this.#prober = new Prober({
      clock,
      runCheck,
      random,
      onResult: (target, result) => tellProbe(this.#events, target, result),
      onVerdict: () => this.wake(),
    });
  }

  get pod(): Pod | undefined {
    return this.#pod;
  }

  /** The newest wish; undefined: the API no longer has the pod. */
  submit(pod: Pod | undefined): void {
    if (pod !== undefined && isOlder(pod, this.#pod)) return;
    this.#pod = pod;
    this.wake();
  }

  /** The pod must go, for good: the first word counts. */
  evict(eviction: Eviction): void {
    this.#eviction ??= eviction;
    this.#events.tell('Warning', eviction.reason, eviction.message);
    this.wake();
  }

  /** Something may have changed. */
  wake(): void {
    if (this.#isTurnDue || this.#isStopped) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      if (!this.#isStopped) this.#turn();
    });
  }

  /** Containers stay. Resolves when no action runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#prober.stop();
    const running = [...this.#inFlight.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }

  #turn(): void {
    const nowMs = this.#options.parts.clock.nowMs();
    const observed = this.#observe();
    if (this.#pod === undefined && isGone(observed) && this.#inFlight.size === 0) {
      this.#isStopped = true;
      this.#cancelTimer();
      this.#prober.stop();
      this.#options.onGone();
      return;
    }
    this.#followProbes(observed);
    const plan = planPod(this.#pod, observed, nowMs);
    const report = holdBack({ actions: this.#reportStatus(observed, nowMs) }, this.#steps, nowMs);
    this.#sleepUntil([plan.wakeAtMs, report.wakeAtMs]);
    this.#reconcile([...plan.actions, ...report.actions], observed);
  }

  #observe(): Observed {
    const { parts, identity } = this.#options;
    const { machine, sources, node } = parts;
    const pod = this.#pod;
    const machinePod = this.#withoutUnfinished(machine.observe(identity.uid));
    const isEnding = pod === undefined || pod.metadata?.deletionTimestamp !== undefined || isEvicted(pod);
    return {
      ...machinePod,
      notes: {
        images: this.#images,
        steps: this.#steps,
        probes: this.#prober.verdicts,
        hooks: this.#hooks,
        ...(pod !== undefined && isResizing(pod, machinePod)
          ? { requestsOfOthers: parts.requestsOfOthers(identity.uid) }
          : {}),
        sourcesVersion: pod === undefined ? undefined : sources.version(pod),
        volumesVersion: this.#volumesVersion,
        eviction: this.#eviction,
        isDiskShort: parts.isDiskShort(),
        // Only looked at when the pod ends: then a directory without content counts, too.
        onMachine: isEnding && machine.pods().some((one) => one.uid === identity.uid),
        node,
      },
    };
  }

  /** Notes on instances go with them. */
  #followProbes(observed: Observed): void {
    const ids = new Set<string>(observed.containers.map(({ id }) => id));
    this.#prober.follow(probeTargets(this.#pod, observed), ids);
    const kept = [...this.#hooks].filter(([key]) => ids.has(key.slice(key.indexOf(' ') + 1)));
    if (kept.length < this.#hooks.size) this.#hooks = new Map(kept);
  }

  #noteHook(key: string, result?: HookNote['result']): void {
    const startedAtMs = this.#hooks.get(key)?.startedAtMs ?? this.#options.parts.clock.nowMs();
    this.#hooks = new Map([...this.#hooks, [key, { startedAtMs, result }]]);
  }

  /** What is being made right now is not there yet, whatever can already be seen of it. */
  #withoutUnfinished(observed: ObservedPod): ObservedPod {
    const making = [...this.#inFlight.values()].map(({ action }) => action);
    return {
      volumes: observed.volumes,
      sandboxes: observed.sandboxes.filter(
        ({ attempt }) =>
          !making.some((action) => action.kind === 'createSandbox' && action.attempt === attempt),
      ),
      containers: observed.containers.filter(
        ({ name, attempt }) =>
          !making.some(
            (action) =>
              action.kind === 'createContainer' && action.container === name && action.attempt === attempt,
          ),
      ),
    };
  }

  #reportStatus(observed: Observed, nowMs: number): readonly Action[] {
    if (this.#pod === undefined) return [];
    const status = podStatus(this.#pod, observed, nowMs);
    const patch = mergePatch(this.#pod.status, status);
    return patch === undefined ? [] : [{ kind: 'patchStatus', patch, status }];
  }

  #sleepUntil(times: readonly (number | undefined)[]): void {
    this.#cancelTimer();
    const atMs = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
    this.#cancelTimer = Number.isFinite(atMs)
      ? this.#options.parts.clock.at(atMs, () => this.wake())
      : () => {};
  }

  #reconcile(actions: Plan['actions'], observed: Observed): void {
    const planned = new Set(actions.map(actionKey));
    for (const [key, { action, abort }] of this.#inFlight) {
      if (isAbortable(action) && !planned.has(key)) abort.abort();
    }
    for (const action of actions) {
      const isBlocked = [...this.#inFlight.values()].some((other) => isConflict(action, other.action));
      if (!isBlocked) this.#start(action, observed);
    }
  }

  #start(action: Action, observed: Observed): void {
    const { parts, identity } = this.#options;
    const abort = new AbortController();
    if (action.kind === 'runHook') this.#noteHook(hookKey(action.hook, action.id));
    const context = {
      parts,
      identity,
      pod: this.#pod,
      observed,
      events: this.#events,
      signal: abort.signal,
    };
    const step = ['agent:', action.kind, ...('container' in action ? [action.container] : [])].join(' ');
    const ended = spans
      .measure(identity.uid, step, () => countOperation(action, () => perform(action, context)))
      .then(
        (learned) => this.#succeeded(action, learned),
        (error: unknown) => this.#failed(action, error, abort.signal),
      );
    this.#inFlight.set(actionKey(action), { action, abort, ended });
  }

  #succeeded(action: Action, learned: Learned | undefined): void {
    if (learned?.kind === 'image')
      this.#images = new Map([...this.#images, [learned.container, learned.image]]);
    if (learned?.kind === 'hook') this.#noteHook(learned.key, learned.result);
    if (learned?.kind === 'volumes') this.#volumesVersion = learned.version;
    if (learned?.kind === 'pod' && this.#pod !== undefined) this.submit(learned.pod);
    this.#steps = recordStep(this.#steps, action, { atMs: this.#options.parts.clock.nowMs() });
    this.#end(action);
  }

  #failed(action: Action, error: unknown, signal: AbortSignal): void {
    // Nobody wants it any more: no failure.
    if (!signal.aborted) this.#recordFailure(action, error);
    this.#end(action);
  }

  #recordFailure(action: Action, error: unknown): void {
    const { identity, log, parts } = this.#options;
    if (!isPodwrightError(error)) {
      log.error('action failed unexpectedly', {
        pod: `${identity.namespace}/${identity.name}`,
        action: action.kind,
        error: errorText(error),
      });
    }
    const problem = problemOf(action, error);
    log.warn('action failed', {
      pod: `${identity.namespace}/${identity.name}`,
      action: actionKey(action),
      problem: problem.message,
    });
    tellProblem(this.#events, action, problem);
    if (action.kind === 'createContainer' && isPodwrightError(error, 'ImageNotFound')) {
      this.#images = new Map([...this.#images].filter(([name]) => name !== action.container));
    }
    this.#steps = recordStep(this.#steps, action, { atMs: parts.clock.nowMs(), problem });
  }

  #end(action: Action): void {
    this.#inFlight.delete(actionKey(action));
    this.wake();
  }
}

/** Revisions of one API server grow. A pod from a list or a late watch event must not undo what a patch returned. */
function isOlder(pod: Pod, than: Pod | undefined): boolean {
  const [mine, theirs] = [pod.metadata?.resourceVersion, than?.metadata?.resourceVersion];
  return mine !== undefined && theirs !== undefined && Number(mine) < Number(theirs);
}
