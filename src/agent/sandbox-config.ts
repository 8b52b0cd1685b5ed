// The pod's spec as its sandbox needs it: names, namespaces, ports, DNS. Pure.
import type { Pod } from '../kube/api-types.ts';
import { qosClassOf } from '../kube/pod.ts';
import type { DnsConfig, PortMapping, SandboxConfig } from '../machine/model/sandbox.ts';
import { podIdentity } from './container-config.ts';
import { allContainers } from './container-instances.ts';
import { podResources } from './resource-config.ts';
import { type ApiEndpoints, apiEndpointOf, serviceNames } from './service-env.ts';
import { configFailed } from './sources.ts';

/** Longest host name Linux takes is 64 bytes; Kubernetes cuts at 63. */
const HOSTNAME_MAX = 63;
const FULL_NAME_MAX = 64;

export type NodeNames = {
  readonly name: string;
  readonly dns?: DnsConfig | undefined;
  readonly apiEndpoints?: ApiEndpoints | undefined;
};

export function sandboxConfig(pod: Pod, attempt: number, node: NodeNames): SandboxConfig {
  const spec = pod.spec;
  if (spec === undefined) throw configFailed('the pod has no spec');
  const isHostNetwork = spec.hostNetwork === true;
  const api = apiEndpointOf(pod, node.apiEndpoints);
  return {
    pod: podIdentity(pod),
    attempt,
    hostname: isHostNetwork ? node.name : hostnameOf(pod),
    fullName: fullNameOf(pod),
    namespaces: {
      network: isHostNetwork ? 'node' : 'pod',
      ipc: spec.hostIPC === true ? 'node' : 'pod',
      pid: spec.hostPID === true ? 'node' : spec.shareProcessNamespace === true ? 'pod' : 'container',
    },
    portMappings: isHostNetwork ? [] : portMappings(pod),
    dns: dnsOf(pod, node.dns),
    services: api === undefined ? [] : [{ ip: api.host, hostnames: serviceNames(pod) }],
    hostAliases: (spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
    sysctls: Object.fromEntries(
      (spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value]),
    ),
    qosClass: qosClassOf(spec),
    podResources: podResources(pod),
  };
}

/** kubelet's clusterDomain, by its default; no name server answers for it here. */
const CLUSTER_DOMAIN = 'cluster.local';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-hostname/ */
function fullNameOf(pod: Pod): string | undefined {
  const { subdomain, hostnameOverride } = pod.spec ?? {};
  if (subdomain === undefined || subdomain === '' || hostnameOverride !== undefined) return undefined;
  return `${shortNameOf(pod)}.${subdomain}.${pod.metadata?.namespace}.svc.${CLUSTER_DOMAIN}`;
}

function hostnameOf(pod: Pod): string {
  const full = pod.spec?.setHostnameAsFQDN === true ? fullNameOf(pod) : undefined;
  if (full === undefined) return shortNameOf(pod);
  if (full.length <= FULL_NAME_MAX) return full;
  throw configFailed(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${FULL_NAME_MAX} characters is the max, ${full.length} characters requested)`,
  );
}

function shortNameOf(pod: Pod): string {
  const wanted = pod.spec?.hostnameOverride ?? pod.spec?.hostname;
  const name = wanted === undefined || wanted === '' ? (pod.metadata?.name ?? '') : wanted;
  return name.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, '');
}

function portMappings(pod: Pod): readonly PortMapping[] {
  return allContainers(pod).flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, containerPort, protocol, hostIP }): PortMapping[] => {
      if (hostPort === undefined || hostPort === 0) return [];
      const known = protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP';
      return [
        {
          protocol: known,
          containerPort,
          hostPort,
          ...(hostIP === undefined || hostIP === '' ? {} : { hostIP }),
        },
      ];
    }),
  );
}

/**
 * Without a cluster DNS, ClusterFirst falls back to the node's, as the kubelet does then; dnsConfig is added to it. Of
 * options with one name the pod's wins.
 */
function dnsOf(pod: Pod, ofNode: DnsConfig | undefined): DnsConfig | 'node' {
  const { dnsPolicy, dnsConfig } = pod.spec ?? {};
  if (dnsPolicy !== 'None' && dnsConfig === undefined) return 'node';
  const base = dnsPolicy === 'None' ? undefined : ofNode;
  const own = (dnsConfig?.options ?? []).map(({ name = '', value }) =>
    value === undefined ? name : `${name}:${value}`,
  );
  const nameOf = (option: string): string => option.split(':')[0] ?? option;
  const inherited = (base?.options ?? []).filter(
    (option) => !own.some((one) => nameOf(one) === nameOf(option)),
  );
  return {
    nameservers: [...new Set([...(base?.nameservers ?? []), ...(dnsConfig?.nameservers ?? [])])],
    searches: [...new Set([...(base?.searches ?? []), ...(dnsConfig?.searches ?? [])])],
    options: [...inherited, ...own],
  };
}
