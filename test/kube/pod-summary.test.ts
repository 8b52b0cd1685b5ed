import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ageText, parseDurationMs } from '../../src/kube/age.ts';
import type { ContainerState, ContainerStatus, Pod } from '../../src/kube/api-types.ts';
import { podSummary } from '../../src/kube/pod-summary.ts';

const status = (
  name: string,
  state: ContainerState,
  more: Partial<ContainerStatus> = {},
): ContainerStatus => ({
  name,
  state,
  ready: state.running !== undefined,
  restartCount: 0,
  image: 'i',
  imageID: 'sha256:i',
  started: state.running !== undefined,
  ...more,
});
const running = { running: {} };
const waiting = (reason: string): ContainerState => ({ waiting: { reason } });
const exited = (exitCode: number, reason?: string): ContainerState => ({ terminated: { exitCode, reason } });

type Shape = {
  readonly phase: string;
  readonly apps: readonly ContainerStatus[];
  readonly inits?: readonly (ContainerStatus & { readonly sidecar?: boolean })[];
  readonly deleted?: boolean;
};

function podOf({ phase, apps, inits = [], deleted = false }: Shape): Pod {
  return {
    metadata: deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {},
    spec: {
      containers: apps.map(({ name }) => ({ name })),
      initContainers: inits.map(({ name, sidecar }) => ({
        name,
        ...(sidecar ? { restartPolicy: 'Always' } : {}),
      })),
    },
    status: { phase, containerStatuses: apps, initContainerStatuses: inits },
  };
}

describe('podSummary speaks as kubectl get pods', () => {
  const sidecar = { ...status('s', running), sidecar: true };
  const cases: readonly (readonly [string, Shape, string, string])[] = [
    ['running', { phase: 'Running', apps: [status('a', running)] }, '1/1', 'Running'],
    [
      'creating',
      { phase: 'Pending', apps: [status('a', waiting('ContainerCreating'))] },
      '0/1',
      'ContainerCreating',
    ],
    ['no status yet', { phase: 'Pending', apps: [] }, '0/0', 'Pending'],
    [
      'first init',
      {
        phase: 'Pending',
        apps: [status('a', waiting('PodInitializing'))],
        inits: [status('i', running), status('j', waiting('PodInitializing'))],
      },
      '0/1',
      'Init:0/2',
    ],
    [
      'second init fails',
      {
        phase: 'Pending',
        apps: [status('a', waiting('PodInitializing'))],
        inits: [status('i', exited(0)), status('j', exited(3, 'Error'))],
      },
      '0/1',
      'Init:Error',
    ],
    [
      'init backs off',
      { phase: 'Pending', apps: [], inits: [status('i', waiting('CrashLoopBackOff'))] },
      '0/0',
      'Init:CrashLoopBackOff',
    ],
    [
      'sidecar started, app crashed',
      { phase: 'Running', apps: [status('a', waiting('CrashLoopBackOff'))], inits: [sidecar] },
      '1/2',
      'CrashLoopBackOff',
    ],
    ['all done', { phase: 'Succeeded', apps: [status('a', exited(0, 'Completed'))] }, '0/1', 'Completed'],
    [
      'killed',
      { phase: 'Failed', apps: [status('a', { terminated: { exitCode: 137, signal: 9 } })] },
      '0/1',
      'Signal:9',
    ],
    [
      'one completed, one runs, not ready',
      { phase: 'Running', apps: [status('a', exited(0, 'Completed')), status('b', running)] },
      '1/2',
      'NotReady',
    ],
    ['going', { phase: 'Running', apps: [status('a', running)], deleted: true }, '1/1', 'Terminating'],
  ];
  for (const [name, shape, ready, text] of cases) {
    it(name, () => {
      const summary = podSummary(podOf(shape));
      assert.deepEqual([`${summary.ready}/${summary.total}`, summary.status], [ready, text]);
    });
  }

  it('adds restarts up and knows the last', () => {
    const lastState = { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:10Z' } };
    const summary = podSummary(
      podOf({
        phase: 'Running',
        apps: [
          status('a', running, { restartCount: 2, lastState }),
          status('b', running, { restartCount: 1 }),
        ],
      }),
    );
    assert.deepEqual([summary.restarts, summary.lastRestartAtMs], [3, Date.parse('2026-01-01T00:00:10Z')]);
  });
});

it('ageText is as short as kubectl makes it', () => {
  const cases: Record<string, number> = {
    '0s': -5,
    '42s': 42,
    '119s': 119,
    '2m': 120,
    '3m7s': 187,
    '12m': 720,
    '179m': 10_799,
    '3h': 10_800,
    '5h10m': 18_600,
    '20h': 72_000,
    '2d': 172_800,
    '3d4h': 273_600,
    '20d': 1_728_000,
    '2y30d': 65_664_000,
    '9y': 283_824_000,
  };
  for (const [text, seconds] of Object.entries(cases)) assert.equal(ageText(seconds * 1000), text);
});

it('parseDurationMs reads Go durations and bare seconds', () => {
  const cases: Record<string, number | undefined> = {
    '90': 90_000,
    '90s': 90_000,
    '1h30m': 5_400_000,
    '500ms': 500,
    '1.5s': 1500,
    '': undefined,
    '5 m': undefined,
    '1d': undefined,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDurationMs(text), ms, text);
});
