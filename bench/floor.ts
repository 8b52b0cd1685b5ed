// The floor: the same OCI and network work for the same pod, bare. No API, no store, no agent, no records, no undo: runtime,
// conmon, netlink and mounts, driven as tightly as this process can. The bundles are those the engine writes, taken
// from one pod it made and put back under new names, so that runtime and kernel have exactly the same to do.
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { podUid } from '../src/base/brand.ts';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { type Cgroups, createCgroups } from '../src/machine/cgroups/cgroups.ts';
import { createUnderConmon, onConmonEnd } from '../src/machine/conmon.ts';
import { createImageStore } from '../src/machine/images/image-store.ts';
import { ensurePauseRootfs } from '../src/machine/images/pause-rootfs.ts';
import { mountRootfs, unmountRootfs } from '../src/machine/images/rootfs.ts';
import { containerDir, type MachineDirs, sandboxDir } from '../src/machine/layout.ts';
import { createLinuxMachine, type LinuxMachine } from '../src/machine/linux-machine.ts';
import type { ContainerConfig } from '../src/machine/model/container.ts';
import type { SandboxConfig } from '../src/machine/model/sandbox.ts';
import { createBridgeNetwork } from '../src/machine/network/bridge-network.ts';
import type { Network } from '../src/machine/network/network.ts';
import { forgetContainer, type Runtime, runtimeArgs, runtimeStart } from '../src/machine/runtime/runtime.ts';
import { makeFifo, openFifoReader } from '../src/machine/system/fifo.ts';
import { MS, mount, unmountAside } from '../src/machine/system/libc.ts';
import { killAndWait } from '../src/machine/system/processes.ts';
import { findProgram, runProgramChecked, startProgram } from '../src/machine/system/spawn.ts';
import { IMAGES } from '../test/lib/engine.ts';
import { BUSYBOX } from '../test/lib/manifests.ts';
import type { Contestant } from './contestant.ts';
import type { BenchOptions } from './options.ts';

const TEMPLATE = podUid('floor-template');

type Bench = {
  readonly root: string;
  readonly dirs: MachineDirs;
  readonly machine: LinuxMachine;
  readonly network: Network;
  readonly runtime: Runtime;
  readonly layers: readonly string[];
  readonly imageId: string;
  readonly cgroups: Cgroups;
};

async function prepare({ runtime: wanted }: BenchOptions): Promise<Bench> {
  const root = mkdtempSync('/var/tmp/podwright-floor-');
  const dirs = { dataDir: join(root, 'data'), runDir: join(root, 'run'), logDir: join(root, 'log') };
  for (const dir of Object.values(dirs)) mkdirSync(dir);
  const instance = `fl${process.pid.toString(16)}`;
  const images = createImageStore({ dirs, log: silentLog });
  const signal = AbortSignal.timeout(60_000);
  const [image] = await images.load(join(IMAGES, 'busybox.tar'), { signal });
  const network = createBridgeNetwork({
    dirs,
    instance,
    podCidr: '10.236.0.0/24',
    serves: 'new pods',
    log: silentLog,
  });
  await network.start();
  const infra = { rootfs: await ensurePauseRootfs(images, { signal }), args: ['/pause'] };
  const machine = await createLinuxMachine({
    dirs,
    instance,
    network,
    images,
    infra,
    warmSandboxes: 0,
    runtime: wanted,
    clock: systemClock(),
    log: silentLog,
  });
  const runtime = { name: machine.runtime, path: findProgram(machine.runtime), root: join(root, 'runtime') };
  const imageId = image?.id ?? '';
  const cgroups = createCgroups(`podwright-${instance}`);
  return { root, dirs, machine, network, runtime, layers: await images.layers(imageId), imageId, cgroups };
}

const sandboxConfig: SandboxConfig = {
  pod: { uid: TEMPLATE, namespace: 'default', name: 'floor' },
  attempt: 0,
  hostname: 'floor',
  namespaces: { network: 'pod', ipc: 'pod', pid: 'container' },
  portMappings: [],
  dns: 'node',
  hostAliases: [],
  sysctls: {},
  qosClass: 'BestEffort',
  podResources: {},
};

function containerConfig(name: string, imageId: string): ContainerConfig {
  return {
    pod: sandboxConfig.pod,
    sandboxAttempt: 0,
    name,
    attempt: 0,
    image: BUSYBOX,
    imageId,
    command: ['sh', '-c', 'exec sleep 3600'],
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
  };
}

type Bundles = { readonly infra: string; readonly infraPid: string; readonly containers: readonly string[] };

/** The config.json texts of one pod as the engine makes it. */
async function takeBundles({ machine, dirs, imageId }: Bench, containers: number): Promise<Bundles> {
  const signal = AbortSignal.timeout(60_000);
  const names = Array.from({ length: containers }, (_, index) => `c${index}`);
  await machine.createSandbox(sandboxConfig, signal);
  for (const name of names) await machine.createContainer(containerConfig(name, imageId), signal);
  const sandbox = sandboxDir(dirs, TEMPLATE, 0);
  const read = (dir: string): string => readFileSync(join(dir, 'config.json'), 'utf8');
  const bundles = {
    infra: read(sandbox),
    infraPid: readFileSync(join(sandbox, 'pid'), 'utf8').trim(),
    containers: names.map((name) => read(containerDir(dirs, { uid: TEMPLATE, name, attempt: 0 }))),
  };
  await machine.removePod(TEMPLATE);
  return bundles;
}

type BarePod = {
  readonly id: string;
  readonly dir: string;
  infraPid: number;
  readonly containers: { readonly id: string; readonly dir: string; pid: number; ended: Promise<void> }[];
};

const rename = (text: string, dirs: MachineDirs, pod: BarePod): string =>
  text
    .replaceAll(join(dirs.runDir, 'pods', TEMPLATE), pod.dir)
    .replaceAll(join(dirs.dataDir, 'pods', TEMPLATE), pod.dir)
    .replaceAll(TEMPLATE, pod.id);

async function bareUp(bench: Bench, bundles: Bundles, pod: BarePod): Promise<void> {
  const { runtime, network, dirs } = bench;
  const sandbox = join(pod.dir, 'sandboxes/0');
  mkdirSync(join(sandbox, 'shm'), { recursive: true });
  mount('shm', join(sandbox, 'shm'), 'tmpfs', MS.NOSUID | MS.NOEXEC | MS.NODEV, 'mode=1777,size=67108864');
  for (const file of ['hosts', 'hostname', 'resolv.conf']) writeFileSync(join(sandbox, file), '');
  writeFileSync(join(sandbox, 'config.json'), rename(bundles.infra, dirs, pod));
  makeFifo(join(sandbox, 'life'));
  const reader = openFifoReader(join(sandbox, 'life'));
  const life = openSync(join(sandbox, 'life'), constants.O_WRONLY);
  const args = [
    ...runtimeArgs(runtime),
    'run',
    '--detach',
    '--bundle',
    sandbox,
    '--pid-file',
    join(sandbox, 'pid'),
    pod.id,
  ];
  const created = await (await startProgram(runtime.path, args, { stdio: ['null', life, life] })).exited;
  if (created !== 0) throw new Error(`bare infra container: ${runtime.name} run: exit code ${created}`);
  closeSync(life);
  if (reader !== undefined) closeSync(reader);
  pod.infraPid = Number(readFileSync(join(sandbox, 'pid'), 'utf8'));
  const netnsPath = `/proc/${pod.infraPid}/ns/net`;
  const identity = { ...sandboxConfig.pod, uid: podUid(pod.id) };
  await network.add(
    { pod: identity, sandboxId: pod.id, netnsPath, portMappings: [] },
    AbortSignal.timeout(60_000),
  );
  await Promise.all(pod.containers.map((_, index) => bareContainer(bench, bundles, { pod, index })));
}

async function bareContainer(
  { runtime, layers, dirs, root }: Bench,
  bundles: Bundles,
  { pod, index }: { readonly pod: BarePod; readonly index: number },
): Promise<void> {
  const container = pod.containers[index];
  const text = bundles.containers[index];
  if (container === undefined || text === undefined) throw new Error('no such container');
  const { dir: bundle, id } = container;
  mkdirSync(bundle, { recursive: true });
  const own = join(bundle, 'layer');
  mkdirSync(own);
  const target = join(bundle, 'rootfs');
  await mountRootfs({ layers, upperDir: join(own, 'upper'), workDir: join(own, 'work'), target });
  writeFileSync(join(bundle, 'termination-log'), '');
  const config = rename(text, dirs, pod).replaceAll(`/proc/${bundles.infraPid}/`, `/proc/${pod.infraPid}/`);
  writeFileSync(join(bundle, 'config.json'), config);
  const request = {
    runtime,
    id,
    name: `c${index}`,
    bundle,
    logPath: join(pod.dir, `c${index}.log`),
    exitsDir: root,
    stdin: false,
    stdinOnce: false,
    tty: false,
  };
  container.pid = await createUnderConmon(request, async () => {}, AbortSignal.timeout(60_000));
  container.ended = new Promise((resolve) => onConmonEnd(bundle, resolve));
  await runtimeStart(runtime, id);
}

async function bareDown({ runtime, network, cgroups }: Bench, pod: BarePod): Promise<void> {
  await killAndWait([...pod.containers.map(({ pid }) => pid), pod.infraPid]);
  await Promise.all(pod.containers.map(({ ended }) => ended));
  for (const { id, dir } of pod.containers) {
    await unmountRootfs(join(dir, 'rootfs'));
    await forgetContainer(runtime, id);
  }
  await forgetContainer(runtime, pod.id);
  await unmountAside(join(pod.dir, 'sandboxes/0/shm'));
  await network.remove({ pod: sandboxConfig.pod, sandboxId: pod.id, portMappings: [] });
  rmSync(pod.dir, { recursive: true });
  await cgroups.remove(cgroups.podPath(podUid(pod.id), 'BestEffort'));
}

/** Each round is a pod of a new name, as the engine's are. */
export async function openFloor(
  containers: number,
  options: BenchOptions,
): Promise<Contestant & { readonly runtime: string }> {
  const bench = await prepare(options);
  const bundles = await takeBundles(bench, containers);
  let round = 0;
  let pod: BarePod | undefined;
  const nextPod = (): BarePod => {
    const id = `floor-${round++}`;
    const dir = join(bench.root, 'pods', id);
    const names = Array.from({ length: containers }, (_, index) => `c${index}`);
    return {
      id,
      dir,
      infraPid: 0,
      containers: names.map((name) => ({
        id: `${id}_${name}`,
        dir: join(dir, 'containers', name, '0'),
        pid: 0,
        ended: Promise.resolve(),
      })),
    };
  };
  return {
    name: 'bare floor',
    runtime: bench.runtime.name,
    up: async () => {
      pod = nextPod();
      await bareUp(bench, bundles, pod);
    },
    down: async () => {
      if (pod === undefined) throw new Error('no bare pod is up');
      await bareDown(bench, pod);
    },
    exec: async (command) => {
      const id = pod?.containers[0]?.id ?? '';
      await runProgramChecked(bench.runtime.path, [...runtimeArgs(bench.runtime), 'exec', id, ...command]);
    },
    close: async () => {
      await bench.machine.close();
      await bench.network.tearDown();
      rmSync(bench.root, { recursive: true, force: true });
    },
  };
}
