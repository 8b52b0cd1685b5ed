// Rules for one container (pkg/apis/core/validation validateContainers and below).
import type {
  Container,
  ContainerPort,
  EnvVar,
  PodSpec,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from '../api-types.ts';
import {
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notFound,
  required,
  tooMany,
} from '../field-error.ts';
import { quantityMilli } from '../quantity.ts';
import { configMapKey, dnsLabel, envVarName, portName, qualifiedName } from './names.ts';
import { type ContainerRole, validateProbes } from './probes.ts';
import { oneOf, relativePath } from './rules.ts';

function validatePort(port: ContainerPort, field: string): FieldError[] {
  const range = 'must be between 1 and 65535, inclusive';
  const isPort = (value: number): boolean => value >= 1 && value <= 65535;
  const { name, containerPort, hostPort, protocol } = port;
  return [
    ...(name ? portName(name).map((message) => invalid(`${field}.name`, name, message)) : []),
    ...(containerPort === undefined || containerPort === 0
      ? [required(`${field}.containerPort`)]
      : isPort(containerPort)
        ? []
        : [invalid(`${field}.containerPort`, containerPort, range)]),
    ...(hostPort === undefined || hostPort === 0 || isPort(hostPort)
      ? []
      : [invalid(`${field}.hostPort`, hostPort, range)]),
    ...oneOf(protocol, ['SCTP', 'TCP', 'UDP'], `${field}.protocol`),
  ];
}

function validatePorts(container: Container, spec: PodSpec, field: string): FieldError[] {
  const ports = container.ports ?? [];
  return ports.flatMap((port, index) => {
    const at = `${field}.ports[${index}]`;
    const isDoubled = port.name !== undefined && ports.findIndex(({ name }) => name === port.name) < index;
    const isForeign = spec.hostNetwork === true && port.hostPort !== port.containerPort;
    return [
      ...validatePort(port, at),
      ...(isDoubled ? [duplicate(`${at}.name`, port.name)] : []),
      ...(isForeign
        ? [
            invalid(
              `${at}.containerPort`,
              port.containerPort,
              'must match `hostPort` when `hostNetwork` is true',
            ),
          ]
        : []),
    ];
  });
}

const FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

function validateFieldPath(path: string, field: string): FieldError[] {
  if (path === '') return [required(field)];
  const key = /^metadata\.(?:labels|annotations)\['(.*)'\]$/.exec(path)?.[1];
  if (key !== undefined)
    return qualifiedName(key.toLowerCase()).map((message) => invalid(field, key, message));
  return oneOf(path, FIELD_PATHS, field);
}

function validateKeySelector(
  selector: { readonly name?: string | undefined; readonly key: string },
  field: string,
): FieldError[] {
  return [
    ...(selector.name ? [] : [required(`${field}.name`)]),
    ...(selector.key
      ? configMapKey(selector.key).map((message) => invalid(`${field}.key`, selector.key, message))
      : [required(`${field}.key`)]),
  ];
}

function validateValueFrom(variable: EnvVar, field: string): FieldError[] {
  const { valueFrom } = variable;
  if (valueFrom === undefined) return [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  const count = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, valueFrom.fileKeyRef].filter(
    (one) => one !== undefined,
  ).length;
  return [
    ...(count === 0
      ? [
          invalid(
            field,
            '',
            'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
          ),
        ]
      : []),
    ...(count > 1 ? [invalid(field, '', 'may not have more than one field specified at a time')] : []),
    ...(count > 0 && variable.value
      ? [invalid(field, '', 'may not be specified when `value` is not empty')]
      : []),
    ...(fieldRef === undefined
      ? []
      : validateFieldPath(fieldRef.fieldPath ?? '', `${field}.fieldRef.fieldPath`)),
    ...(resourceFieldRef === undefined
      ? []
      : resourceFieldRef.resource
        ? oneOf(resourceFieldRef.resource, RESOURCE_FIELDS, `${field}.resourceFieldRef.resource`)
        : [required(`${field}.resourceFieldRef.resource`)]),
    ...(configMapKeyRef === undefined
      ? []
      : validateKeySelector(configMapKeyRef, `${field}.configMapKeyRef`)),
    ...(secretKeyRef === undefined ? [] : validateKeySelector(secretKeyRef, `${field}.secretKeyRef`)),
  ];
}

function validateEnv(container: Container, field: string): FieldError[] {
  const variables = (container.env ?? []).flatMap((variable, index) => {
    const at = `${field}.env[${index}]`;
    const { name = '' } = variable;
    const names =
      name === ''
        ? [required(`${at}.name`)]
        : envVarName(name).map((message) => invalid(`${at}.name`, name, message));
    return [...names, ...validateValueFrom(variable, `${at}.valueFrom`)];
  });
  const sources = (container.envFrom ?? []).flatMap((source, index) => {
    const at = `${field}.envFrom[${index}]`;
    const { configMapRef, secretRef, prefix } = source;
    const both = configMapRef !== undefined && secretRef !== undefined;
    const neither = configMapRef === undefined && secretRef === undefined;
    return [
      ...(prefix ? envVarName(prefix).map((message) => invalid(`${at}.prefix`, prefix, message)) : []),
      ...(neither ? [invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`')] : []),
      ...(both ? [invalid(at, '', 'may not have more than one field specified at a time')] : []),
      ...(configMapRef !== undefined && !configMapRef.name ? [required(`${at}.configMapRef.name`)] : []),
      ...(secretRef !== undefined && !secretRef.name ? [required(`${at}.secretRef.name`)] : []),
    ];
  });
  return [...variables, ...sources];
}

function validateRecursiveReadOnly(mount: VolumeMount, at: string): FieldError[] {
  const field = `${at}.recursiveReadOnly`;
  const { recursiveReadOnly, readOnly, mountPropagation = 'None' } = mount;
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return [];
  return [
    ...oneOf(recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'], field),
    ...(readOnly === true ? [] : [forbidden(field, 'may only be specified when readOnly is true')]),
    ...(mountPropagation === 'None'
      ? []
      : [forbidden(field, 'may only be specified when mountPropagation is None or not specified')]),
  ];
}

function validateMounts(container: Container, spec: PodSpec, field: string): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  return mounts.flatMap((mount, index) => {
    const at = `${field}.volumeMounts[${index}]`;
    const isDoubled = mounts.findIndex(({ mountPath }) => mountPath === mount.mountPath) < index;
    return [
      ...(mount.name
        ? volumes.has(mount.name)
          ? []
          : [notFound(`${at}.name`, mount.name)]
        : [required(`${at}.name`)]),
      ...(mount.mountPath ? [] : [required(`${at}.mountPath`)]),
      ...(mount.mountPath && isDoubled
        ? [invalid(`${at}.mountPath`, mount.mountPath, 'must be unique')]
        : []),
      ...(mount.subPath ? relativePath(mount.subPath, `${at}.subPath`) : []),
      ...(mount.subPathExpr ? relativePath(mount.subPathExpr, `${at}.subPathExpr`) : []),
      ...(mount.subPath && mount.subPathExpr
        ? [invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive')]
        : []),
      ...validateRecursiveReadOnly(mount, at),
      ...(mount.mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true
        ? [
            forbidden(
              `${at}.mountPropagation`,
              'Bidirectional mount propagation is available only to privileged containers',
            ),
          ]
        : []),
      ...oneOf(
        mount.mountPropagation,
        ['Bidirectional', 'HostToContainer', 'None'],
        `${at}.mountPropagation`,
      ),
    ];
  });
}

const STANDARD_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];

function validateResourceName(name: string, field: string): FieldError[] {
  if (STANDARD_RESOURCES.includes(name) || name.startsWith('hugepages-')) return [];
  const errors = qualifiedName(name).map((message) => invalid(field, name, message));
  if (errors.length > 0 || name.includes('/')) return errors;
  return [invalid(field, name, 'must be a standard resource for containers')];
}

export function validateResources(resources: ResourceRequirements, field: string): FieldError[] {
  const { limits = {}, requests = {} } = resources;
  const each = (['limits', 'requests'] as const).flatMap((list) =>
    Object.entries(resources[list] ?? {}).flatMap(([name, quantity]) => {
      const at = `${field}.${list}[${name}]`;
      const isNegative = quantityMilli(quantity) < 0;
      return [
        ...validateResourceName(name, at),
        ...(isNegative ? [invalid(at, quantity, 'must be greater than or equal to 0')] : []),
      ];
    }),
  );
  const above = Object.entries(requests).flatMap(([name, quantity]) => {
    const limit = limits[name];
    const at = `${field}.requests`;
    if (limit === undefined || quantityMilli(quantity) <= quantityMilli(limit)) return [];
    return [invalid(at, quantity, `must be less than or equal to ${name} limit of ${limit}`)];
  });
  return [...each, ...above];
}

const ID_RANGE = 'must be between 0 and 2147483647, inclusive';

export function validateIds(
  ids: { readonly [name: string]: number | undefined },
  field: string,
): FieldError[] {
  return Object.entries(ids).flatMap(([name, id]) =>
    id === undefined || (id >= 0 && id <= 2147483647) ? [] : [invalid(`${field}.${name}`, id, ID_RANGE)],
  );
}

const SECCOMP_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

export function validateSeccomp(profile: SecurityContext['seccompProfile'], field: string): FieldError[] {
  if (profile === undefined) return [];
  if (!profile.type) return [required(`${field}.type`)];
  const { type, localhostProfile } = profile;
  const path = `${field}.localhostProfile`;
  return [
    ...oneOf(type, SECCOMP_TYPES, `${field}.type`),
    ...(type === 'Localhost' && !localhostProfile
      ? [required(path, 'must be set when seccomp type is Localhost')]
      : []),
    ...(type !== 'Localhost' && localhostProfile
      ? [invalid(path, localhostProfile, 'can only be set when seccomp type is Localhost')]
      : []),
    ...(type === 'Localhost' && localhostProfile ? relativePath(localhostProfile, path) : []),
  ];
}

function validateSecurityContext(context: SecurityContext | undefined, field: string): FieldError[] {
  if (context === undefined) return [];
  const {
    runAsUser,
    runAsGroup,
    privileged,
    allowPrivilegeEscalation,
    capabilities,
    procMount,
    seccompProfile,
  } = context;
  const escalation = `${field}.allowPrivilegeEscalation`;
  return [
    ...validateIds({ runAsUser, runAsGroup }, field),
    ...validateSeccomp(seccompProfile, `${field}.seccompProfile`),
    ...oneOf(procMount, ['Default', 'Unmasked'], `${field}.procMount`),
    ...(allowPrivilegeEscalation === false && privileged === true
      ? [
          invalid(
            escalation,
            false,
            'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
          ),
        ]
      : []),
    ...(allowPrivilegeEscalation === false && capabilities?.add?.includes('CAP_SYS_ADMIN') === true
      ? [
          invalid(
            escalation,
            false,
            'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
          ),
        ]
      : []),
  ];
}

function validateImage(image: string | undefined, field: string): FieldError[] {
  if (!image) return [required(field)];
  return image.trim() === image
    ? []
    : [invalid(field, image, 'must not have leading or trailing whitespace')];
}

/** KEP-5307: at most 20 rules with at most 255 exit codes each, and a policy for what no rule says. */
function validateRestart(
  { restartPolicy, restartPolicyRules: rules = [] }: Container,
  field: string,
): FieldError[] {
  const at = `${field}.restartPolicyRules`;
  return [
    ...oneOf(restartPolicy, ['Always', 'Never', 'OnFailure'], `${field}.restartPolicy`),
    ...(rules.length > 0 && !restartPolicy
      ? [required(`${field}.restartPolicy`, 'must specify restartPolicy when restart rules are used')]
      : []),
    ...(rules.length > 20 ? [tooMany(at, rules.length, 20)] : []),
    ...rules.flatMap(({ action, exitCodes }, index) => {
      const rule = `${at}[${index}]`;
      const values = exitCodes?.values ?? [];
      return [
        ...(action
          ? oneOf(action, ['Restart', 'RestartAllContainers'], `${rule}.action`)
          : [required(`${rule}.action`)]),
        ...(exitCodes === undefined
          ? [required(`${rule}.exitCodes`, 'must be specified')]
          : oneOf(exitCodes.operator, ['In', 'NotIn'], `${rule}.exitCodes.operator`)),
        ...(values.length > 255 ? [tooMany(`${rule}.exitCodes.values`, values.length, 255)] : []),
      ];
    }),
  ];
}

export function validateContainer(
  container: Container,
  where: { readonly spec: PodSpec; readonly role: ContainerRole; readonly field: string },
): FieldError[] {
  const { spec, field } = where;
  const { name = '' } = container;
  return [
    ...(name === ''
      ? [required(`${field}.name`)]
      : dnsLabel(name).map((message) => invalid(`${field}.name`, name, message))),
    ...validateImage(container.image, `${field}.image`),
    ...oneOf(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${field}.imagePullPolicy`),
    ...oneOf(
      container.terminationMessagePolicy,
      ['FallbackToLogsOnError', 'File'],
      `${field}.terminationMessagePolicy`,
    ),
    ...validateRestart(container, field),
    ...(container.resizePolicy ?? []).flatMap(({ resourceName, restartPolicy }, index) => {
      const at = `${field}.resizePolicy[${index}]`;
      const policies = spec.restartPolicy === 'Never' ? ['NotRequired'] : ['NotRequired', 'RestartContainer'];
      return [
        ...oneOf(resourceName, ['cpu', 'memory'], `${at}.resourceName`),
        ...oneOf(restartPolicy, policies, `${at}.restartPolicy`),
      ];
    }),
    ...validatePorts(container, spec, field),
    ...validateEnv(container, field),
    ...validateMounts(container, spec, field),
    ...validateResources(container.resources ?? {}, `${field}.resources`),
    ...validateSecurityContext(container.securityContext, `${field}.securityContext`),
    ...validateProbes(container, where),
  ];
}
