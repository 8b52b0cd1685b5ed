// The properties of docs/pod-lifecycle.md over seeded pod lives: the real agent on a fake machine under virtual time,
// with crashes, failures, dead infra containers, image changes and deletions at any moment.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { definitionHash, HASH_ANNOTATION, STREAK_ANNOTATION } from '../../src/agent/container-instances.ts';
import type { Notes } from '../../src/agent/observed.ts';
import { planPod } from '../../src/agent/plan-pod.ts';
import { podStatus } from '../../src/agent/pod-status.ts';
import { containerId } from '../../src/base/brand.ts';
import { PodwrightError } from '../../src/base/errors.ts';
import type { Container, Pod, Probe } from '../../src/kube/api-types.ts';
import type { ObservedPod } from '../../src/machine/machine.ts';
import type { ObservedContainer } from '../../src/machine/model/container.ts';
import { assertProperty } from '../lib/property.ts';
import type { Behaviour, ExecBehaviour } from './fake-machine.ts';
import { Laws } from './laws.ts';
import { container, podOf, sidecar, UID, World } from './world.ts';

const FILE = 'test/agent/pod-lifecycle.test.ts';
const MINUTE = 60_000;

// ------------------------------------------------------------------------------------------------------------- lives

const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  runMs: fc.option(fc.constantFrom(5, 800, 9_000, 700_000), { nil: undefined }),
  exitCode: fc.constantFrom(0, 0, 1, 137),
  sigtermMs: fc.option(fc.constantFrom(1, 400, 12_000), { nil: undefined }),
  startError: fc.option(fc.constant('no such file'), { nil: undefined, freq: 8 }),
});
/** How the commands of probes and hooks go: by the command's name. */
const execs = fc.record({
  startup: fc.constantFrom(0, 0, 6_000, 60_000),
  ready: fc.constantFrom(0, 2_000, 15_000),
  /** From then on it fails. */
  sickAtMs: fc.option(fc.constantFrom(3_000, 40_000), { nil: undefined, freq: 2 }),
  hook: fc.record({ ms: fc.constantFrom(0, 300, 4_000, 45_000), exitCode: fc.constantFrom(0, 0, 0, 1) }),
});
const script = fc.array(behaviour, { minLength: 1, maxLength: 3 });

const happening = fc.record({
  afterMs: fc.constantFrom(0, 1, 3, 500, 4_000, 25_000, 400_000),
  kind: fc.constantFrom(
    'crash',
    'crash',
    'killInfra',
    'changeImage',
    'failCalls',
    'compact',
    'storm',
    'resize',
  ),
});

const lifeModel = {
  restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
  inits: fc.array(fc.record({ isSidecar: fc.boolean(), script }), { maxLength: 3 }),
  /** What an app container's exit code 1 does beside the pod's policy. */
  rule: fc.constantFrom(undefined, undefined, 'Restart', 'RestartAllContainers'),
  /** Of what sidecars and app containers have. */
  has: fc.subarray(['startup', 'liveness', 'readiness', 'postStart', 'preStop']),
  execs,
  apps: fc.array(script, { minLength: 1, maxLength: 3 }),
  graceSeconds: fc.constantFrom(1, 5, 30),
  happenings: fc.array(happening, { maxLength: 5 }),
  end: fc.constantFrom('delete', 'delete', 'forceDelete', 'deleteThenCrash', 'deleteThenForce'),
};

const anyLife = fc.record(lifeModel);
type Drawn<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
type Life = Drawn<typeof anyLife>;

function podOfLife(life: Life): Pod {
  return podOf({
    restartPolicy: life.restartPolicy,
    terminationGracePeriodSeconds: life.graceSeconds,
    initContainers: life.inits.map((one, index) =>
      one.isSidecar ? sidecar(`i${index}`, watched(life)) : container(`i${index}`),
    ),
    containers: life.apps.map((_one, index) => container(`a${index}`, { ...watched(life), ...ruled(life) })),
  });
}

function watched({ has }: Life): Partial<Container> {
  const exec = (word: string): { exec: { command: readonly string[] } } => ({ exec: { command: [word] } });
  const probe = (word: string): Probe => ({ ...exec(word), periodSeconds: 2, failureThreshold: 2 });
  const hooks = has.filter((one) => one === 'postStart' || one === 'preStop').map((one) => [one, exec(one)]);
  return {
    ...(has.includes('startup') ? { startupProbe: { ...probe('startup'), failureThreshold: 6 } } : {}),
    ...(has.includes('liveness') ? { livenessProbe: probe('live') } : {}),
    ...(has.includes('readiness') ? { readinessProbe: probe('ready') } : {}),
    ...(hooks.length > 0 ? { lifecycle: Object.fromEntries(hooks) } : {}),
  };
}

function ruled({ rule, restartPolicy }: Life): Partial<Container> {
  if (rule === undefined) return {};
  const exitCodes = { operator: 'In', values: [1] };
  return { restartPolicy, restartPolicyRules: [{ action: rule, exitCodes }] };
}

function execOf({ execs }: Life): NonNullable<Behaviour['exec']> {
  const { startup, ready, sickAtMs = Number.POSITIVE_INFINITY, hook } = execs;
  const result = (isGood: boolean): ExecBehaviour => ({ ms: 1, exitCode: isGood ? 0 : 1 });
  return ([word], sinceStartMs) => {
    if (word === 'startup') return result(sinceStartMs >= startup);
    if (word === 'ready') return result(sinceStartMs >= ready);
    return word === 'live' ? result(sinceStartMs < sickAtMs) : hook;
  };
}

function behaviourOf(life: Life, name: string, attempt: number): Behaviour {
  const index = Number(name.slice(1));
  const steps = (name.startsWith('i') ? life.inits[index]?.script : life.apps[index]) ?? [];
  return steps[Math.min(attempt, steps.length - 1)] ?? {};
}

/** A world in which every law is watched. */
function worldOf(life: Life): { world: World; laws: Laws; failCalls(count: number): void } {
  const laws = new Laws();
  let failing = 0;
  const world = new World({
    behaviour: (name, attempt) => ({ ...behaviourOf(life, name, attempt), exec: execOf(life) }),
    onCall: (call, machine) => laws.onCall(call, machine),
    failure: (call) => {
      if (failing === 0 || ['signalContainer', 'exec'].includes(call.name)) return undefined;
      failing -= 1;
      return new PodwrightError('CreateFailed', `${call.name} fails by request`);
    },
  });
  let last: Pod | undefined;
  laws.findPod = (uid) => (world.hasPod() && world.pod().metadata?.uid === uid ? world.pod() : undefined);
  world.api.onChange = ({ type, ...event }) => {
    if (type === 'BOOKMARK' || !('object' in event) || event.object.kind !== 'Pod') return;
    const pod: Pod = event.object;
    if (pod.metadata?.deletionTimestamp !== undefined || type === 'DELETED')
      laws.deleted(UID, world.clock.nowMs());
    laws.onWrite(last, pod, world.clock.nowMs());
    last = pod;
  };
  return { world, laws, failCalls: (count) => (failing = count) };
}

async function live(life: Life): Promise<{ world: World; laws: Laws }> {
  const { world, laws, failCalls } = worldOf(life);
  await world.start();
  await world.create(podOfLife(life));
  for (const { afterMs, kind } of life.happenings) {
    await world.clock.advance(afterMs);
    if (kind === 'crash') await world.crash();
    if (kind === 'killInfra') world.machine.killInfra(UID);
    if (kind === 'compact') world.api.compact();
    if (kind === 'failCalls') failCalls(3);
    if (kind === 'changeImage') await changeImage(world, life);
    if (kind === 'resize') await resize(world);
    if (kind === 'storm') await storm(world, 20);
    laws.assertKept();
  }
  return { world, laws };
}

async function changeImage(world: World, life: Life): Promise<void> {
  const change = (one: Container): Container =>
    one.name === 'a0' || one.name === 'i0' ? { ...one, image: 'busybox:2' } : one;
  const { initContainers = [], containers } = podOfLife(life).spec ?? { containers: [] };
  await world.patch({
    spec: { initContainers: initContainers.map(change), containers: containers.map(change) },
  });
}

async function resize(world: World): Promise<void> {
  const containers = world.pod().spec?.containers ?? [];
  const resources = { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '1', memory: '64Mi' } };
  await world.patch({
    spec: { containers: containers.map((one) => (one.name === 'a0' ? { ...one, resources } : one)) },
  });
}

async function storm(world: World, updates: number): Promise<void> {
  for (let index = 0; index < updates; index += 1)
    await world.patch({ metadata: { labels: { storm: String(index) } } });
}

async function end(world: World, life: Life): Promise<void> {
  await world.delete(life.end === 'forceDelete' ? 0 : undefined);
  if (life.end === 'deleteThenCrash') {
    await world.clock.advance(3);
    await world.crash();
  }
  if (life.end === 'deleteThenForce' && world.hasPod()) await world.delete(0);
  await world.clock.advance(3 * MINUTE);
}

test('LEGAL ORDER ONE-LIVE NO-START GRACE HOOKS HEALTH RESTART-POLICY BACK-OFF PHASE-FINAL RESTART-COUNT CRASH: whole lives keep the laws and leave nothing', async () => {
  const property = fc.asyncProperty(anyLife, async (life) => {
    const { world, laws } = await live(life);
    await end(world, life);
    laws.assertKept();
    assert.equal(world.hasPod(), false, 'CRASH: the object is gone');
    assert.deepEqual(world.machine.pods(), [], 'CRASH: the machine holds nothing');
    await world.stop();
  });
  await assertProperty(property, { file: FILE, numRuns: 400 });
});

test('QUIET: a pod that has come to rest costs no call and no write', async () => {
  const property = fc.asyncProperty(anyLife, async (life) => {
    const { world, laws } = await live(life);
    await world.clock.advance(30 * MINUTE);
    laws.assertKept();
    if (!isAtRest(world.pod(), life)) return world.stop();
    // Probes go on.
    const callsNow = (): number => world.machine.calls.filter(({ name }) => name !== 'exec').length;
    const [calls, writes] = [callsNow(), world.api.writes.get('pods')];
    await world.clock.advance(10 * MINUTE);
    assert.equal(callsNow(), calls, 'QUIET: no call');
    assert.equal(world.api.writes.get('pods'), writes, 'QUIET: no write');
    await world.stop();
  });
  await assertProperty(property, { file: FILE, numRuns: 150 });
});

/** Ended, or everything that stays runs and would run on. */
function isAtRest({ status }: Pod, life: Life): boolean {
  const isShaky =
    life.has.includes('liveness') || life.has.includes('startup') || life.execs.hook.exitCode !== 0;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return true;
  if (isShaky) return false;
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.every(
    (one) =>
      one.state?.terminated !== undefined ||
      (one.state?.running !== undefined && behaviourOf(life, one.name, one.restartCount).runMs === undefined),
  );
}

test('BOUNDED: a storm of updates costs a bounded number of plans', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  const before = world.machine.observations;
  await storm(world, 1000);
  await world.clock.settle();
  assert.ok(
    world.machine.observations - before <= 5,
    `${world.machine.observations - before} plans for 1000 updates`,
  );
  await world.stop();
});

// --------------------------------------------------------------------------------------------------- any observed state

const START_MS = Date.UTC(2030, 0, 1) - 100_000;
const instance = fc.record({
  name: fc.constantFrom('i0', 's1', 'a0', 'a1'),
  attempt: fc.nat(2),
  sandboxAttempt: fc.nat(1),
  state: fc.oneof(
    fc.constant({ kind: 'incomplete' } as const),
    fc.constant({ kind: 'created' } as const),
    fc.constant({ kind: 'running', startedAtMs: START_MS, pid: 7 } as const),
    fc.constantFrom(0, 1).map(
      (exitCode) =>
        ({
          kind: 'exited',
          startedAtMs: START_MS,
          finishedAtMs: START_MS + 5000,
          exitCode,
          reason: exitCode === 0 ? 'Completed' : 'Error',
          message: '',
        }) as const,
    ),
  ),
  isHashKnown: fc.boolean(),
});

/** Any state the machine may be found in: what can be, not only what should be; but at most one live instance each. */
const anyObserved: fc.Arbitrary<ObservedPod> = fc
  .record({
    sandboxes: fc.uniqueArray(
      fc.record({ attempt: fc.nat(1), kind: fc.constantFrom('incomplete', 'ready', 'notReady') }),
      { selector: (one) => one.attempt, maxLength: 2 },
    ),
    instances: fc.uniqueArray(instance, { selector: (one) => `${one.name} ${one.attempt}`, maxLength: 8 }),
  })
  .map(({ sandboxes, instances }) => {
    const sorted = [...sandboxes].sort((a, b) => a.attempt - b.attempt);
    const found = sorted.map(({ attempt, kind }, index) => ({
      attempt,
      createdAtMs: START_MS,
      state:
        kind === 'ready' && index === sorted.length - 1
          ? { kind: 'ready' as const, ips: ['10.200.0.9'] }
          : {
              kind:
                kind === 'incomplete' && index === sorted.length - 1
                  ? ('incomplete' as const)
                  : ('notReady' as const),
            },
    }));
    const attempts = found.filter((one) => one.state.kind !== 'incomplete').map((one) => one.attempt);
    return { sandboxes: found, containers: instancesIn(instances, attempts), volumes: [] };
  });

type Draft = Drawn<typeof instance>;

function instancesIn(drafts: readonly Draft[], sandboxes: readonly number[]): readonly ObservedContainer[] {
  const sorted = [...drafts].sort((a, b) => a.name.localeCompare(b.name) || a.attempt - b.attempt);
  return sorted.flatMap((draft): ObservedContainer[] => {
    const newer = sorted.some((one) => one.name === draft.name && one.attempt > draft.attempt);
    if (!sandboxes.includes(draft.sandboxAttempt) || (newer && draft.state.kind !== 'exited')) return [];
    const { name, attempt, sandboxAttempt, state, isHashKnown } = draft;
    const hash = definitionHash(container(name));
    return [
      {
        id: containerId(`${UID}_${name}_${attempt}`),
        name,
        attempt,
        sandboxAttempt,
        state,
        image: 'busybox:1',
        imageId: 'sha256:x',
        createdAtMs: START_MS,
        annotations: {
          [HASH_ANNOTATION]: isHashKnown ? hash : 'other',
          [STREAK_ANNOTATION]: String(attempt),
        },
      },
    ];
  });
}

const anyPod = fc.record({ restartPolicy: lifeModel.restartPolicy }).map(({ restartPolicy }) =>
  podOf({
    restartPolicy,
    terminationGracePeriodSeconds: 5,
    initContainers: [container('i0'), sidecar('s1')],
    containers: [container('a0'), container('a1')],
  }),
);

test('CONVERGE: from any observed state a pod comes to run or to its end, and is removed without a trace', async () => {
  const steady = (name: string): Behaviour => (name === 'i0' ? { runMs: 10 } : { sigtermMs: 10 });
  const property = fc.asyncProperty(anyPod, anyObserved, async (pod, observed) => {
    const world = new World({ behaviour: steady });
    const { sandboxes, containers, volumes } = observed;
    world.machine.put(
      { uid: UID, namespace: 'default', name: 'p' },
      { sandboxes: [...sandboxes], containers: [...containers], volumes: [...volumes] },
    );
    await world.create(pod);
    await world.start();
    await world.clock.advance(15 * MINUTE);
    const { phase, containerStatuses = [] } = world.pod().status ?? {};
    const isUp =
      phase === 'Running' &&
      containerStatuses.every(
        (one) => one.state?.running !== undefined || one.state?.terminated !== undefined,
      );
    assert.ok(
      isUp || phase === 'Succeeded' || phase === 'Failed',
      `CONVERGE: it is ${phase} ${JSON.stringify(containerStatuses)}`,
    );
    await world.delete();
    await world.clock.advance(MINUTE);
    assert.deepEqual(world.machine.pods(), [], 'CONVERGE: nothing is left');
    await world.stop();
  });
  await assertProperty(property, { file: FILE, numRuns: 200 });
});

test('PURE: planPod and podStatus tell the same for the same, and change nothing they are given', async () => {
  const property = fc.asyncProperty(
    anyPod,
    anyObserved,
    fc.boolean(),
    fc.nat(1_000_000),
    async (pod, machine, isKnown, lateMs) => {
      const notes: Notes = {
        images: new Map(),
        steps: new Map(),
        probes: new Map(),
        hooks: new Map(),
        sourcesVersion: '',
        onMachine: true,
        node: { ips: ['192.0.2.1'], runtime: 'crun' },
      };
      const observed = { ...deepFreeze(machine), notes };
      const frozen = deepFreeze(pod);
      const nowMs = START_MS + lateMs;
      const wish = isKnown ? frozen : undefined;
      assert.deepEqual(planPod(wish, observed, nowMs), planPod(wish, observed, nowMs));
      assert.deepEqual(podStatus(frozen, observed, nowMs), podStatus(frozen, observed, nowMs));
    },
  );
  await assertProperty(property, { file: FILE, numRuns: 500 });
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

// ---------------------------------------------------------------------------------------------------------------- ids

test('every property of docs/pod-lifecycle.md has a test, and every id a test names is explained there', () => {
  const root = join(import.meta.dirname, '../..');
  const documented = [
    ...readFileSync(join(root, 'docs/pod-lifecycle.md'), 'utf8').matchAll(/^\| `([A-Z-]+)` \|/gm),
  ].map((match) => match[1]);
  const sources = ['pod-lifecycle.test.ts', 'laws.ts'].map((name) =>
    readFileSync(join(import.meta.dirname, name), 'utf8'),
  );
  const titles = sources.flatMap((text) =>
    [...text.matchAll(/test\('([^']*): /g)].flatMap((match) => (match[1] ?? '').split(' ')),
  );
  const tested = [...new Set(titles.filter((word) => /^[A-Z]+(-[A-Z]+)*$/.test(word)))];
  assert.ok(documented.length > 5);
  assert.deepEqual(tested.sort(), [...documented].sort());
});
