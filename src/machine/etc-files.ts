// The pod's /etc/hosts, /etc/hostname and /etc/resolv.conf: text as the kubelet writes it.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { DnsConfig, HostNames, SandboxConfig } from './model/sandbox.ts';

/** https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/ */
export function hostsText(config: SandboxConfig, ips: readonly string[]): string {
  const line = ({ ip, hostnames }: HostNames): string => `${ip}\t${hostnames.join('\t')}`;
  const aliases = config.hostAliases.map(line);
  const added = [
    ...(config.services ?? []).map(line),
    ...(aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases]),
  ];
  if (config.namespaces.network === 'node') {
    return `${readFileSync('/etc/hosts', 'utf8').trimEnd()}\n${added.map((line) => `${line}\n`).join('')}`;
  }
  const { hostname: short, fullName } = config;
  const names = fullName === undefined || fullName === short ? [short] : [fullName, short];
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'fe00::\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...ips.map((ip) => [ip, ...names].join('\t')),
    ...added,
  ];
  return `${lines.join('\n')}\n`;
}

export function hostnameText(config: SandboxConfig): string {
  return `${config.namespaces.network === 'node' ? hostname() : config.hostname}\n`;
}

export function resolvConfText(dns: DnsConfig | 'node'): string {
  if (dns === 'node') return readFileSync('/etc/resolv.conf', 'utf8');
  return [
    ...(dns.searches.length === 0 ? [] : [`search ${dns.searches.join(' ')}`]),
    ...dns.nameservers.map((server) => `nameserver ${server}`),
    ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(' ')}`]),
    '',
  ].join('\n');
}
