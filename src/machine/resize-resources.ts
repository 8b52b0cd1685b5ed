// In-place resize: the cgroups of a running container and of its pod are set anew, and what they were set to is remembered.
// Throws ResizeFailed; then nothing but the pod's own limits may have changed.
import { dirname } from 'node:path';
import type { ContainerId, PodUid } from '../base/brand.ts';
import { PodwrightError } from '../base/errors.ts';
import type { MachineContext } from './machine-context.ts';
import type { CgroupResources } from './model/sandbox.ts';

/** The kernel would rather kill than refuse. */
function checkUsage(what: string, usage: number, { memoryLimitBytes }: CgroupResources): void {
  if (memoryLimitBytes === undefined || usage <= memoryLimitBytes) return;
  const why = `attempting to set pod memory limit (${memoryLimitBytes}) below current usage (${usage})`;
  throw new PodwrightError('ResizeFailed', `${what}: ${why}`);
}

/** The pod's group must allow what the container's asks for: it is set before where that works, and after. */
export async function resizeContainer(
  { cgroups, records, changed }: MachineContext,
  id: ContainerId,
  {
    resources,
    podResources,
  }: { readonly resources: CgroupResources; readonly podResources: CgroupResources },
): Promise<void> {
  const record = records.container(id);
  if (record === undefined) throw new PodwrightError('NotFound', `container ${id} does not exist`);
  const { config, cgroupPath } = record;
  const what = `resize container ${config.name}`;
  checkUsage(what, cgroups.memoryUsage(cgroupPath), resources);
  const podPath = dirname(cgroupPath);
  try {
    await cgroups.apply(podPath, podResources).catch(() => {});
    await cgroups.apply(cgroupPath, resources);
    await cgroups.apply(podPath, podResources);
  } catch (cause) {
    throw new PodwrightError('ResizeFailed', what, { cause });
  }
  const { uid } = config.pod;
  await remember(records, { uid, attempt: config.sandboxAttempt, podResources });
  await records.updateContainer(id, { config: { ...(records.container(id) ?? record).config, resources } });
  changed(uid);
}

/** Of the pod's sandbox that is up; its containers stay as they are. */
export async function resizePod(
  { cgroups, records, changed }: MachineContext,
  uid: PodUid,
  podResources: CgroupResources,
): Promise<void> {
  const sandbox = [...(records.pod(uid)?.sandboxes.values() ?? [])].find(({ phase }) => phase === 'ready');
  if (sandbox === undefined) throw new PodwrightError('ResizeFailed', 'resize pod: it has no sandbox now');
  const { attempt, qosClass } = sandbox.config;
  const path = cgroups.podPath(uid, qosClass);
  checkUsage('resize pod', cgroups.memoryUsage(path), podResources);
  try {
    await cgroups.apply(path, podResources);
  } catch (cause) {
    throw new PodwrightError('ResizeFailed', 'resize pod', { cause });
  }
  await remember(records, { uid, attempt, podResources });
  changed(uid);
}

type Remembered = { readonly uid: PodUid; readonly attempt: number; readonly podResources: CgroupResources };

async function remember(
  records: MachineContext['records'],
  { uid, attempt, podResources }: Remembered,
): Promise<void> {
  const sandbox = records.sandbox(uid, attempt);
  if (sandbox !== undefined)
    await records.updateSandbox(uid, attempt, { config: { ...sandbox.config, podResources } });
}
