// A container's volume mounts as the OCI runtime takes them: where from, how propagated, and how read-only.
import { PodwrightError } from '../base/errors.ts';
import type { MachineContext } from './machine-context.ts';
import type { ContainerConfig, ContainerMount } from './model/container.ts';
import { bindMount, type OciMount } from './runtime/oci-spec.ts';
import { hasRecursiveReadOnly } from './runtime/recursive-read-only.ts';
import { mountHolding } from './system/mountinfo.ts';

const PROPAGATION: Record<ContainerMount['propagation'], string> = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
};

/** Throws ConfigFailed. */
export async function volumeMounts(machine: MachineContext, config: ContainerConfig): Promise<OciMount[]> {
  const mounts: OciMount[] = [];
  for (const mount of config.mounts) {
    const { containerPath, source, propagation } = mount;
    const found =
      source.kind === 'volume'
        ? await machine.volumes.resolve(config.pod.uid, source)
        : { path: source.path, readOnly: false };
    await checkPropagation(found.path, propagation);
    const access = mount.readOnly || found.readOnly ? await readOnlyWord(machine, mount) : 'rw';
    mounts.push(bindMount(containerPath, found.path, [PROPAGATION[propagation], access]));
  }
  return mounts;
}

/** Plain "ro" leaves what is mounted below as it is; "rro" does not (KEP-3857). */
async function readOnlyWord({ runtime }: MachineContext, mount: ContainerMount): Promise<'ro' | 'rro'> {
  if (mount.recursiveReadOnly === undefined) return 'ro';
  if (await hasRecursiveReadOnly(runtime)) return 'rro';
  if (mount.recursiveReadOnly === 'IfPossible') return 'ro';
  const why = `${runtime.name} or this kernel does not support recursive read-only mounts`;
  throw new PodwrightError('ConfigFailed', `mount ${mount.containerPath}: ${why}`);
}

/** Nothing can travel over a mount that is private: better said than found out. The words are containerd's. */
async function checkPropagation(path: string, propagation: ContainerMount['propagation']): Promise<void> {
  if (propagation === 'None') return;
  const holder = await mountHolding(path);
  if (holder.isShared || (propagation === 'HostToContainer' && holder.isSlave)) return;
  const what = propagation === 'Bidirectional' ? 'shared' : 'shared or slave';
  const remedy = `mount --make-rshared ${holder.point}`;
  throw new PodwrightError(
    'ConfigFailed',
    `path ${JSON.stringify(path)} is mounted on ${JSON.stringify(holder.point)} but it is not a ${what} mount (${remedy})`,
  );
}
