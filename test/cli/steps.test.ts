import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newSteps, outcomeOf, stepsOf } from '../../src/cli/steps.ts';
import type { ContainerState, ContainerStatus, Pod, PodCondition } from '../../src/kube/api-types.ts';

const IMAGE = 'sha256:abc';
const yes = (type: string): PodCondition => ({ type, status: 'True' });
const status = (
  name: string,
  state: ContainerState,
  more: Partial<ContainerStatus> = {},
): ContainerStatus => ({
  name,
  state,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});

type Shape = {
  readonly phase?: string;
  readonly reason?: string;
  readonly conditions?: readonly PodCondition[];
  readonly inits?: readonly ContainerStatus[];
  readonly apps?: readonly ContainerStatus[];
  readonly deleted?: true;
  readonly generation?: readonly [of: number, seen: number];
};

/** A pod with the init container "copy", the sidecar "log" and the app "web" of another image. */
function podOf({
  phase = 'Pending',
  reason,
  conditions = [],
  inits = [],
  apps = [],
  deleted,
  generation,
}: Shape): Pod {
  return {
    metadata: {
      name: 'p',
      uid: 'u',
      ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
      ...(generation ? { generation: generation[0] } : {}),
    },
    spec: {
      nodeName: conditions.some((one) => one.type === 'PodScheduled' && one.status === 'True')
        ? 'n1'
        : undefined,
      initContainers: [
        { name: 'copy', image: 'tools' },
        { name: 'log', image: 'tools', restartPolicy: 'Always' },
      ],
      containers: [{ name: 'web', image: 'tomcat' }],
    },
    status: {
      phase,
      reason,
      conditions,
      initContainerStatuses: inits,
      containerStatuses: apps,
      podIP: conditions.some(({ type }) => type === 'PodReadyToStartContainers') ? '10.0.0.2' : undefined,
      ...(generation ? { observedGeneration: generation[1] } : {}),
    },
  };
}

const SANDBOX = [yes('PodScheduled'), yes('PodReadyToStartContainers')];
const waiting = (reason: string, message?: string): ContainerState => ({ waiting: { reason, message } });
const done = (exitCode: number, more: object = {}): ContainerState => ({
  terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', ...more },
});
const running: ContainerState = { running: { startedAt: '2026-01-01T00:00:00Z' } };

/** A life as a watch would show it, and what each state adds. */
const LIFE: readonly (readonly [Shape, readonly string[]])[] = [
  [{}, []],
  [{ conditions: [yes('PodScheduled')] }, ['done scheduled on n1']],
  [
    {
      conditions: SANDBOX,
      inits: [status('copy', waiting('PodInitializing'))],
      apps: [status('web', waiting('PodInitializing'))],
    },
    ['done infra container running', 'done network 10.0.0.2'],
  ],
  [
    { conditions: SANDBOX, inits: [status('copy', running, { imageID: IMAGE })] },
    ['done image tools present', 'doing init container copy running'],
  ],
  [
    {
      conditions: SANDBOX,
      inits: [
        status('copy', done(0), { imageID: IMAGE }),
        status('log', running, { ready: true, started: true, imageID: IMAGE }),
      ],
    },
    ['done init container copy completed', 'done sidecar log ready'],
  ],
  [
    {
      conditions: SANDBOX,
      inits: [
        status('copy', done(0), { imageID: IMAGE }),
        status('log', running, { ready: true, imageID: IMAGE }),
      ],
      apps: [status('web', waiting('ErrImagePull', 'no such\n  host'))],
    },
    ['failed image tomcat ErrImagePull: no such host'],
  ],
  [
    {
      phase: 'Running',
      conditions: [...SANDBOX, yes('Ready')],
      inits: [
        status('copy', done(0), { imageID: IMAGE }),
        status('log', running, { ready: true, imageID: IMAGE }),
      ],
      apps: [status('web', running, { ready: true, imageID: IMAGE })],
    },
    ['done image tomcat present', 'done container web ready', 'done pod ready at 10.0.0.2'],
  ],
  [
    {
      phase: 'Running',
      conditions: SANDBOX,
      inits: [
        status('copy', done(0), { imageID: IMAGE }),
        status('log', running, { ready: true, imageID: IMAGE }),
      ],
      apps: [status('web', waiting('CrashLoopBackOff', 'back-off 10s'), { restartCount: 1, imageID: IMAGE })],
    },
    ['failed container web CrashLoopBackOff: back-off 10s'],
  ],
  [
    {
      phase: 'Running',
      conditions: [...SANDBOX, yes('Ready')],
      inits: [
        status('copy', done(0), { imageID: IMAGE }),
        status('log', running, { ready: true, imageID: IMAGE }),
      ],
      apps: [status('web', running, { ready: true, restartCount: 2, imageID: IMAGE })],
    },
    ['done container web ready, restarted 2 times', 'done pod ready at 10.0.0.2'],
  ],
];

it('a pod coming up is told step by step, each once', () => {
  let before = stepsOf({ spec: { containers: [] } });
  for (const [shape, expected] of LIFE) {
    const after = stepsOf(podOf(shape));
    assert.deepEqual(
      newSteps(before, after).map(({ state, name, detail }) => `${state} ${name} ${detail}`),
      expected,
    );
    assert.deepEqual(newSteps(after, after), []);
    before = after;
  }
});

describe('outcomeOf', () => {
  const cases: readonly (readonly [string, Shape, ReturnType<typeof outcomeOf>])[] = [
    [
      'not scheduled',
      {
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' },
        ],
      },
      { kind: 'pending', reason: 'scheduled: Unschedulable: 0/1 nodes' },
    ],
    ['nothing yet', {}, { kind: 'pending', reason: 'waiting for: scheduled' }],
    [
      'pull fails',
      { conditions: SANDBOX, apps: [status('web', waiting('ImagePullBackOff', 'm'))] },
      { kind: 'pending', reason: 'image tomcat: ImagePullBackOff: m' },
    ],
    ['ready', { phase: 'Running', conditions: [...SANDBOX, yes('Ready')] }, { kind: 'ready' }],
    [
      'ready of an older spec',
      { phase: 'Running', conditions: [yes('Ready')], generation: [2, 1] },
      { kind: 'pending', reason: 'the node has not seen the newest change yet' },
    ],
    [
      'ready of this spec',
      { phase: 'Running', conditions: [yes('Ready')], generation: [2, 2] },
      { kind: 'ready' },
    ],
    ['succeeded', { phase: 'Succeeded' }, { kind: 'succeeded' }],
    [
      'the first that failed decides',
      {
        phase: 'Failed',
        inits: [status('copy', done(7, { finishedAt: '2026-01-01T00:00:09Z' }))],
        apps: [status('web', done(3, { finishedAt: '2026-01-01T00:00:05Z' }))],
      },
      { kind: 'failed', reason: 'container web: exit code 3 (Error)', exitCode: 3 },
    ],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, { kind: 'failed', reason: 'Evicted', exitCode: 1 }],
  ];
  for (const [name, shape, expected] of cases)
    it(name, () => assert.deepEqual(outcomeOf(podOf(shape)), expected));
});

it('a container that was asked to end is stopped, not failed', () => {
  const apps = [status('web', { terminated: { exitCode: 143, reason: 'Error' } })];
  const steps = stepsOf(podOf({ phase: 'Failed', apps, deleted: true }));
  const tell = (name: string) => steps.find((step) => step.name === name);
  assert.deepEqual(tell('container web'), {
    name: 'container web',
    state: 'done',
    detail: 'stopped, exit code 143 (Error)',
  });
  assert.equal(tell('pod')?.detail, 'stopped');
  assert.ok(steps.every(({ state }) => state !== 'failed'));
});
