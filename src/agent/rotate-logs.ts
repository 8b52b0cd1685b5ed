// Container logs are bounded: one that has grown is put aside, and the oldest put aside goes. As the kubelet's
// containerLogMaxSize and containerLogMaxFiles.
// https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation
import type { KubeletConfiguration } from '../kube/kubelet-configuration.ts';
import type { Machine } from '../machine/machine.ts';

type LogBounds = Pick<KubeletConfiguration, 'containerLogMaxSize' | 'containerLogMaxFiles'>;

export async function rotateLogs(machine: Machine, bounds: LogBounds): Promise<void> {
  const ids = machine
    .pods()
    .flatMap(({ uid }) => machine.observe(uid).containers)
    .flatMap(({ id, state }) => (state.kind === 'running' ? [id] : []));
  for (const id of ids) {
    const bytes = await machine.logBytes(id);
    if (bytes !== undefined && bytes >= bounds.containerLogMaxSize) {
      await machine.rotateLog(id, bounds.containerLogMaxFiles);
    }
  }
}
