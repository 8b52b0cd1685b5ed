// What `kubectl describe pod` shows of each failure: the container's state and the events, in the kubelet's words
// (pkg/kubelet/events, images, container, kuberuntime). On the fake machine; test/engine has the same on real ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PodwrightError } from '../../src/base/errors.ts';
import type { Container, PodSpec } from '../../src/kube/api-types.ts';
import type { Behaviour, Call, FakeOptions } from './fake-machine.ts';
import { container, podOf, World } from './world.ts';

type Case = {
  readonly what: string;
  readonly spec?: Partial<PodSpec>;
  readonly container?: Partial<Container>;
  readonly behaviour?: Behaviour;
  readonly fails?: { readonly call: string; readonly with: PodwrightError };
  readonly isPulled?: false;
  readonly afterMs: number;
  /** Of the container; of the pod where the container has none. */
  readonly state: string;
  /** Without those of a pod that goes well. */
  readonly events: readonly string[];
};

const isOrdinary = (line: string): boolean => /^Normal (Pulling|Pulled|Created|Started)/.test(line);
const refused = (code: 'ConfigFailed' | 'CreateFailed' | 'NetworkFailed' | 'MountFailed', message: string) =>
  new PodwrightError(code, message);

const CASES: readonly Case[] = [
  {
    what: 'ErrImagePull',
    isPulled: false,
    afterMs: 100,
    state: 'ErrImagePull: pull image busybox:1: manifest unknown',
    events: [
      'Warning Failed: Failed to pull image "busybox:1": pull image busybox:1: manifest unknown',
      'Warning Failed: Error: ErrImagePull',
    ],
  },
  {
    what: 'ImagePullBackOff',
    isPulled: false,
    afterMs: 12_000,
    state:
      'ImagePullBackOff: Back-off pulling image "busybox:1": ErrImagePull: pull image busybox:1: manifest unknown',
    events: [
      'Warning Failed: Failed to pull image "busybox:1": pull image busybox:1: manifest unknown',
      'Warning Failed: Error: ErrImagePull',
      'Normal BackOff: Back-off pulling image "busybox:1"',
      'Warning Failed: Error: ImagePullBackOff',
    ],
  },
  {
    what: 'InvalidImageName',
    container: { image: 'Not:A:Name' },
    afterMs: 100,
    state:
      'InvalidImageName: Failed to apply default image tag "Not:A:Name": couldn\'t parse image name "Not:A:Name": invalid reference format',
    events: [
      'Warning InspectFailed: Failed to apply default image tag "Not:A:Name": couldn\'t parse image name "Not:A:Name": invalid reference format',
      'Warning Failed: Error: InvalidImageName',
    ],
  },
  {
    what: 'ErrImageNeverPull',
    container: { imagePullPolicy: 'Never' },
    afterMs: 100,
    state: 'ErrImageNeverPull: Container image "busybox:1" is not present with pull policy of Never',
    events: [
      'Warning ErrImageNeverPull: Container image "busybox:1" is not present with pull policy of Never',
      'Warning Failed: Error: ErrImageNeverPull',
    ],
  },
  {
    what: 'CreateContainerConfigError',
    container: { envFrom: [{ configMapRef: { name: 'absent' } }] },
    afterMs: 100,
    state: 'CreateContainerConfigError: configmap "absent" not found',
    events: ['Warning Failed: Error: configmap "absent" not found'],
  },
  {
    what: 'CreateContainerError',
    fails: { call: 'createContainer', with: refused('CreateFailed', 'crun: no such thing') },
    afterMs: 100,
    state: 'CreateContainerError: crun: no such thing',
    events: ['Warning Failed: Error: crun: no such thing'],
  },
  {
    what: 'RunContainerError',
    behaviour: { startError: 'exec: "nosuch": executable file not found in $PATH' },
    afterMs: 1_000,
    state: 'RunContainerError: exec: "nosuch": executable file not found in $PATH',
    events: ['Warning Failed: Error: exec: "nosuch": executable file not found in $PATH'],
  },
  {
    what: 'CrashLoopBackOff',
    behaviour: { runMs: 100, exitCode: 1 },
    afterMs: 5_000,
    state:
      'CrashLoopBackOff: back-off 10s restarting failed container=a pod=p_default(uid-p), next restart at 2030-01-01T00:00:10Z',
    events: [
      'Warning BackOff: Back-off restarting failed container a in pod p_default(uid-p), next restart at 2030-01-01T00:00:10Z',
    ],
  },
  {
    what: 'PostStartHookError',
    container: { lifecycle: { postStart: { exec: { command: ['false'] } } } },
    behaviour: { sigtermMs: 100, exec: () => ({ ms: 1, exitCode: 1 }) },
    afterMs: 1_000,
    state: 'PostStartHookError: PostStartHook failed',
    events: ['Warning FailedPostStartHook: PostStartHook failed', 'Normal Killing: FailedPostStartHook'],
  },
  {
    what: 'Unhealthy and Killing',
    container: {
      livenessProbe: {
        exec: { command: ['check'] },
        periodSeconds: 1,
        failureThreshold: 1,
        timeoutSeconds: 1,
        initialDelaySeconds: 1,
      },
    },
    behaviour: { sigtermMs: 100, exec: () => ({ ms: 1, exitCode: 1 }) },
    afterMs: 1_500,
    state: 'running',
    events: [
      'Warning Unhealthy: Liveness probe failed: ',
      'Normal Killing: Container a failed liveness probe, will be restarted',
    ],
  },
  {
    what: 'FailedMount',
    spec: { volumes: [{ name: 'v', configMap: { name: 'absent' } }] },
    afterMs: 100,
    state: 'ContainerCreating',
    events: ['Warning FailedMount: MountVolume.SetUp failed for volume "v" : configmap "absent" not found'],
  },
  {
    what: 'FailedCreatePodSandBox',
    fails: { call: 'createSandbox', with: refused('NetworkFailed', 'no address is left') },
    afterMs: 100,
    state: 'ContainerCreating',
    events: ['Warning FailedCreatePodSandBox: Failed to create pod sandbox: no address is left'],
  },
  {
    what: 'DeadlineExceeded',
    spec: { activeDeadlineSeconds: 5 },
    afterMs: 10_000,
    state: 'Error',
    events: [
      'Normal Killing: Stopping container a',
      'Normal DeadlineExceeded: Pod was active on the node longer than the specified deadline',
    ],
  },
];

for (const one of CASES) {
  test(`${one.what}: state and events`, async () => {
    const { behaviour, fails, isPulled } = one;
    const options: Omit<FakeOptions, 'clock'> = {
      ...(behaviour === undefined ? {} : { behaviour: () => behaviour }),
      registryHas: () => isPulled !== false,
      failure: (call: Call) => (call.name === fails?.call ? fails.with : undefined),
    };
    const world = new World(options);
    await world.start();
    await world.create(podOf({ ...one.spec, containers: [container('a', one.container)] }));
    await world.clock.advance(one.afterMs);
    const { waiting, running, terminated } = world.status('a').state ?? {};
    const state =
      running !== undefined
        ? 'running'
        : (terminated?.reason ?? [waiting?.reason, waiting?.message].filter((text) => text).join(': '));
    const events = world
      .events()
      .map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
      .filter((line) => !isOrdinary(line));
    assert.deepEqual({ state, events }, { state: one.state, events: one.events });
    await world.stop();
  });
}
