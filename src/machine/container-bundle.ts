// Prepares a container's bundle: root file system mounted, files of the pod, config.json. Nothing runs yet.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, PodwrightError } from '../base/errors.ts';
import { terminationLog } from './container-exit.ts';
import { mountRootfs, unmountRootfs } from './images/rootfs.ts';
import { containerDir, type InstanceName, layerDir, sandboxDir } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import type { ContainerConfig } from './model/container.ts';
import type { SandboxConfig } from './model/sandbox.ts';
import type { SandboxRecord } from './records.ts';
import { bindMount, containerSpec, type OciMount, type OciSpec } from './runtime/oci-spec.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { SeccompProfile } from './runtime/seccomp-default.ts';
import { type ContainerUser, resolveUser, userDatabase } from './runtime/users.ts';
import { shmDir } from './sandbox-steps.ts';
import { volumeMounts } from './volume-mounts.ts';

export const rootfsDir = (bundle: string): string => join(bundle, 'rootfs');

/** The pod's own files, each only where the container does not mount something of its own at that path. */
function podFileMounts(config: ContainerConfig, sandbox: string, bundle: string): OciMount[] {
  const mode = config.security.readOnlyRootFilesystem ? 'ro' : 'rw';
  const files = [
    ['/etc/hosts', join(sandbox, 'hosts'), mode],
    ['/etc/hostname', join(sandbox, 'hostname'), mode],
    ['/etc/resolv.conf', join(sandbox, 'resolv.conf'), mode],
    [config.terminationMessagePath, terminationLog(bundle), 'rw'],
  ] as const;
  const taken = new Set(config.mounts.map((mount) => mount.containerPath));
  return files
    .filter(([path]) => path !== '' && !taken.has(path))
    .map(([path, source, access]) => bindMount(path, source, ['rprivate', access]));
}

function userOf(config: ContainerConfig, imageUser: string, rootfs: string): ContainerUser {
  const { runAsNonRoot } = config.security;
  const user = resolveUser({ imageUser, ...config.security }, userDatabase(rootfs));
  if (runAsNonRoot && user.uid === 0) {
    throw new PodwrightError('ConfigFailed', 'container has runAsNonRoot and image will run as root');
  }
  return user;
}

async function seccompOf({ seccomp }: ContainerConfig['security']): Promise<SeccompProfile | undefined> {
  if (seccomp.kind !== 'Localhost') return undefined;
  try {
    return JSON.parse(await readFile(seccomp.path, 'utf8')) as SeccompProfile;
  } catch (error) {
    throw new PodwrightError('ConfigFailed', `read seccomp profile ${seccomp.path}: ${errorText(error)}`);
  }
}

export type BundleRequest = {
  readonly config: ContainerConfig;
  readonly instance: InstanceName;
  readonly sandbox: SandboxRecord;
  readonly cgroupsPath: string;
  readonly targetPid?: number | undefined;
  readonly runtime: Runtime;
};

/** Throws ImageNotFound, MountFailed, ConfigFailed. */
export async function prepareBundle(machine: MachineContext, request: BundleRequest): Promise<void> {
  const { config, instance, sandbox, cgroupsPath, targetPid, runtime } = request;
  const { dirs, images, facts } = machine;
  const bundle = containerDir(dirs, instance);
  const rootfs = rootfsDir(bundle);
  const own = layerDir(dirs, instance);
  const [image, layers] = await Promise.all([images.config(config.imageId), images.layers(config.imageId)]);
  await mkdir(own, { recursive: true });
  await mountRootfs({ layers, upperDir: join(own, 'upper'), workDir: join(own, 'work'), target: rootfs });
  const user = userOf(config, image.User ?? '', rootfs);
  const sandboxFiles = sandboxDir(dirs, config.pod.uid, config.sandboxAttempt);
  writeFileSync(terminationLog(bundle), '', { flag: 'a' });
  // Any user of the container writes it; beyond the creation mask, therefore.
  chmodSync(terminationLog(bundle), 0o666);
  const sandboxConfig: SandboxConfig = sandbox.config;
  const spec = containerSpec({
    config,
    sandbox: sandboxConfig,
    image,
    user,
    rootfs,
    infraPid: sandbox.infra?.pid ?? 0,
    targetPid,
    cgroupsPath,
    mounts: [...podFileMounts(config, sandboxFiles, bundle), ...(await volumeMounts(machine, config))],
    shmDir: sandboxConfig.namespaces.ipc === 'node' ? '/dev/shm' : shmDir(sandboxFiles),
    seccomp: await seccompOf(config.security),
    readyFilter: (profile) => machine.readyFilter(profile, runtime),
    facts,
  });
  if (spec.process.args.length === 0) {
    throw new PodwrightError(
      'ConfigFailed',
      `no command specified: neither container ${config.name} nor its image has one`,
    );
  }
  await writeFile(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
}

export function readBundle(bundle: string): OciSpec {
  return JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as OciSpec;
}

/** The undo of prepareBundle but for the directories. */
export function releaseBundle(bundle: string): Promise<void> {
  return unmountRootfs(rootfsDir(bundle));
}
