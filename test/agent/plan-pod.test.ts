// planPod and podStatus as tables: a pod, what is observed, and what follows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action, Plan } from '../../src/agent/action.ts';
import { goDuration, restartOf } from '../../src/agent/backoff.ts';
import { definitionHash, HASH_ANNOTATION, STREAK_ANNOTATION } from '../../src/agent/container-instances.ts';
import { mergePatch } from '../../src/agent/merge-patch.ts';
import type { HookNote, Notes, Observed } from '../../src/agent/observed.ts';
import { planPod } from '../../src/agent/plan-pod.ts';
import { podStatus } from '../../src/agent/pod-status.ts';
import { containerId } from '../../src/base/brand.ts';
import type { Container, Pod } from '../../src/kube/api-types.ts';
import type { ContainerState, ObservedContainer } from '../../src/machine/model/container.ts';
import type { ObservedSandbox } from '../../src/machine/model/sandbox.ts';
import { container, podOf, sidecar, UID } from './world.ts';

const NOW = Date.UTC(2030, 0, 1);
const SECOND = 1000;

const ready: ObservedSandbox = {
  attempt: 0,
  createdAtMs: NOW - 60 * SECOND,
  state: { kind: 'ready', ips: ['10.0.0.2'] },
};
const dead: ObservedSandbox = { ...ready, state: { kind: 'notReady' } };

function notes(more: Partial<Notes> = {}): Notes {
  return {
    images: new Map(),
    steps: new Map(),
    probes: new Map(),
    hooks: new Map(),
    sourcesVersion: '',
    onMachine: true,
    node: { ips: ['192.0.2.1'], runtime: 'crun' },
    ...more,
  };
}

function seen(containers: readonly ObservedContainer[], more: Partial<Observed> = {}): Observed {
  return { sandboxes: [ready], containers, volumes: [], notes: notes(), ...more };
}

function instance(
  of: Container,
  state: ContainerState,
  more: Partial<ObservedContainer> = {},
): ObservedContainer {
  const { attempt = 0 } = more;
  return {
    id: containerId(`${UID}_${of.name}_${attempt}`),
    name: of.name,
    attempt,
    sandboxAttempt: 0,
    image: of.image ?? '',
    imageId: 'sha256:x',
    createdAtMs: NOW - 60 * SECOND,
    state,
    annotations: { [HASH_ANNOTATION]: definitionHash(of), [STREAK_ANNOTATION]: String(attempt) },
    ...more,
  };
}

const running: ContainerState = { kind: 'running', startedAtMs: NOW - 30 * SECOND, pid: 7 };
const exited = (exitCode: number, agoMs = SECOND): ContainerState => ({
  kind: 'exited',
  startedAtMs: NOW - agoMs - SECOND,
  finishedAtMs: NOW - agoMs,
  exitCode,
  reason: exitCode === 0 ? 'Completed' : 'Error',
  message: '',
});

/** "createContainer a 0", in order; the wake-up as seconds from now. */
function told({ actions, wakeAtMs }: Plan): {
  readonly actions: readonly string[];
  readonly wakeSeconds?: number;
} {
  const words = actions.map((action) => [action.kind, ...detail(action)].join(' '));
  return wakeAtMs === undefined
    ? { actions: words }
    : { actions: words, wakeSeconds: (wakeAtMs - NOW) / SECOND };
}

function detail(action: Action): readonly (string | number)[] {
  if (action.kind === 'signalContainer') return [action.container, action.signal];
  if (action.kind === 'runHook') return [action.hook, action.container];
  return [
    ...('container' in action ? [action.container] : []),
    ...('attempt' in action ? [action.attempt] : []),
  ];
}

const withImage = (name: string, attempt: number, reference = 'busybox:1'): Partial<Observed> => ({
  notes: notes({ images: new Map([[name, { reference, attempt, imageId: 'sha256:x', user: '' }]]) }),
});

const a = container('a');
const b = container('b');
const s1 = sidecar('s1');
const s2 = sidecar('s2');
const init = container('init');
const changed = container('a', { image: 'busybox:2' });
const hooked = container('a', {
  lifecycle: { postStart: { exec: { command: ['hi'] } }, preStop: { exec: { command: ['bye'] } } },
});
const ID = containerId(`${UID}_a_0`);
const withHooks = (hooks: Record<string, HookNote>, more: Partial<Notes> = {}): Partial<Observed> => ({
  notes: notes({
    ...more,
    hooks: new Map(Object.entries(hooks).map(([hook, note]) => [`${hook} ${ID}`, note])),
  }),
});
const GREETED = { postStart: { startedAtMs: NOW - 20 * SECOND, result: 'succeeded' } } as const;
const ruled = (action: string): Container => ({
  ...container('a', { restartPolicy: 'Never' }),
  restartPolicyRules: [{ action, exitCodes: { operator: 'In', values: [42] } }],
});
const probed = container('a', {
  livenessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 3 },
});
const sick = notes({ probes: new Map([[`liveness ${ID}`, 'failure']]) });
const deleting = (pod: Pod, graceSeconds: number, leftMs: number): Pod => ({
  ...pod,
  metadata: {
    ...pod.metadata,
    deletionGracePeriodSeconds: graceSeconds,
    deletionTimestamp: new Date(NOW + leftMs).toISOString(),
  },
});

type Row = readonly [
  title: string,
  pod: Pod | undefined,
  observed: Observed,
  expected: ReturnType<typeof told>,
];

const ROWS: readonly Row[] = [
  [
    'at first everything that is independent, at once',
    podOf({ containers: [a, b], volumes: [{ name: 'v', emptyDir: {} }] }),
    seen([], { sandboxes: [] }),
    { actions: ['createSandbox 0', 'setUpVolumes', 'pullImage a 0', 'pullImage b 0'] },
  ],
  [
    'sources are read before volumes',
    podOf({ volumes: [{ name: 'v', emptyDir: {} }] }),
    seen([], { sandboxes: [], notes: notes({ sourcesVersion: undefined }) }),
    { actions: ['createSandbox 0', 'loadSources', 'pullImage a 0'] },
  ],
  ['a container needs its image', podOf(), seen([], withImage('a', 0)), { actions: ['createContainer a 0'] }],
  [
    'a created one is started',
    podOf(),
    seen([instance(a, { kind: 'created' })]),
    { actions: ['startContainer a'] },
  ],
  [
    'a half-made one is thrown away',
    podOf(),
    seen([instance(a, { kind: 'incomplete' })]),
    { actions: ['pullImage a 0', 'removeContainer a'] },
  ],
  [
    'a half-made sandbox is thrown away',
    podOf(),
    seen([], { sandboxes: [{ ...ready, state: { kind: 'incomplete' } }] }),
    { actions: ['removeSandbox 0', 'pullImage a 0'] },
  ],
  ['running: nothing to do', podOf(), seen([instance(a, running)]), { actions: [] }],
  [
    'the first restart comes at once',
    podOf(),
    seen([instance(a, exited(1))]),
    { actions: ['pullImage a 1'] },
  ],
  [
    'the second waits 10 s',
    podOf(),
    seen([instance(a, exited(1), { attempt: 1 })]),
    { actions: [], wakeSeconds: 9 },
  ],
  [
    'the tenth waits 300 s',
    podOf(),
    seen([instance(a, exited(1), { attempt: 9 })]),
    { actions: [], wakeSeconds: 299 },
  ],
  [
    'only one dead instance is kept beside the last',
    podOf(),
    seen([0, 1, 2].map((attempt) => instance(a, attempt === 2 ? running : exited(1), { attempt }))),
    { actions: ['removeContainer a'] },
  ],
  [
    'OnFailure leaves a success alone',
    podOf({ restartPolicy: 'OnFailure', containers: [a, b] }),
    seen([instance(a, exited(0)), instance(b, running)]),
    { actions: [] },
  ],
  [
    'an init container comes first',
    podOf({ initContainers: [init, s1] }),
    seen([], withImage('init', 0)),
    { actions: ['pullImage s1 0', 'pullImage a 0', 'createContainer init 0'] },
  ],
  [
    'a sidecar lets the next start once it runs',
    podOf({ initContainers: [s1, init] }),
    seen([instance(s1, running)], withImage('init', 0)),
    { actions: ['pullImage a 0', 'createContainer init 0'] },
  ],
  [
    'a dead sidecar is restarted beside running apps, also under Never',
    podOf({ restartPolicy: 'Never', initContainers: [s1] }),
    seen([instance(s1, exited(0)), instance(a, running)]),
    { actions: ['pullImage s1 1'] },
  ],
  [
    'a failed init container under Never ends the pod',
    podOf({ restartPolicy: 'Never', initContainers: [init] }),
    seen([instance(init, exited(1))]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'an image change stops that container alone',
    podOf({ containers: [changed, b] }),
    seen([instance(a, running), instance(b, running)]),
    { actions: ['signalContainer a SIGTERM'] },
  ],
  [
    'it may take its grace',
    podOf({ containers: [changed] }),
    seen([instance(a, running, { stopSignalledAtMs: NOW - 10 * SECOND })]),
    { actions: [], wakeSeconds: 20 },
  ],
  [
    'and no more',
    podOf({ containers: [changed] }),
    seen([instance(a, running, { stopSignalledAtMs: NOW - 30 * SECOND })]),
    { actions: ['signalContainer a SIGKILL'] },
  ],
  [
    'then it starts anew, whatever the policy',
    podOf({ restartPolicy: 'Never', containers: [changed] }),
    seen([instance(a, exited(0), { stopSignalledAtMs: NOW - SECOND, attempt: 4 })]),
    { actions: ['pullImage a 5'] },
  ],
  [
    'a changed init container is not run again',
    podOf({ initContainers: [container('init', { image: 'busybox:9' })] }),
    seen([instance(init, exited(0)), instance(a, running)]),
    { actions: [] },
  ],
  [
    'a dead infra container: a new sandbox, init containers again',
    podOf({ initContainers: [init] }),
    seen([instance(init, exited(0)), instance(a, running)], { sandboxes: [dead] }),
    { actions: ['createSandbox 1', 'pullImage init 1', 'pullImage a 1'] },
  ],
  [
    'under Never it ends the pod',
    podOf({ restartPolicy: 'Never' }),
    seen([instance(a, running)], { sandboxes: [dead] }),
    { actions: ['signalContainer a SIGTERM'] },
  ],
  [
    'completed: the sidecar that started last stops first',
    podOf({ restartPolicy: 'Never', initContainers: [s1, s2] }),
    seen([instance(s1, running), instance(s2, running), instance(a, exited(0))]),
    { actions: ['signalContainer s2 SIGTERM'], wakeSeconds: 30 },
  ],
  [
    'completed: then the sandbox',
    podOf({ restartPolicy: 'Never' }),
    seen([instance(a, exited(0))]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'completed and stopped: nothing',
    podOf({ restartPolicy: 'Never' }),
    seen([instance(a, exited(0))], { sandboxes: [dead] }),
    { actions: [] },
  ],
  [
    'terminating: apps first, sidecars wait',
    deleting(podOf({ initContainers: [s1] }), 30, 30 * SECOND),
    seen([instance(s1, running), instance(a, running)]),
    { actions: ['signalContainer a SIGTERM'], wakeSeconds: 31 },
  ],
  [
    'postStart runs beside the entry point',
    podOf({ containers: [hooked] }),
    seen([instance(a, running)]),
    { actions: ['runHook postStart a'] },
  ],
  [
    'a container whose postStart failed is stopped, its preStop hook first',
    podOf({ containers: [hooked] }),
    seen([instance(a, running)], withHooks({ postStart: { startedAtMs: NOW, result: 'failed' } })),
    { actions: ['runHook preStop a'], wakeSeconds: 30 },
  ],
  [
    'preStop holds up the signal',
    deleting(podOf({ containers: [hooked] }), 30, 10 * SECOND),
    seen([instance(a, running)], withHooks({ ...GREETED, preStop: { startedAtMs: NOW - 20 * SECOND } })),
    { actions: ['runHook preStop a'], wakeSeconds: 11 },
  ],
  [
    'not beyond the grace',
    deleting(podOf({ containers: [hooked] }), 30, -SECOND),
    seen([instance(a, running)], withHooks({ ...GREETED, preStop: { startedAtMs: NOW - 31 * SECOND } })),
    { actions: ['signalContainer a SIGTERM'] },
  ],
  [
    'after which it has two seconds',
    deleting(podOf({ containers: [hooked] }), 30, -2 * SECOND),
    seen([instance(a, running, { stopSignalledAtMs: NOW - SECOND })], withHooks(GREETED)),
    { actions: [], wakeSeconds: 1 },
  ],
  [
    'the signal follows the hook',
    deleting(podOf({ containers: [hooked] }), 30, 10 * SECOND),
    seen(
      [instance(a, running)],
      withHooks({ ...GREETED, preStop: { startedAtMs: NOW - 20 * SECOND, result: 'failed' } }),
    ),
    { actions: ['signalContainer a SIGTERM'] },
  ],
  [
    'the preStop hooks of sidecars begin with the others',
    deleting(
      podOf({ initContainers: [s1, { ...hooked, name: 's2', restartPolicy: 'Always' }] }),
      30,
      20 * SECOND,
    ),
    seen([instance(s1, running), instance(s2, running), instance(a, running)]),
    { actions: ['runHook preStop s2', 'signalContainer a SIGTERM', 'runHook postStart s2'], wakeSeconds: 21 },
  ],
  [
    'a sidecar that crashes while the app ends is restarted',
    deleting(podOf({ initContainers: [s1] }), 30, 20 * SECOND),
    seen([instance(s1, exited(1)), instance(a, running, { stopSignalledAtMs: NOW - SECOND })]),
    { actions: ['pullImage s1 1'], wakeSeconds: 21 },
  ],
  [
    'not when the app has ended',
    deleting(podOf({ initContainers: [s1] }), 30, 20 * SECOND),
    seen([instance(s1, exited(1)), instance(a, exited(0))]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'a failed liveness probe stops the container',
    podOf({ containers: [probed] }),
    seen([instance(a, running)], { notes: sick }),
    { actions: ['signalContainer a SIGTERM'] },
  ],
  [
    'with the grace of the probe',
    podOf({ containers: [probed] }),
    seen([instance(a, running, { stopSignalledAtMs: NOW - SECOND })], { notes: sick }),
    { actions: [], wakeSeconds: 2 },
  ],
  [
    'a rule restarts what the policy would not',
    podOf({ restartPolicy: 'Never', containers: [ruled('Restart'), b] }),
    seen([instance(a, exited(42)), instance(b, running)]),
    { actions: ['pullImage a 1'] },
  ],
  [
    'and no other exit code',
    podOf({ restartPolicy: 'Never', containers: [ruled('Restart'), b] }),
    seen([instance(a, exited(41)), instance(b, running)]),
    { actions: [] },
  ],
  [
    'restarting all containers: first everything is killed',
    podOf({ restartPolicy: 'Never', initContainers: [init], containers: [ruled('RestartAllContainers'), b] }),
    seen([instance(init, exited(0)), instance(a, exited(42)), instance(b, running)]),
    { actions: ['pullImage init 1', 'pullImage a 1', 'pullImage b 1', 'signalContainer b SIGKILL'] },
  ],
  [
    'then the init containers run again',
    podOf({ restartPolicy: 'Never', initContainers: [init], containers: [ruled('RestartAllContainers')] }),
    seen([instance(init, exited(0)), instance(a, exited(42))], withImage('init', 1)),
    { actions: ['pullImage a 1', 'createContainer init 1'] },
  ],
  [
    'once',
    podOf({ restartPolicy: 'Never', initContainers: [init], containers: [ruled('RestartAllContainers')] }),
    seen(
      [
        instance(init, exited(0)),
        instance(init, exited(0), { attempt: 1, createdAtMs: NOW }),
        instance(a, exited(42)),
      ],
      withImage('a', 1),
    ),
    { actions: ['createContainer a 1'] },
  ],
  [
    'a stop signal of its own',
    podOf(),
    seen([instance(a, running, { annotations: { 'podwright.dev/stop-signal': 'SIGUSR1' } })], {
      notes: notes({ hooks: new Map([[`postStart ${ID}`, { startedAtMs: NOW, result: 'failed' }]]) }),
    }),
    { actions: ['signalContainer a SIGUSR1'] },
  ],
  [
    'terminating: at the end of the grace everything is killed',
    deleting(podOf(), 30, -SECOND),
    seen([instance(a, running, { stopSignalledAtMs: NOW - 30 * SECOND })]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'terminating with grace 0: at once',
    deleting(podOf(), 0, 0),
    seen([instance(a, running)]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'terminating: a created container is not started',
    deleting(podOf(), 30, 30 * SECOND),
    seen([instance(a, { kind: 'created' })]),
    { actions: ['stopSandbox 0'] },
  ],
  [
    'terminating: the final status is written first',
    deleting(podOf(), 30, 30 * SECOND),
    seen([instance(a, exited(0))], { sandboxes: [dead] }),
    { actions: [] },
  ],
  [
    'then the machine is cleaned',
    { ...deleting(podOf(), 30, 30 * SECOND), status: { phase: 'Succeeded' } },
    seen([instance(a, exited(0))], { sandboxes: [dead] }),
    { actions: ['removeSandbox 0'] },
  ],
  [
    'then the pod is forgotten',
    { ...deleting(podOf(), 30, 30 * SECOND), status: { phase: 'Succeeded' } },
    seen([], { sandboxes: [] }),
    { actions: ['removePod'] },
  ],
  [
    'then the object goes',
    { ...deleting(podOf(), 30, 30 * SECOND), status: { phase: 'Succeeded' } },
    seen([], { sandboxes: [], notes: notes({ onMachine: false }) }),
    { actions: ['deletePod'] },
  ],
  ['gone from the API: no grace', undefined, seen([instance(a, running)]), { actions: ['removeSandbox 0'] }],
  [
    'gone from both: nothing',
    undefined,
    seen([], { sandboxes: [], notes: notes({ onMachine: false }) }),
    { actions: [] },
  ],
  [
    'activeDeadlineSeconds is a wake-up, too',
    { ...podOf({ activeDeadlineSeconds: 60 }), status: { startTime: new Date(NOW).toISOString() } },
    seen([instance(a, running)]),
    { actions: [], wakeSeconds: 60 },
  ],
  [
    'a step that failed waits',
    podOf(),
    seen([], {
      sandboxes: [],
      notes: notes({
        steps: new Map([
          ['createSandbox 0', { times: 3, atMs: NOW - SECOND, problem: { reason: 'r', message: 'm' } }],
        ]),
      }),
    }),
    { actions: ['pullImage a 0'], wakeSeconds: 3 },
  ],
  [
    'after a reboot: what ran under Never does not run again',
    {
      ...podOf({ restartPolicy: 'Never' }),
      status: {
        phase: 'Running',
        containerStatuses: [
          {
            name: 'a',
            image: 'x',
            imageID: 'y',
            ready: true,
            restartCount: 0,
            containerID: 'crun://x',
            state: { running: {} },
          },
        ],
      },
    },
    seen([], { sandboxes: [] }),
    { actions: [] },
  ],
  [
    'after a reboot: the restart count goes on',
    {
      ...podOf(),
      status: {
        phase: 'Running',
        containerStatuses: [
          {
            name: 'a',
            image: 'x',
            imageID: 'y',
            ready: true,
            restartCount: 4,
            containerID: 'crun://x',
            state: { running: {} },
          },
        ],
      },
    },
    seen([], { sandboxes: [] }),
    { actions: ['createSandbox 0', 'pullImage a 5'] },
  ],
];

test('planPod, row by row', () => {
  for (const [title, pod, observed, expected] of ROWS) {
    assert.deepEqual(told(planPod(pod, observed, NOW)), expected, title);
  }
});

test('restart delays: at once, 10 s doubling to 300 s, forgotten after ten minutes of running', () => {
  const after = (streak: number, ranMs: number): number => {
    const state = {
      kind: 'exited',
      startedAtMs: NOW - ranMs,
      finishedAtMs: NOW,
      exitCode: 1,
      reason: 'Error',
      message: '',
    } as const;
    return (restartOf(state, streak).atMs - NOW) / SECOND;
  };
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 60].map((streak) => after(streak, SECOND)),
    [0, 10, 20, 40, 80, 160, 300, 300],
  );
  assert.equal(after(7, 600 * SECOND), 0);
  assert.equal(after(7, 599 * SECOND), 300);
  assert.deepEqual([10_000, 80_000, 300_000].map(goDuration), ['10s', '1m20s', '5m0s']);
});

type StatusRow = readonly [
  title: string,
  pod: Pod,
  observed: Observed,
  expected: Readonly<Record<string, unknown>>,
];

/** "waiting PodInitializing", "running", "terminated Error 1" */
function stateText(pod: Pod, observed: Observed): Readonly<Record<string, unknown>> {
  const status = podStatus(pod, observed, NOW);
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const text = ({ state }: (typeof all)[number]): string => {
    if (state?.waiting !== undefined) return `waiting ${state.waiting.reason}`;
    if (state?.terminated !== undefined)
      return `terminated ${state.terminated.reason} ${state.terminated.exitCode}`;
    return 'running';
  };
  return { phase: status.phase, ...Object.fromEntries(all.map((one) => [one.name, text(one)])) };
}

const failedPull = (times: number): Partial<Observed> => ({
  notes: notes({
    steps: new Map([
      ['pullImage a 0 busybox:1', { times, atMs: NOW, problem: { reason: 'ErrImagePull', message: 'no' } }],
    ]),
  }),
});

const STATUS_ROWS: readonly StatusRow[] = [
  ['nothing yet', podOf(), seen([]), { phase: 'Pending', a: 'waiting ContainerCreating' }],
  [
    'with init containers',
    podOf({ initContainers: [init] }),
    seen([]),
    { phase: 'Pending', init: 'waiting PodInitializing', a: 'waiting PodInitializing' },
  ],
  ['running', podOf(), seen([instance(a, running)]), { phase: 'Running', a: 'running' }],
  [
    'one of two never ran',
    podOf({ containers: [a, b] }),
    seen([instance(a, running)]),
    { phase: 'Pending', a: 'running', b: 'waiting ContainerCreating' },
  ],
  [
    'a restart that is due',
    podOf(),
    seen([instance(a, exited(1))]),
    { phase: 'Running', a: 'terminated Error 1' },
  ],
  [
    'a restart that waits',
    podOf(),
    seen([instance(a, exited(1), { attempt: 1 })]),
    { phase: 'Running', a: 'waiting CrashLoopBackOff' },
  ],
  ['a failed pull', podOf(), seen([], failedPull(1)), { phase: 'Pending', a: 'waiting ErrImagePull' }],
  [
    'a pull that failed again',
    podOf(),
    seen([], failedPull(2)),
    { phase: 'Pending', a: 'waiting ImagePullBackOff' },
  ],
  [
    'ended, the sandbox still up',
    podOf({ restartPolicy: 'Never' }),
    seen([instance(a, exited(0))]),
    { phase: 'Running', a: 'terminated Completed 0' },
  ],
  [
    'ended',
    podOf({ restartPolicy: 'Never' }),
    seen([instance(a, exited(0))], { sandboxes: [dead] }),
    { phase: 'Succeeded', a: 'terminated Completed 0' },
  ],
  [
    'one failed',
    podOf({ restartPolicy: 'Never', containers: [a, b] }),
    seen([instance(a, exited(0)), instance(b, exited(2))], { sandboxes: [dead] }),
    { phase: 'Failed', a: 'terminated Completed 0', b: 'terminated Error 2' },
  ],
  [
    'a failed init container',
    podOf({ restartPolicy: 'Never', initContainers: [init] }),
    seen([instance(init, exited(1))], { sandboxes: [dead] }),
    { phase: 'Failed', init: 'terminated Error 1', a: 'terminated ContainerStatusUnknown 137' },
  ],
  [
    'terminated before it ran',
    deleting(podOf(), 30, 0),
    seen([], { sandboxes: [dead] }),
    { phase: 'Failed', a: 'terminated ContainerStatusUnknown 137' },
  ],
  [
    'terminated well',
    deleting(podOf(), 30, 0),
    seen([instance(a, exited(0))], { sandboxes: [dead] }),
    { phase: 'Succeeded', a: 'terminated Completed 0' },
  ],
  [
    'Succeeded stays',
    { ...podOf(), status: { phase: 'Succeeded' } },
    seen([instance(a, exited(1))], { sandboxes: [dead] }),
    { phase: 'Succeeded', a: 'terminated Error 1' },
  ],
];

test('podStatus, row by row', () => {
  for (const [title, pod, observed, expected] of STATUS_ROWS) {
    assert.deepEqual(stateText(pod, observed), expected, title);
  }
});

test('conditions keep their transition time until their status changes, and others’ conditions stay', () => {
  const pod: Pod = {
    ...podOf({ readinessGates: [{ conditionType: 'example.com/gate' }] }, { generation: 3 }),
    status: {
      conditions: [
        { type: 'PodScheduled', status: 'True', lastTransitionTime: '2029-01-01T00:00:00Z' },
        { type: 'Ready', status: 'True', lastTransitionTime: '2029-01-01T00:00:00Z' },
        { type: 'example.com/gate', status: 'False' },
      ],
    },
  };
  const { conditions = [], observedGeneration } = podStatus(pod, seen([instance(a, running)]), NOW);
  const byType = new Map(conditions.map((one) => [one.type, one]));
  assert.equal(observedGeneration, 3);
  assert.equal(byType.get('PodScheduled')?.lastTransitionTime, '2029-01-01T00:00:00Z');
  assert.deepEqual(byType.get('Ready'), {
    type: 'Ready',
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message: 'the status of pod readiness gate "example.com/gate" is not "True", but False',
    lastTransitionTime: '2030-01-01T00:00:00Z',
    observedGeneration: 3,
  });
  assert.equal(byType.get('ContainersReady')?.status, 'True');
  assert.deepEqual(byType.get('example.com/gate'), { type: 'example.com/gate', status: 'False' });
});

test('a merge patch tells exactly the difference', () => {
  assert.equal(mergePatch({ a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] }, d: undefined }), undefined);
  assert.deepEqual(mergePatch({ a: 1, b: { c: [1], d: 2 } }, { b: { c: [2], d: 2 }, e: 3 }), {
    a: null,
    b: { c: [2] },
    e: 3,
  });
  assert.deepEqual(mergePatch(undefined, { a: 1 }), { a: 1 });
});
