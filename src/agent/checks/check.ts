// What a probe or a hook does to a container, as data: whom to ask and how, with addresses and ports resolved. Pure.
import type { ContainerId } from '../../base/brand.ts';
import type {
  Container,
  ContainerPort,
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  TCPSocketAction,
} from '../../kube/api-types.ts';

export type HttpCheck = {
  readonly kind: 'http';
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
};
export type TcpCheck = { readonly kind: 'tcp'; readonly host: string; readonly port: number };
export type GrpcCheck = {
  readonly kind: 'grpc';
  readonly host: string;
  readonly port: number;
  readonly service: string;
};
export type ExecCheck = {
  readonly kind: 'exec';
  readonly id: ContainerId;
  readonly command: readonly string[];
};
export type Check =
  | HttpCheck
  | TcpCheck
  | GrpcCheck
  | ExecCheck
  /** It cannot be asked at all: the kubelet throws such a result away. */
  | { readonly kind: 'invalid'; readonly why: string };

/** warning is a success with something to tell; unknown says nothing of the container. */
export type CheckResult = {
  readonly kind: 'success' | 'warning' | 'failure' | 'unknown';
  readonly output: string;
};

export type CheckOptions = { readonly timeoutMs: number; readonly signal: AbortSignal };

/** Ends with a result in any case; an abort of the signal is the end of the time it was given. */
export type RunCheck = (check: Check, options: CheckOptions) => Promise<CheckResult>;

export type Handler = {
  readonly exec?: ExecAction | undefined;
  readonly httpGet?: HTTPGetAction | undefined;
  readonly tcpSocket?: TCPSocketAction | undefined;
  readonly grpc?: GRPCAction | undefined;
};

export type CheckTarget = { readonly container: Container; readonly id: ContainerId; readonly podIp: string };

export function checkOf(handler: Handler, { container, id, podIp }: CheckTarget): Check {
  const { exec, httpGet, tcpSocket, grpc } = handler;
  if (exec !== undefined) return { kind: 'exec', id, command: exec.command ?? [] };
  if (grpc !== undefined) return { kind: 'grpc', host: podIp, port: grpc.port, service: grpc.service ?? '' };
  const network = httpGet ?? tcpSocket;
  if (network === undefined) return { kind: 'invalid', why: `missing probe handler for ${container.name}` };
  const port = portOf(network.port, container.ports ?? []);
  if (port === undefined) return { kind: 'invalid', why: `invalid port number: ${network.port}` };
  const host = network.host === undefined || network.host === '' ? podIp : network.host;
  if (httpGet === undefined) return { kind: 'tcp', host, port };
  const { scheme = 'HTTP', path = '/', httpHeaders = [] } = httpGet;
  return {
    kind: 'http',
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: httpHeaders.map(({ name, value }) => ({ name, value: value ?? '' })),
  };
}

/** A number, a number as text, or the name of one of the container's ports. */
function portOf(port: number | string, ports: readonly ContainerPort[]): number | undefined {
  const number = Number(port);
  const found = Number.isInteger(number) ? number : ports.find(({ name }) => name === port)?.containerPort;
  return found !== undefined && found > 0 && found < 65536 ? found : undefined;
}
