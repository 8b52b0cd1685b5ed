// Host ports of pods, and when two of them cannot share a node. hostIP "0.0.0.0" stands for every address.
import type { PodSpec } from './api-types.ts';

export type HostPort = { readonly hostIP: string; readonly protocol: string; readonly port: number };

export function hostPortsOf(spec: PodSpec): readonly HostPort[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ hostPort, hostIP, protocol }) =>
      hostPort ? [{ hostIP: hostIP || '0.0.0.0', protocol: protocol ?? 'TCP', port: hostPort }] : [],
    );
}

export function portsConflict(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.hostIP === b.hostIP || a.hostIP === '0.0.0.0' || b.hostIP === '0.0.0.0';
  return sameAddress && a.protocol === b.protocol && a.port === b.port;
}
