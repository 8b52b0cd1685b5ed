// The level "baseline": what would be a known way out of the container. In the order in which Kubernetes tells of it; rules
// and words as of v1.36.
import type { Container } from '../api-types.ts';
import {
  type Check,
  containers,
  containersOf,
  counted,
  namesOf,
  quoted,
  settersOf,
  sorted,
} from './check.ts';

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

const appArmorProfile: Check = (pod) => {
  const annotations = Object.entries(pod.metadata?.annotations ?? {}).filter(
    ([key, value]) =>
      key.startsWith(APPARMOR_ANNOTATION) && !/^(?:|runtime\/default|localhost\/.*)$/.test(value),
  );
  const isUnconfined = (type: string | undefined): boolean => type === 'Unconfined';
  const isPod = isUnconfined(pod.spec.securityContext?.appArmorProfile?.type);
  const names = namesOf(pod, ({ securityContext }) => isUnconfined(securityContext?.appArmorProfile?.type));
  const setters = settersOf(isPod, names);
  const found = [
    ...(setters === '' ? [] : [`${setters} must not set AppArmor profile type to "Unconfined"`]),
    ...sorted(annotations.map(([key, value]) => `${key}=${JSON.stringify(value)}`)),
  ];
  if (found.length === 0) return undefined;
  return { reason: counted('forbidden AppArmor profile', found), detail: found.join(', ') };
};

/** What container runtimes give by themselves. */
const DEFAULT_CAPABILITIES = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

const capabilities: Check = (pod) => {
  const added = ({ securityContext }: Container): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((one) => !DEFAULT_CAPABILITIES.includes(one));
  const names = namesOf(pod, (container) => added(container).length > 0);
  if (names.length === 0) return undefined;
  const values = sorted(containersOf(pod).flatMap(added));
  return {
    reason: 'non-default capabilities',
    detail: `${containers(names)} must not include ${quoted(values)} in securityContext.capabilities.add`,
  };
};

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') };
};

const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  if (names.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${counted('volume', names)} ${quoted(names)}` };
};

const hostPorts: Check = (pod) => {
  const portsOf = ({ ports = [] }: Container): readonly number[] =>
    ports.flatMap(({ hostPort }) => (hostPort === undefined || hostPort === 0 ? [] : [hostPort]));
  const names = namesOf(pod, (container) => portsOf(container).length > 0);
  if (names.length === 0) return undefined;
  const ports = sorted(containersOf(pod).flatMap(portsOf).map(String));
  const use = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${containers(names)} ${use} ${counted('hostPort', ports)} ${ports.join(', ')}`,
  };
};

/** A probe or hook that speaks to another host is a request by the node. */
function hostsOf({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): readonly string[] {
  const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
  return handlers
    .flatMap((one) => [one?.httpGet?.host, one?.tcpSocket?.host])
    .flatMap((host) => (host ? [host] : []));
}

const hostProbes: Check = (pod) => {
  const names = sorted(namesOf(pod, (container) => hostsOf(container).length > 0));
  if (names.length === 0) return undefined;
  const hosts = sorted(containersOf(pod).flatMap(hostsOf));
  const use = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'probe or lifecycle host',
    detail: `${containers(names)} ${use} ${counted('probe or lifecycle host', hosts)} ${quoted(hosts)}`,
  };
};

const privileged: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (names.length === 0) return undefined;
  const detail = `${containers(names)} must not set securityContext.privileged=true`;
  return { reason: 'privileged', detail };
};

const procMount: Check = (pod) => {
  const mountOf = ({ securityContext }: Container): string => securityContext?.procMount ?? 'Default';
  const names = namesOf(pod, (container) => mountOf(container) !== 'Default');
  if (names.length === 0) return undefined;
  const values = sorted(containersOf(pod).map(mountOf)).filter((value) => value !== 'Default');
  return {
    reason: 'procMount',
    detail: `${containers(names)} must not set securityContext.procMount to ${quoted(values)}`,
  };
};

const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

const seLinuxOptions: Check = (pod) => {
  type Options = NonNullable<NonNullable<Container['securityContext']>['seLinuxOptions']>;
  const isBad = (options: Options | undefined): boolean =>
    !SELINUX_TYPES.includes(options?.type ?? '') || Boolean(options?.user) || Boolean(options?.role);
  const ofPod = pod.spec.securityContext?.seLinuxOptions;
  const names = namesOf(pod, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const setters = settersOf(isBad(ofPod), names);
  if (setters === '') return undefined;
  const all = [ofPod, ...containersOf(pod).map(({ securityContext }) => securityContext?.seLinuxOptions)];
  const types = sorted(all.map((one) => one?.type ?? '')).filter((type) => !SELINUX_TYPES.includes(type));
  const words = [
    ...(types.length > 0 ? [`${counted('type', types)} ${quoted(types)}`] : []),
    ...(all.some((one) => one?.user) ? ['user may not be set'] : []),
    ...(all.some((one) => one?.role) ? ['role may not be set'] : []),
  ];
  return {
    reason: 'seLinuxOptions',
    detail: `${setters} set forbidden securityContext.seLinuxOptions: ${words.join('; ')}`,
  };
};

const seccompProfile: Check = (pod) => {
  const isBad = (type: string | undefined): boolean => type === 'Unconfined';
  const names = namesOf(pod, ({ securityContext }) => isBad(securityContext?.seccompProfile?.type));
  const setters = settersOf(isBad(pod.spec.securityContext?.seccompProfile?.type), names);
  if (setters === '') return undefined;
  const detail = `${setters} must not set securityContext.seccompProfile.type to "Unconfined"`;
  return { reason: 'seccompProfile', detail };
};

/** Those that are the pod's own and harmless to others. */
const SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];

const sysctls: Check = ({ spec }) => {
  const names = (spec.securityContext?.sysctls ?? [])
    .map(({ name }) => name)
    .filter((name) => !SYSCTLS.includes(name));
  return names.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: names.join(', ') };
};

const windowsHostProcess: Check = (pod) => {
  const isPod = pod.spec.securityContext?.windowsOptions?.hostProcess === true;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  const setters = settersOf(isPod, names);
  if (setters === '') return undefined;
  const detail = `${setters} must not set securityContext.windowsOptions.hostProcess=true`;
  return { reason: 'hostProcess', detail };
};

export const BASELINE = {
  appArmorProfile,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompProfile,
  sysctls,
  windowsHostProcess,
} as const;
