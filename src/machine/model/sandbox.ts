// A pod sandbox: what is wanted of it and what is seen of it, in CRI's words.
import type { PodIdentity } from './pod-identity.ts';

/** CRI NamespaceMode: of the pod, of each container, or the node's own. */
export type SandboxNamespaces = {
  readonly network: 'pod' | 'node';
  readonly ipc: 'pod' | 'node';
  readonly pid: 'pod' | 'container' | 'node';
};

export type PortMapping = {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  /** Absent: every address of the host. */
  readonly hostIP?: string | undefined;
};

export type DnsConfig = {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
};

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Limits and shares of a cgroup; absent means unlimited. */
export type CgroupResources = {
  readonly cpuRequestMilli?: number | undefined;
  readonly cpuLimitMilli?: number | undefined;
  readonly memoryLimitBytes?: number | undefined;
  readonly pidsLimit?: number | undefined;
};

export type HostNames = { readonly ip: string; readonly hostnames: readonly string[] };

export type SandboxConfig = {
  readonly pod: PodIdentity;
  /** 0 for the pod's first sandbox; grows when the infra container died. */
  readonly attempt: number;
  readonly hostname: string;
  /** Its name with the domain, which /etc/hosts tells. Absent: it has no subdomain. */
  readonly fullName?: string | undefined;
  readonly namespaces: SandboxNamespaces;
  readonly portMappings: readonly PortMapping[];
  /** 'node' copies the node's resolv.conf. */
  readonly dns: DnsConfig | 'node';
  /** Names of services, for lack of a DNS that knows them. */
  readonly services?: readonly HostNames[] | undefined;
  /** Lines of /etc/hosts beside the usual ones (hostAliases). */
  readonly hostAliases: readonly HostNames[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly qosClass: QosClass;
  readonly podResources: CgroupResources;
};

export type SandboxState =
  /** Begun and not finished; only stopSandbox/removeSandbox make sense. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'ready'; readonly ips: readonly string[] }
  /** The infra container is dead or was stopped; namespaces and addresses are gone or about to be. */
  | { readonly kind: 'notReady' };

export type ObservedSandbox = {
  readonly attempt: number;
  /** What the pod's cgroup is set to. */
  readonly podResources?: CgroupResources | undefined;
  readonly createdAtMs: number;
  readonly state: SandboxState;
};
