// What one pod has used, out of its records and the kernel's totals.

import { fileBytes, networkUsage } from './cgroups/usage.ts';
import { containerIdOf, logPath } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import type { PodUsage } from './model/usage.ts';
import { instanceOf, type PodRecord } from './records.ts';

export function podUsage({ cgroups, dirs }: MachineContext, pod: PodRecord | undefined): PodUsage {
  const sandbox = [...(pod?.sandboxes.values() ?? [])].find(({ phase }) => phase === 'ready');
  if (pod === undefined || sandbox === undefined) return { group: undefined, containers: [], network: [] };
  const running = [...pod.containers.values()].filter(({ phase }) => phase === 'running');
  const { config, infra } = sandbox;
  const hasNetwork = config.namespaces.network === 'pod' && infra !== undefined;
  return {
    group: cgroups.usage(cgroups.podPath(pod.identity.uid, config.qosClass)),
    containers: running.flatMap(({ config: own, cgroupPath }) => {
      const group = cgroups.usage(cgroupPath);
      if (group === undefined) return [];
      const id = containerIdOf(instanceOf(own));
      return [{ id, group, logBytes: fileBytes(logPath(dirs, pod.identity, own.name, own.attempt)) }];
    }),
    network: hasNetwork ? networkUsage(infra.pid) : [],
  };
}
