// What every Machine does, the real one and the fake one alike: told in terms of Machine only. A rig says how a machine is
// made, how a command for a wanted behaviour looks on it, and what is left on it afterwards.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type ContainerId, podUid } from '../../src/base/brand.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type {
  ContainerConfig,
  ContainerState,
  ObservedContainer,
} from '../../src/machine/model/container.ts';
import type { PodIdentity } from '../../src/machine/model/pod-identity.ts';
import type { SandboxConfig } from '../../src/machine/model/sandbox.ts';

export type Behaviour =
  | { readonly kind: 'exit'; readonly code: number; readonly print?: string }
  /** Runs until a signal; SIGTERM ends it with 143, or with code 0 where it is graceful. */
  | { readonly kind: 'run'; readonly graceful?: boolean }
  /** The command does not exist in the image. */
  | { readonly kind: 'missing' };

export type Rig = {
  readonly machine: Machine;
  /** In the machine's image store. */
  readonly imageId: string;
  command(behaviour: Behaviour): readonly string[];
  /** Resolves when a started `run` has got so far that it minds signals. */
  minds(machine: Machine, id: ContainerId): Promise<void>;
  /** The engine dies without a word; another takes over the same directories. */
  crash(): Promise<void>;
  /** What any pod still has on the machine; empty when clean. */
  traces(): readonly string[];
  end(): Promise<void>;
};

/** Longest wait for something that the machine tells by itself. */
const WAIT_MS = 60_000;

const never = (): AbortSignal => new AbortController().signal;

export function podIdentity(name: string): PodIdentity {
  return { uid: podUid(randomUUID()), namespace: 'default', name };
}

export function sandboxConfig(pod: PodIdentity, attempt = 0): SandboxConfig {
  return {
    pod,
    attempt,
    hostname: pod.name,
    namespaces: { network: 'pod', ipc: 'pod', pid: 'container' },
    portMappings: [],
    dns: { nameservers: ['192.0.2.53'], searches: ['example.test'], options: [] },
    hostAliases: [],
    sysctls: {},
    qosClass: 'BestEffort',
    podResources: {},
  };
}

export function containerConfig(
  pod: PodIdentity,
  what: Pick<ContainerConfig, 'name' | 'imageId'> & Partial<ContainerConfig>,
): ContainerConfig {
  return {
    pod,
    sandboxAttempt: 0,
    attempt: 0,
    image: 'busybox:1',
    env: [],
    mounts: [],
    resources: {},
    oomScoreAdj: 1000,
    security: {
      runAsNonRoot: false,
      supplementalGroups: [],
      privileged: false,
      readOnlyRootFilesystem: false,
      allowPrivilegeEscalation: true,
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: { kind: 'RuntimeDefault' },
      procMount: 'Default',
    },
    stdin: false,
    stdinOnce: false,
    tty: false,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    annotations: {},
    ...what,
  };
}

export function observed(machine: Machine, pod: PodIdentity, id: ContainerId): ObservedContainer {
  const found = machine.observe(pod.uid).containers.find((container) => container.id === id);
  assert.ok(found, `container ${id} is observed`);
  return found;
}

/** Waits for what the machine tells by onChange; fails with the last state. */
export async function eventually<T>(machine: Machine, what: string, look: () => T | undefined): Promise<T> {
  let undo = (): void => {};
  const found = await new Promise<T | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), WAIT_MS);
    const check = (): void => {
      const value = look();
      if (value === undefined) return;
      clearTimeout(timer);
      resolve(value);
    };
    undo = machine.onChange(check);
    check();
  });
  undo();
  assert.ok(found !== undefined, `in time: ${what}`);
  return found;
}

type Exited = Extract<ContainerState, { readonly kind: 'exited' }>;

export function exit(machine: Machine, pod: PodIdentity, id: ContainerId): Promise<Exited> {
  return eventually(machine, `${id} is exited`, () => {
    const { state } = observed(machine, pod, id);
    return state.kind === 'exited' ? state : undefined;
  });
}

export async function logText(machine: Machine, id: ContainerId, follow = false): Promise<string> {
  let text = '';
  for await (const chunk of machine.readLog(id, { follow, timestamps: false }, never()))
    text += String(chunk);
  return text;
}

export type Sink = {
  readonly stream: Writable;
  text(): string;
  /** Resolves once the words have been written. */
  until(words: string): Promise<void>;
};

export function sink(): Sink {
  let text = '';
  const written = new EventEmitter();
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      text += String(chunk);
      written.emit('text');
      done();
    },
  });
  const until = async (words: string): Promise<void> => {
    while (!text.includes(words)) await once(written, 'text', { signal: AbortSignal.timeout(WAIT_MS) });
  };
  return { stream, text: () => text, until };
}

export function machineContract(name: string, makeRig: () => Promise<Rig>): void {
  describe(`${name} keeps the contract of Machine`, { timeout: 600_000 }, () => {
    let rig: Rig;
    before(async () => {
      rig = await makeRig();
    });
    after(async () => rig.end());

    const startPod = async (podName: string): Promise<PodIdentity> => {
      const pod = podIdentity(podName);
      await rig.machine.createSandbox(sandboxConfig(pod), never());
      await rig.machine.setUpVolumes({ pod, volumes: [] }, never());
      return pod;
    };
    const run = async (
      pod: PodIdentity,
      containerName: string,
      behaviour: Behaviour,
    ): Promise<ContainerId> => {
      const { machine, imageId } = rig;
      const command = rig.command(behaviour);
      const id = await machine.createContainer(
        containerConfig(pod, { name: containerName, imageId, command }),
        never(),
      );
      await machine.startContainer(id);
      return id;
    };
    const removed = async (pod: PodIdentity): Promise<void> => {
      await rig.machine.removePod(pod.uid);
      assert.deepEqual(rig.machine.observe(pod.uid), { sandboxes: [], containers: [], volumes: [] });
      assert.ok(!rig.machine.pods().some((one) => one.uid === pod.uid));
      assert.deepEqual(rig.traces(), []);
    };

    test('an unknown pod has nothing, and its removal is harmless', async () => {
      const pod = podIdentity('nobody');
      assert.deepEqual(rig.machine.observe(pod.uid), { sandboxes: [], containers: [], volumes: [] });
      await rig.machine.stopSandbox(pod.uid, 0);
      await rig.machine.removeSandbox(pod.uid, 0);
      await rig.machine.removePod(pod.uid);
    });

    test('a sandbox is ready with an address, once, and is gone without a trace', async () => {
      const pod = await startPod('alone');
      const [sandbox, ...others] = rig.machine.observe(pod.uid).sandboxes;
      assert.equal(others.length, 0);
      assert.ok(sandbox?.state.kind === 'ready');
      assert.equal(sandbox.state.ips.length, 1);
      assert.deepEqual(rig.machine.pods(), [pod]);
      await rig.machine.createSandbox(sandboxConfig(pod), never());
      assert.equal(rig.machine.observe(pod.uid).sandboxes.length, 1);
      await removed(pod);
    });

    test('a container is created, runs, ends with its code, and leaves its log', async () => {
      const pod = await startPod('life');
      const { machine, imageId } = rig;
      const command = rig.command({ kind: 'exit', code: 3, print: 'hello' });
      const annotations = { note: 'kept' };
      const config = containerConfig(pod, { name: 'main', imageId, command, annotations });
      const id = await machine.createContainer(config, never());
      assert.equal(observed(machine, pod, id).state.kind, 'created');
      assert.equal(await machine.createContainer(config, never()), id);
      await machine.startContainer(id);
      const state = await exit(machine, pod, id);
      assert.deepEqual([state.exitCode, state.reason], [3, 'Error']);
      assert.ok((state.startedAtMs ?? 0) <= state.finishedAtMs + 1000);
      assert.equal(await logText(machine, id), 'hello\n');
      assert.deepEqual(observed(machine, pod, id).annotations, annotations);
      await machine.removeContainer(id, { log: 'keep' });
      assert.deepEqual(machine.observe(pod.uid).containers, []);
      await machine.removeContainer(id, { log: 'remove' });
      await removed(pod);
    });

    test('exit code 0 is Completed; a later attempt is another container', async () => {
      const pod = await startPod('again');
      const { machine, imageId } = rig;
      const command = rig.command({ kind: 'exit', code: 0 });
      for (const attempt of [0, 1]) {
        const config = containerConfig(pod, { name: 'main', imageId, command, attempt });
        const id = await machine.createContainer(config, never());
        await machine.startContainer(id);
        assert.equal((await exit(machine, pod, id)).reason, 'Completed');
      }
      assert.deepEqual(
        machine.observe(pod.uid).containers.map((container) => container.attempt),
        [0, 1],
      );
      await removed(pod);
    });

    test('a signal reaches PID 1, and the first one of a stop is remembered', async () => {
      const pod = await startPod('signals');
      const { machine } = rig;
      const graceful = await run(pod, 'graceful', { kind: 'run', graceful: true });
      const stubborn = await run(pod, 'stubborn', { kind: 'run' });
      assert.equal(observed(machine, pod, graceful).state.kind, 'running');
      assert.equal(observed(machine, pod, graceful).stopSignalledAtMs, undefined);
      await rig.minds(machine, graceful);
      await machine.signalContainer(graceful, 'SIGTERM');
      assert.ok(observed(machine, pod, graceful).stopSignalledAtMs !== undefined);
      assert.equal((await exit(machine, pod, graceful)).exitCode, 0);
      await machine.signalContainer(stubborn, 'SIGKILL');
      assert.equal((await exit(machine, pod, stubborn)).exitCode, 137);
      // After the end it is harmless.
      await machine.signalContainer(stubborn, 'SIGTERM');
      await removed(pod);
    });

    test('the resources of a running container change in place, and are remembered', async () => {
      const pod = await startPod('resized');
      const id = await run(pod, 'app', { kind: 'run' });
      const resources = { cpuRequestMilli: 100, cpuLimitMilli: 200, memoryLimitBytes: 64 * 1024 * 1024 };
      await rig.machine.updateContainerResources(id, resources, {});
      const ofPod = { cpuRequestMilli: 200, cpuLimitMilli: 300, memoryLimitBytes: 128 * 1024 * 1024 };
      await rig.machine.updatePodResources(pod.uid, ofPod);
      await rig.crash();
      const { machine } = rig;
      assert.deepEqual(machine.observe(pod.uid).sandboxes[0]?.podResources, ofPod);
      assert.deepEqual(observed(machine, pod, id).resources, resources);
      assert.equal(observed(machine, pod, id).state.kind, 'running');
      await removed(pod);
    });

    test('a command that does not exist fails at start and is exited with StartError', async () => {
      const pod = await startPod('missing');
      const { machine, imageId } = rig;
      const command = rig.command({ kind: 'missing' });
      const id = await machine.createContainer(
        containerConfig(pod, { name: 'main', imageId, command }),
        never(),
      );
      await assert.rejects(machine.startContainer(id), { code: 'StartFailed' });
      const state = await exit(machine, pod, id);
      assert.deepEqual([state.exitCode, state.reason], [128, 'StartError']);
      await removed(pod);
    });

    test('a container without a ready sandbox is refused and leaves nothing', async () => {
      const pod = podIdentity('nowhere');
      const { machine, imageId } = rig;
      const command = rig.command({ kind: 'run' });
      await assert.rejects(
        machine.createContainer(containerConfig(pod, { name: 'main', imageId, command }), never()),
        {
          code: 'CreateFailed',
        },
      );
      assert.deepEqual(machine.observe(pod.uid).containers, []);
      await removed(pod);
    });

    test('stopping the sandbox ends its containers; another one takes its place', async () => {
      const pod = await startPod('second');
      const { machine } = rig;
      const id = await run(pod, 'main', { kind: 'run' });
      await machine.stopSandbox(pod.uid, 0);
      await machine.stopSandbox(pod.uid, 0);
      assert.equal(machine.observe(pod.uid).sandboxes[0]?.state.kind, 'notReady');
      assert.equal((await exit(machine, pod, id)).exitCode, 137);
      await machine.createSandbox(sandboxConfig(pod, 1), never());
      assert.deepEqual(
        machine.observe(pod.uid).sandboxes.map((sandbox) => sandbox.state.kind),
        ['notReady', 'ready'],
      );
      await machine.removeSandbox(pod.uid, 0);
      assert.deepEqual(machine.observe(pod.uid).containers, []);
      await removed(pod);
    });

    test('a new engine on the same directories tells the same, and keeps being told', async () => {
      const pod = await startPod('adopted');
      const running = await run(pod, 'running', { kind: 'run' });
      const ended = await run(pod, 'ended', { kind: 'exit', code: 4 });
      await exit(rig.machine, pod, ended);
      const command = rig.command({ kind: 'run', graceful: true });
      const { imageId } = rig;
      const waiting = await rig.machine.createContainer(
        containerConfig(pod, { name: 'waiting', imageId, command }),
        never(),
      );
      const told = rig.machine.observe(pod.uid);
      await rig.crash();
      assert.deepEqual(rig.machine.observe(pod.uid), told);
      await rig.machine.startContainer(waiting);
      await rig.minds(rig.machine, waiting);
      await rig.machine.signalContainer(waiting, 'SIGTERM');
      assert.equal((await exit(rig.machine, pod, waiting)).exitCode, 0);
      await rig.machine.signalContainer(running, 'SIGKILL');
      assert.equal((await exit(rig.machine, pod, running)).exitCode, 137);
      await removed(pod);
    });

    test('the removal of a pod with everything running in it leaves nothing', async () => {
      const pod = await startPod('busy');
      for (const containerName of ['one', 'two', 'three']) await run(pod, containerName, { kind: 'run' });
      await removed(pod);
    });
  });
}
