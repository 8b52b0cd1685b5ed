// Rules for probes and lifecycle hooks (pkg/apis/core/validation validateProbe, validateLifecycle and below).
import type { Container, HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec, Probe } from '../api-types.ts';
import { type FieldError, forbidden, invalid, required } from '../field-error.ts';
import { isSidecar } from '../pod.ts';
import { portName } from './names.ts';
import { oneOf, withinRange } from './rules.ts';

/** Where a container stands in the spec: an init container has no probes unless it is a sidecar. */
export type ContainerRole = 'app' | 'init';

/** Linux's, as core/v1 Signal lists them. */
const STOP_SIGNALS = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP'.split(
    ' ',
  ),
  ...'TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(' '),
  ...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
  ...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`),
].map((name) => `SIG${name}`);

type HandlerName = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep';
type AnyHandler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & Pick<LifecycleHandler, 'sleep'>;

function validateHandler(handler: AnyHandler, names: readonly HandlerName[], field: string): FieldError[] {
  const given = names.filter((name) => handler[name] !== undefined);
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  return [
    ...(given.length === 0 ? [required(field, 'must specify a handler type')] : []),
    ...given
      .slice(1)
      .map((name) => forbidden(`${field}.${name}`, 'may not specify more than 1 handler type')),
    ...(exec !== undefined && (exec.command ?? []).length === 0 ? [required(`${field}.exec.command`)] : []),
    ...(httpGet === undefined ? [] : validateHttpGet(httpGet, `${field}.httpGet`)),
    ...(tcpSocket === undefined ? [] : portNumberOrName(tcpSocket.port, `${field}.tcpSocket.port`)),
    ...(grpc === undefined ? [] : portNumberOrName(grpc.port, `${field}.grpc.port`)),
    ...(sleep === undefined ? [] : withinRange(sleep.seconds, { min: 0 }, `${field}.sleep.seconds`)),
  ];
}

function validateHttpGet(
  { path, port, scheme, httpHeaders = [] }: HTTPGetAction,
  field: string,
): FieldError[] {
  return [
    ...(path === '' ? [required(`${field}.path`)] : []),
    ...portNumberOrName(port, `${field}.port`),
    ...oneOf(scheme, ['HTTP', 'HTTPS'], `${field}.scheme`),
    ...httpHeaders.flatMap(({ name = '' }, index) =>
      /^[-A-Za-z0-9]+$/.test(name)
        ? []
        : [
            invalid(
              `${field}.httpHeaders[${index}]`,
              name,
              "a valid HTTP header must consist of alphanumeric characters or '-'",
            ),
          ],
    ),
  ];
}

function portNumberOrName(port: number | string | undefined, field: string): FieldError[] {
  if (typeof port === 'string') return portName(port).map((message) => invalid(field, port, message));
  if (port !== undefined && port >= 1 && port <= 65535) return [];
  return [invalid(field, port ?? 0, 'must be between 1 and 65535, inclusive')];
}

function validateLifecycle(lifecycle: Lifecycle | undefined, spec: PodSpec, field: string): FieldError[] {
  if (lifecycle === undefined) return [];
  const { postStart, preStop, stopSignal } = lifecycle;
  const names = ['exec', 'httpGet', 'tcpSocket', 'sleep'] as const;
  return [
    ...(postStart === undefined ? [] : validateHandler(postStart, names, `${field}.postStart`)),
    ...(preStop === undefined ? [] : validateHandler(preStop, names, `${field}.preStop`)),
    ...(stopSignal !== undefined && spec.os?.name === undefined
      ? [forbidden(`${field}.stopSignal`, 'may not be set for containers with empty `spec.os.name`')]
      : []),
    ...(stopSignal === undefined ? [] : oneOf(stopSignal, STOP_SIGNALS, `${field}.stopSignal`)),
  ];
}

function validateProbe(probe: Probe | undefined, field: string): FieldError[] {
  if (probe === undefined) return [];
  const counts = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  return [
    ...validateHandler(probe, ['exec', 'httpGet', 'tcpSocket', 'grpc'], field),
    ...counts.flatMap((name) => withinRange(probe[name], { min: 0 }, `${field}.${name}`)),
    ...withinRange(probe.terminationGracePeriodSeconds, { min: 1 }, `${field}.terminationGracePeriodSeconds`),
  ];
}

export function validateProbes(
  container: Container,
  { role, spec, field }: { readonly role: ContainerRole; readonly spec: PodSpec; readonly field: string },
): FieldError[] {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  if (role === 'init' && !isSidecar(container)) {
    const named = { lifecycle, livenessProbe, readinessProbe, startupProbe };
    return Object.entries(named).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [forbidden(`${field}.${name}`, 'may not be set for init containers without restartPolicy=Always')],
    );
  }
  const mustBeOne = ({ successThreshold = 1 }: Probe, name: string): FieldError[] =>
    successThreshold === 1
      ? []
      : [invalid(`${field}.${name}.successThreshold`, successThreshold, 'must be 1')];
  const grace = `${field}.readinessProbe.terminationGracePeriodSeconds`;
  return [
    ...validateLifecycle(lifecycle, spec, `${field}.lifecycle`),
    ...(readinessProbe?.terminationGracePeriodSeconds === undefined
      ? []
      : [
          invalid(grace, readinessProbe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'),
        ]),
    ...validateProbe(livenessProbe, `${field}.livenessProbe`),
    ...validateProbe(readinessProbe, `${field}.readinessProbe`),
    ...validateProbe(startupProbe, `${field}.startupProbe`),
    ...(livenessProbe ? mustBeOne(livenessProbe, 'livenessProbe') : []),
    ...(startupProbe ? mustBeOne(startupProbe, 'startupProbe') : []),
  ];
}
