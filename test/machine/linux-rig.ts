// A real machine in directories of its own, with Debian's static busybox as its only image.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerId } from '../../src/base/brand.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { OciImageConfig, RootfsSource } from '../../src/machine/images/rootfs.ts';
import type { MachineDirs } from '../../src/machine/layout.ts';
import { createLinuxMachine, type LinuxMachineOptions } from '../../src/machine/linux-machine.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { ImageStore } from '../../src/machine/model/image.ts';
import { createBridgeNetwork } from '../../src/machine/network/bridge-network.ts';
import type { Network } from '../../src/machine/network/network.ts';
import type { RuntimeName } from '../../src/machine/runtime/runtime.ts';
import { eventually } from '../lib/engine.ts';
import { traces, tracesOfPods } from '../lib/leaks.ts';
import type { Behaviour, Rig } from './machine-contract.ts';

export type LinuxRig = Rig & {
  readonly dirs: MachineDirs;
  readonly instance: string;
  readonly parts: RigParts;
};

const PAUSE_SOURCE = join(
  import.meta.dirname,
  `../../images/pause/pause-${execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim()}.s`,
);

function makeBusybox(dir: string): void {
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(dir, name), { recursive: true });
  copyFileSync('/bin/busybox', join(dir, 'bin/busybox'));
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(dir, 'bin', applet));
  }
  writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/srv:/bin/sh\n');
  writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nweb:x:1000:\nlogs:x:2000:web\n');
  writeFileSync(join(dir, 'plain-file'), 'not a program\n');
}

function makePause(dir: string): void {
  for (const name of ['proc', 'dev', 'sys']) mkdirSync(join(dir, name), { recursive: true });
  execFileSync('as', ['-o', join(dir, 'pause.o'), PAUSE_SOURCE]);
  execFileSync('ld', ['-o', join(dir, 'pause'), join(dir, 'pause.o')]);
}

export const IMAGE_ID = 'sha256:busybox';

function stubImages(layer: string): ImageStore & RootfsSource {
  const refuse = (): Promise<never> => Promise.reject(new Error('this store has one image and no registry'));
  const config: OciImageConfig = { Env: ['FROM_IMAGE=yes'], WorkingDir: '/tmp', Cmd: ['sh'] };
  return {
    resolve: async () => undefined,
    list: async () => [],
    pull: refuse,
    load: refuse,
    remove: refuse,
    config: async () => config,
    layers: async () => [layer],
  };
}

function command(behaviour: Behaviour): readonly string[] {
  switch (behaviour.kind) {
    case 'exit':
      return [
        'sh',
        '-c',
        `${behaviour.print === undefined ? '' : `echo ${behaviour.print}; `}exit ${behaviour.code}`,
      ];
    case 'run':
      return behaviour.graceful === true
        ? ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 1000 & wait; done']
        : ['sleep', '1000'];
    case 'missing':
      return ['nosuch'];
  }
}

async function minds(machine: Machine, id: ContainerId): Promise<void> {
  const log = machine.readLog(id, { follow: true, timestamps: false }, AbortSignal.timeout(60_000));
  for await (const chunk of log) if (String(chunk).includes('ready')) return;
}

/** PODWRIGHT_TEST_RUNTIME=crun tests another runtime than the one that is chosen here. */
const runtime = process.env.PODWRIGHT_TEST_RUNTIME as RuntimeName | undefined;

/** All that another process needs to open the same machine. */
export type RigParts = {
  readonly dirs: MachineDirs;
  readonly instance: string;
  readonly podCidr: string;
  readonly imageId: string;
  readonly imageLayer: string;
  readonly pauseRootfs: string;
  readonly warmSandboxes: number;
};

export function networkOf({ dirs, instance, podCidr }: RigParts): Network {
  return createBridgeNetwork({ dirs, instance, podCidr, serves: 'new pods', log: silentLog });
}

export async function openLinuxMachine(
  parts: RigParts,
  options: Pick<LinuxMachineOptions, 'clock' | 'log'>,
): Promise<Machine> {
  const network = networkOf(parts);
  await network.start();
  return createLinuxMachine({
    dirs: parts.dirs,
    instance: parts.instance,
    runtime,
    network,
    images: stubImages(parts.imageLayer),
    infra: { rootfs: parts.pauseRootfs, args: ['/pause'] },
    warmSandboxes: parts.warmSandboxes,
    ...options,
  });
}

/** Those that a pod could take now: having an address is the last step. */
export const warmSandboxes = ({ dirs }: Pick<RigParts, 'dirs'>): readonly string[] =>
  readdirSync(join(dirs.dataDir, 'network/leases'))
    .filter((name) => /^warm-.*\.json$/.test(name))
    .map((name) => name.slice(0, -'.json'.length));

/** As many as the machine is to keep. */
export async function untilWarm(parts: RigParts): Promise<void> {
  const full = () => (warmSandboxes(parts).length === parts.warmSandboxes ? true : undefined);
  await eventually('the warm sandboxes are ready', full);
}

export type RigOptions = Partial<Pick<RigParts, 'podCidr' | 'warmSandboxes'>>;

/** Holds the test's file system, network and machine until end(). */
export async function makeLinuxRig(options: RigOptions = {}): Promise<LinuxRig> {
  const root = mkdtempSync(join(tmpdir(), 'podwright-machine-'));
  const dirs = { dataDir: join(root, 'data'), runDir: join(root, 'run'), logDir: join(root, 'log') };
  for (const dir of Object.values(dirs)) mkdirSync(dir);
  const parts: RigParts = {
    dirs,
    instance: randomBytes(4).toString('hex'),
    podCidr: `10.200.${randomInt(256)}.0/24`,
    imageId: IMAGE_ID,
    imageLayer: join(root, 'busybox'),
    pauseRootfs: join(root, 'pause'),
    warmSandboxes: 0,
    ...options,
  };
  makeBusybox(parts.imageLayer);
  makePause(parts.pauseRootfs);
  const open = async (): Promise<Machine> => {
    const opened = await openLinuxMachine(parts, { clock: systemClock(), log: silentLog });
    await untilWarm(parts);
    return opened;
  };
  let machine = await open();
  return {
    get machine() {
      return machine;
    },
    ...parts,
    parts,
    command,
    minds,
    crash: async () => {
      // Nothing is told to the old one before the new one looks: as after kill -9.
      const old = machine;
      machine = await open();
      await old.close();
    },
    traces: () => tracesOfPods({ dirs: Object.values(dirs), instance: parts.instance }),
    end: async () => {
      for (const pod of machine.pods()) await machine.removePod(pod.uid);
      await machine.close();
      const network = networkOf(parts);
      await network.start();
      await network.tearDown();
      assert.deepEqual(traces({ dirs: Object.values(dirs), instance: parts.instance }), []);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
