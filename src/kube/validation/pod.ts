// Rules for pods (pkg/apis/core/validation ValidatePodCreate), in Kubernetes' words and with its field paths.
import { isIP } from 'node:net';
import type { Container, Pod, PodSpec, Toleration } from '../api-types.ts';
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { refusedFields } from '../unsupported-fields.ts';
import { validateContainer, validateIds, validateResources, validateSeccomp } from './container.ts';
import { validateEphemeralContainers } from './ephemeral.ts';
import { dnsLabel, dnsSubdomain, qualifiedName, type Rule } from './names.ts';
import { validateLabels } from './object-meta.ts';
import type { ContainerRole } from './probes.ts';
import { oneOf, withinRange } from './rules.ts';
import { validateVolumes } from './volumes.ts';

function byRule(rule: Rule, value: string | undefined, field: string): FieldError[] {
  return value ? rule(value).map((message) => invalid(field, value, message)) : [];
}

function validateContainers(spec: PodSpec): FieldError[] {
  const seen = new Set<string>();
  const list = (containers: readonly Container[], role: ContainerRole): FieldError[] =>
    containers.flatMap((container, index) => {
      const field = `spec.${role === 'init' ? 'initContainers' : 'containers'}[${index}]`;
      const isDoubled = container.name !== '' && seen.has(container.name);
      seen.add(container.name);
      const doubled = isDoubled ? [duplicate(`${field}.name`, container.name)] : [];
      return [...doubled, ...validateContainer(container, { spec, role, field })];
    });
  const init = spec.initContainers ?? [];
  return [
    ...((spec.containers ?? []).length === 0 ? [required('spec.containers')] : list(spec.containers, 'app')),
    ...list(init, 'init'),
  ];
}

/** Two containers cannot have one port of the host. */
function validateHostPorts(spec: PodSpec): FieldError[] {
  const seen = new Set<string>();
  const claims = (containers: readonly Container[], list: string): FieldError[] =>
    containers.flatMap((container, index) =>
      (container.ports ?? []).flatMap(({ hostPort, protocol, hostIP = '' }, port) => {
        if (!hostPort) return [];
        const claim = `${protocol}/${hostIP}/${hostPort}`;
        if (seen.has(claim)) return [duplicate(`spec.${list}[${index}].ports[${port}].hostPort`, claim)];
        seen.add(claim);
        return [];
      }),
    );
  const sidecars = (spec.initContainers ?? []).map((one) =>
    one.restartPolicy === 'Always' ? one : { ...one, ports: [] },
  );
  return [...claims(spec.containers ?? [], 'containers'), ...claims(sidecars, 'initContainers')];
}

function validateDns({ dnsPolicy, dnsConfig }: PodSpec): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  const field = 'spec.dnsConfig';
  const isNone = dnsPolicy === 'None';
  return [
    ...oneOf(dnsPolicy, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], 'spec.dnsPolicy'),
    ...(isNone && nameservers.length === 0
      ? [
          required(
            `${field}.nameservers`,
            'must provide at least one DNS nameserver when `dnsPolicy` is None',
          ),
        ]
      : []),
    ...(nameservers.length > 3
      ? [invalid(`${field}.nameservers`, nameservers, 'must not have more than 3 nameservers')]
      : []),
    ...nameservers.flatMap((server, index) =>
      isIP(server) === 0
        ? [
            invalid(
              `${field}.nameservers[${index}]`,
              server,
              'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
            ),
          ]
        : [],
    ),
    ...(searches.length > 32
      ? [invalid(`${field}.searches`, searches, 'must not have more than 32 search paths')]
      : []),
    ...options.flatMap(({ name }, index) =>
      name ? [] : [required(`${field}.options[${index}]`, 'must not be empty')],
    ),
  ];
}

function validateHostAliases({ hostAliases = [] }: PodSpec): FieldError[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, index) => {
    const field = `spec.hostAliases[${index}]`;
    const address =
      isIP(ip ?? '') === 0
        ? [invalid(`${field}.ip`, ip ?? '', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
        : [];
    return [...address, ...hostnames.flatMap((name) => byRule(dnsSubdomain, name, `${field}.hostnames`))];
  });
}

function validateSecurity({ securityContext = {} }: PodSpec): FieldError[] {
  const field = 'spec.securityContext';
  const {
    runAsUser,
    runAsGroup,
    fsGroup,
    supplementalGroups = [],
    seccompProfile,
    sysctls = [],
  } = securityContext;
  return [
    ...validateIds({ runAsUser, runAsGroup, fsGroup }, field),
    ...supplementalGroups.flatMap((id, index) =>
      validateIds({ [`supplementalGroups[${index}]`]: id }, field),
    ),
    ...validateSeccomp(seccompProfile, `${field}.seccompProfile`),
    ...oneOf(
      securityContext.fsGroupChangePolicy,
      ['Always', 'OnRootMismatch'],
      `${field}.fsGroupChangePolicy`,
    ),
    ...sysctls.flatMap(({ name }, index) => {
      const at = `${field}.sysctls[${index}].name`;
      if (!name) return [required(at)];
      if (sysctls.findIndex((one) => one.name === name) < index) return [duplicate(at, name)];
      return /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/.test(name)
        ? []
        : [invalid(at, name, 'must be a sysctl name')];
    }),
  ];
}

function validateToleration(toleration: Toleration, field: string): FieldError[] {
  const { key = '', operator, value, effect, tolerationSeconds } = toleration;
  return [
    ...byRule(qualifiedName, key, `${field}.key`),
    ...(key === '' && operator !== 'Exists'
      ? [
          invalid(
            `${field}.operator`,
            operator ?? '',
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
          ),
        ]
      : []),
    ...oneOf(operator, ['Equal', 'Exists'], `${field}.operator`),
    ...(operator === 'Exists' && value
      ? [invalid(`${field}.operator`, toleration, "value must be empty when `operator` is 'Exists'")]
      : []),
    ...oneOf(effect, ['NoExecute', 'NoSchedule', 'PreferNoSchedule'], `${field}.effect`),
    ...(tolerationSeconds !== undefined && effect !== 'NoExecute'
      ? [
          invalid(
            `${field}.effect`,
            effect ?? '',
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
          ),
        ]
      : []),
  ];
}

function validateHostNamespaces(spec: PodSpec): FieldError[] {
  const { hostPID, shareProcessNamespace, hostUsers, hostNetwork, hostIPC } = spec;
  const isOwnUsers = hostUsers === false;
  const clash = (name: string, isSet: boolean | undefined): FieldError[] =>
    isOwnUsers && isSet === true ? [forbidden(`spec.${name}`, 'when `hostUsers` is false')] : [];
  return [
    ...(hostPID === true && shareProcessNamespace === true
      ? [
          invalid(
            'spec.shareProcessNamespace',
            true,
            'ShareProcessNamespace and HostPID cannot both be enabled',
          ),
        ]
      : []),
    ...clash('hostNetwork', hostNetwork),
    ...clash('hostPID', hostPID),
    ...clash('hostIPC', hostIPC),
  ];
}

function validateScheduling(spec: PodSpec): FieldError[] {
  const gates = spec.schedulingGates ?? [];
  return [
    ...byRule(dnsSubdomain, spec.nodeName, 'spec.nodeName'),
    ...validateLabels(spec.nodeSelector, 'spec.nodeSelector'),
    ...(spec.tolerations ?? []).flatMap((one, index) =>
      validateToleration(one, `spec.tolerations[${index}]`),
    ),
    ...gates.flatMap(({ name }, index) => {
      const field = `spec.schedulingGates[${index}]`;
      const isDoubled = gates.findIndex((one) => one.name === name) < index;
      return [
        ...(name ? byRule(qualifiedName, name, `${field}.name`) : [required(`${field}.name`)]),
        ...(isDoubled ? [duplicate(`${field}.name`, name)] : []),
      ];
    }),
    ...(gates.length > 0 && spec.nodeName
      ? [forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared')]
      : []),
  ];
}

function validateSpec(spec: PodSpec): FieldError[] {
  const { restartPolicy, activeDeadlineSeconds, terminationGracePeriodSeconds, resources } = spec;
  const policies = ['Always', 'OnFailure', 'Never'];
  return [
    ...validateVolumes(spec),
    ...validateContainers(spec),
    ...validateEphemeralContainers(spec),
    ...validateHostPorts(spec),
    ...(restartPolicy && !policies.includes(restartPolicy)
      ? [notSupported('spec.restartPolicy', restartPolicy, policies)]
      : []),
    ...validateDns(spec),
    ...validateHostAliases(spec),
    ...validateHostNamespaces(spec),
    ...validateSecurity(spec),
    ...validateScheduling(spec),
    ...byRule(dnsLabel, spec.hostname, 'spec.hostname'),
    ...byRule(dnsLabel, spec.subdomain, 'spec.subdomain'),
    ...byRule(dnsSubdomain, spec.serviceAccountName, 'spec.serviceAccountName'),
    ...withinRange(activeDeadlineSeconds, { min: 1, max: 2147483647 }, 'spec.activeDeadlineSeconds'),
    ...withinRange(terminationGracePeriodSeconds, { min: 0 }, 'spec.terminationGracePeriodSeconds'),
    ...oneOf(spec.preemptionPolicy, ['Never', 'PreemptLowerPriority'], 'spec.preemptionPolicy'),
    ...(resources === undefined ? [] : validateResources(resources, 'spec.resources')),
    ...(spec.os === undefined ? [] : oneOf(spec.os.name, ['linux'], 'spec.os.name')),
  ];
}

export function validatePod(pod: Pod): FieldError[] {
  if (pod.spec === undefined) return [required('spec.containers')];
  return [...validateSpec(pod.spec), ...refusedFields(pod)];
}
