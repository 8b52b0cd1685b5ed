// The laws every pod's life must keep, checked at each call on the machine and each write to the API. An own, plain
// model of the rules: it shares no code with the plan it judges.
import assert from 'node:assert/strict';
import type { Container, ContainerStatus, Pod } from '../../src/kube/api-types.ts';
import type { ContainerConfig, ObservedContainer } from '../../src/machine/model/container.ts';
import type { Call, ExecDetail, FakeMachine } from './fake-machine.ts';

type Started = { readonly name: string; readonly attempt: number };

export class Laws {
  /** Set once the world is there. */
  findPod: (uid: string) => Pod | undefined = () => undefined;
  readonly #streaks = new Map<string, number>();
  readonly #counted = new Set<string>();
  readonly #deletedAtMs = new Map<string, number>();
  /** Of exec calls by "command id": when the last began, and when it is over. */
  readonly #execs = new Map<string, { readonly beganAtMs: number; readonly endsAtMs: number }>();
  /** "command id" of those that succeeded, and when. */
  readonly #successes = new Map<string, number>();
  readonly #failures = new Set<string>();
  #broken: unknown;

  /** A law broken inside the agent would be taken for a failed action: it is kept and thrown here. */
  assertKept(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  onCall(call: Call, machine: FakeMachine): void {
    try {
      this.#judge(call, machine);
    } catch (error) {
      this.#broken ??= error;
      throw error;
    }
  }

  deleted(uid: string, atMs: number): void {
    if (!this.#deletedAtMs.has(uid)) this.#deletedAtMs.set(uid, atMs);
  }

  /** Every version of the pod in the order of writes. */
  onWrite(before: Pod | undefined, after: Pod, atMs: number): void {
    try {
      judgeWrite(before, after);
      this.#judgeHealth(after, atMs);
    } catch (error) {
      this.#broken ??= error;
    }
  }

  #judge(call: Call, machine: FakeMachine): void {
    const observed = machine.peek(call.uid);
    const pod = this.findPod(call.uid);
    const running = observed.containers.filter((one) => one.state.kind === 'running');
    switch (call.name) {
      case 'createSandbox':
        this.#notEnding(call);
        assert.ok(
          !observed.sandboxes.some((one) => one.state.kind === 'ready'),
          'LEGAL: one sandbox at a time',
        );
        assert.deepEqual(running, [], 'ONE-LIVE: nothing runs in a dead sandbox when the next is made');
        return;
      case 'createContainer': {
        const { name, sandboxAttempt, attempt } = call.detail as ContainerConfig;
        if (!isNeededSidecar(name, pod, running)) this.#notEnding(call);
        const sandbox = observed.sandboxes.find((one) => one.attempt === sandboxAttempt);
        assert.equal(sandbox?.state.kind, 'ready', 'LEGAL: a container needs a ready sandbox');
        const others = observed.containers.filter((one) => one.name === name);
        assert.ok(
          others.every((one) => one.state.kind === 'exited'),
          `ONE-LIVE: ${name}`,
        );
        assert.ok(
          others.every((one) => one.attempt < attempt),
          `LEGAL: attempts of ${name} grow`,
        );
        return;
      }
      case 'startContainer':
        if (!isNeededSidecar((call.detail as ObservedContainer).name, pod, running)) this.#notEnding(call);
        if (pod !== undefined)
          this.#judgeStart(call.detail as ObservedContainer, { call, pod, all: observed.containers });
        return;
      case 'signalContainer':
        if (pod !== undefined) this.#judgeSignal(call, pod, machine);
        return;
      case 'exec':
        this.#noteExec(call);
        return;
      case 'stopSandbox': {
        const isReady = observed.sandboxes.some(
          (one) => one.attempt === call.detail && one.state.kind === 'ready',
        );
        const deletion = pod?.metadata?.deletionTimestamp;
        if (isReady && running.length > 0 && deletion !== undefined) {
          assert.ok(call.atMs >= Date.parse(deletion), 'GRACE: nothing is killed before its grace is over');
          if (pod?.metadata?.deletionGracePeriodSeconds !== 0)
            for (const one of running) judgeKill(one, call);
        }
        return;
      }
      case 'removeSandbox':
        if (pod !== undefined)
          assert.deepEqual(
            running.filter((one) => one.sandboxAttempt === call.detail),
            [],
            'GRACE: a pod the API has is stopped before it is removed',
          );
        return;
      case 'removePod':
        assert.deepEqual(observed.sandboxes, [], 'LEGAL: sandboxes are removed before the pod');
    }
  }

  #noteExec({ detail, atMs }: Call): void {
    const { id, command, ms, exitCode } = detail as ExecDetail;
    const key = `${command[0]} ${id}`;
    const endsAtMs = atMs + (ms ?? Number.POSITIVE_INFINITY);
    this.#execs.set(key, { beganAtMs: atMs, endsAtMs });
    const isInTime = command[0] === 'postStart' || (ms ?? Number.POSITIVE_INFINITY) < 1000;
    if (exitCode !== 0 || !isInTime) this.#failures.add(key);
    else if (!this.#successes.has(key)) this.#successes.set(key, endsAtMs);
  }

  /** What a container is stopped for alone, whatever else runs. */
  #isFoundIll(id: string): boolean {
    return ['live', 'startup', 'postStart'].some((command) => this.#failures.has(`${command} ${id}`));
  }

  /** When the first of those that run was asked to end. */
  #stopBeganAtMs(running: readonly ObservedContainer[]): number {
    const times = running.flatMap(({ id, stopSignalledAtMs }) => [
      stopSignalledAtMs ?? Number.POSITIVE_INFINITY,
      this.#execs.get(`preStop ${id}`)?.beganAtMs ?? Number.POSITIVE_INFINITY,
    ]);
    return Math.min(...times);
  }

  #hasSucceeded(command: string, id: string, atMs: number): boolean {
    return (this.#successes.get(`${command} ${id}`) ?? Number.POSITIVE_INFINITY) <= atMs;
  }

  #judgeSignal(call: Call, pod: Pod, machine: FakeMachine): void {
    const running = machine.peek(call.uid).containers.filter(({ state }) => state.kind === 'running');
    const { signal, ...one } = call.detail as ObservedContainer & { readonly signal: string };
    if (signal === 'SIGKILL') {
      const all = machine.peek(call.uid).containers;
      if (one.createdAtMs >= roundBeganAtMs(pod, all)) judgeKill(one, call);
      return;
    }
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
    const graceMs = (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    const isOver = deletionTimestamp !== undefined && call.atMs >= Date.parse(deletionTimestamp);
    const isOverAfterCompletion =
      deletionTimestamp === undefined && call.atMs >= this.#stopBeganAtMs(running) + graceMs;
    if (!isOver && !isOverAfterCompletion && !this.#isFoundIll(one.id)) judgeOrderOfStop(one, pod, running);
    const spec = containersOf(pod).find(({ name }) => name === one.name);
    if (spec?.lifecycle?.preStop === undefined || isOver || deletionGracePeriodSeconds === 0) return;
    const hook = this.#execs.get(`preStop ${one.id}`);
    assert.ok(
      hook !== undefined && (call.atMs >= hook.endsAtMs || call.atMs >= hook.beganAtMs + graceMs),
      `HOOKS: ${one.name} is signalled after its preStop hook, or when the grace is over`,
    );
  }

  #judgeHealth(pod: Pod, atMs: number): void {
    for (const status of statusesOf(pod)) {
      const spec = containersOf(pod).find(({ name }) => name === status.name);
      const id = status.containerID?.replace(/^.*:\/\//, '') ?? '';
      const law = (isTold: boolean | undefined, command: string, what: string): void =>
        assert.ok(isTold !== true || this.#hasSucceeded(command, id, atMs), `HEALTH: ${status.name} ${what}`);
      if (spec?.readinessProbe !== undefined) law(status.ready, 'ready', 'is ready without a success');
      if (spec?.startupProbe !== undefined) law(status.started, 'startup', 'has started without a success');
      if (spec?.lifecycle?.postStart !== undefined)
        law(status.state?.running !== undefined, 'postStart', 'is Running before its postStart hook is done');
    }
  }

  #notEnding({ name, uid, atMs }: Call): void {
    const deletedAtMs = this.#deletedAtMs.get(uid) ?? Number.POSITIVE_INFINITY;
    assert.ok(atMs <= deletedAtMs, `NO-START: ${name} after the pod's deletion`);
  }

  #judgeStart(
    one: ObservedContainer,
    context: { readonly call: Call; readonly pod: Pod; readonly all: readonly ObservedContainer[] },
  ): void {
    const { call, pod, all } = context;
    assert.ok(
      one.state.kind === 'created' || one.state.kind === 'running',
      'LEGAL: only a created container is started',
    );
    judgeOrder(one, pod, all);
    if (this.#counted.has(one.id)) return;
    this.#counted.add(one.id);
    const previous = all
      .filter(
        (other) => other.name === one.name && other.attempt < one.attempt && other.state.kind === 'exited',
      )
      .at(-1);
    if (previous !== undefined) this.#judgeRestart(one, previous, { pod, all, atMs: call.atMs });
  }

  #judgeRestart(
    one: Started & ObservedContainer,
    previous: ObservedContainer,
    {
      pod,
      all,
      atMs,
    }: { readonly pod: Pod; readonly all: readonly ObservedContainer[]; readonly atMs: number },
  ): void {
    if (previous.state.kind !== 'exited') return;
    const { finishedAtMs, startedAtMs = finishedAtMs, exitCode } = previous.state;
    const isReplaced = previous.image !== one.image;
    const spec = pod.spec?.initContainers?.find((container) => container.name === one.name);
    const isSidecar = spec?.restartPolicy === 'Always';
    const policy = pod.spec?.restartPolicy;
    const roundMs = roundBeganAtMs(pod, all);
    const isFormer = previous.createdAtMs < roundMs;
    // The container that began the round keeps its back-off; another may have ended in the same moment.
    const isTrigger = finishedAtMs === roundMs && ruleOf(pod, one.name, exitCode) === 'RestartAllContainers';
    const isFreed = isFormer && !isTrigger;
    const mayRestart =
      isFormer ||
      ruleOf(pod, one.name, exitCode) !== undefined ||
      isReplaced ||
      isSidecar ||
      (spec !== undefined && previous.sandboxAttempt !== one.sandboxAttempt) ||
      (policy === 'Always' && (spec === undefined || exitCode !== 0)) ||
      (policy === 'OnFailure' && exitCode !== 0);
    assert.ok(mayRestart, `RESTART-POLICY: ${one.name} exited ${exitCode} under ${policy}`);
    const isForgotten = isFreed || isReplaced || finishedAtMs - startedAtMs >= 600_000;
    const streak = isForgotten ? 0 : (this.#streaks.get(one.name) ?? 0);
    const waitMs = streak === 0 ? 0 : Math.min(300_000, 10_000 * 2 ** (streak - 1));
    assert.ok(
      atMs >= finishedAtMs + waitMs,
      `BACK-OFF: ${one.name} restarted after ${atMs - finishedAtMs} of ${waitMs} ms`,
    );
    this.#streaks.set(one.name, isFreed ? 0 : streak + 1);
  }
}

function ruleOf(pod: Pod, name: string, exitCode: number): string | undefined {
  const rules = containersOf(pod).find((one) => one.name === name)?.restartPolicyRules ?? [];
  return rules.find(({ exitCodes }) => exitCodes?.values?.includes(exitCode))?.action;
}

/** When all containers were last asked to restart; 0: never. */
function roundBeganAtMs(pod: Pod, all: readonly ObservedContainer[]): number {
  const ends = all.map(({ name, state }) =>
    state.kind === 'exited' && ruleOf(pod, name, state.exitCode) === 'RestartAllContainers'
      ? state.finishedAtMs
      : 0,
  );
  return Math.max(0, ...ends);
}

function judgeOrder(one: ObservedContainer, pod: Pod, all: readonly ObservedContainer[]): void {
  const inits = pod.spec?.initContainers ?? [];
  const index = inits.findIndex((container) => container.name === one.name);
  for (const earlier of index < 0 ? inits : inits.slice(0, index)) {
    const here = all.filter(
      (other) =>
        other.name === earlier.name &&
        other.sandboxAttempt === one.sandboxAttempt &&
        other.createdAtMs >= roundBeganAtMs(pod, all),
    );
    const isDone =
      earlier.restartPolicy === 'Always'
        ? here.some((other) => other.state.kind === 'running' || other.state.kind === 'exited')
        : here.some((other) => other.state.kind === 'exited' && other.state.exitCode === 0);
    assert.ok(isDone, `ORDER: ${one.name} started before ${earlier.name} was done`);
  }
}

const containersOf = (pod: Pod): readonly Container[] => [
  ...(pod.spec?.initContainers ?? []),
  ...(pod.spec?.containers ?? []),
];

/** KEP-4438: a sidecar that crashed, as long as an app container runs. */
function isNeededSidecar(name: string, pod: Pod | undefined, running: readonly ObservedContainer[]): boolean {
  const inits = pod?.spec?.initContainers ?? [];
  const isSidecar = (one: string): boolean =>
    inits.some((init) => init.name === one && init.restartPolicy === 'Always');
  return isSidecar(name) && running.some((one) => !isSidecar(one.name));
}

function judgeKill(one: ObservedContainer, { atMs }: Call): void {
  const signalledAtMs = one.stopSignalledAtMs;
  assert.ok(
    signalledAtMs !== undefined && atMs >= signalledAtMs + 2000,
    `GRACE: ${one.name} has two seconds after its signal`,
  );
}

function judgeOrderOfStop(one: ObservedContainer, pod: Pod, running: readonly ObservedContainer[]): void {
  const isPodEnding =
    pod.metadata?.deletionTimestamp !== undefined ||
    !running.some(({ name }) => pod.spec?.containers.some((app) => app.name === name));
  // Alone, because of what was found out about it.
  if (!isPodEnding) return;
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === 'Always',
  );
  const index = sidecars.findIndex((container) => container.name === one.name);
  if (index < 0 || sidecars[index]?.image !== one.image) return;
  const mustBeGone = running.filter((other) => {
    const place = sidecars.findIndex((container) => container.name === other.name);
    return place < 0 || place > index;
  });
  assert.deepEqual(
    mustBeGone.map((other) => other.name),
    [],
    `ORDER: sidecar ${one.name} is stopped last, in reverse`,
  );
}

function judgeWrite(before: Pod | undefined, after: Pod): void {
  if (before === undefined || before.metadata?.uid !== after.metadata?.uid) return;
  const phase = before.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') {
    assert.equal(after.status?.phase, phase, 'PHASE-FINAL: a terminal phase is never left');
  }
  const counts = new Map(statusesOf(before).map((status) => [status.name, status.restartCount]));
  for (const status of statusesOf(after)) {
    assert.ok(status.restartCount >= (counts.get(status.name) ?? 0), `RESTART-COUNT: of ${status.name} fell`);
  }
}

function statusesOf(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}
