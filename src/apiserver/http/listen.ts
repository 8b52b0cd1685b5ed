// The HTTPS server: its certificate, its address, and the kubeconfig by which it is found. What it answers is serve.ts's.
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf, writeFileAtomic } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import type { AuditLog } from '../audit-log.ts';
import type { HealthCheck } from '../request.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { createOpenApi } from './openapi/openapi.ts';
import { type Authority, ensurePki } from './pki.ts';
import type { HandlerParts } from './resource.ts';
import { createSeats } from './seats.ts';
import { handle, type ServeContext, upgrade } from './serve.ts';

export type ListenOptions = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly dataDir: string;
  /** By which pods reach it. */
  readonly serviceAddress?: string | undefined;
  readonly audit?: AuditLog | undefined;
};

export type Listening = {
  readonly url: string;
  /** By which this machine reaches it. */
  readonly host: string;
  readonly port: number;
  readonly kubeconfigPath: string;
  /** Ends streams and connections; resolves when the port is free. */
  close(): Promise<void>;
};

async function bind(server: Server, { host, port }: ListenOptions): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const code = errnoOf(cause) === 'EADDRINUSE' ? 'PortInUse' : 'InvalidInput';
    throw new PodwrightError(code, `listen on ${host}:${port}`, { cause });
  }
  return (server.address() as AddressInfo).port;
}

export async function listen(
  parts: HandlerParts & {
    readonly log: Log;
    readonly checks: readonly HealthCheck[];
    readonly authority: Authority;
  },
  options: ListenOptions,
): Promise<Listening> {
  const { host, dataDir } = options;
  const isAny = host === '0.0.0.0' || host === '::';
  const hosts = [
    'localhost',
    '127.0.0.1',
    '::1',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    hostname(),
    ...(isAny ? [] : [host]),
    ...(options.serviceAddress === undefined ? [] : [options.serviceAddress]),
  ];
  const pki = await ensurePki(join(dataDir, 'pki'), parts.authority, [...new Set(hosts)]);
  const closing = new AbortController();
  const openApi = createOpenApi(() => parts.parts.kinds);
  const shutdown: HealthCheck = {
    name: 'shutdown',
    of: 'readyz',
    whyNot: () => (closing.signal.aborted ? 'process is shutting down' : undefined),
  };
  const checks = [...parts.checks, shutdown];
  const context: ServeContext = {
    ...parts,
    checks,
    audit: options.audit,
    adminToken: pki.adminToken,
    openApi,
    closing: closing.signal,
    seats: createSeats(BOUNDS.requestSeats),
    longRunning: createSeats(BOUNDS.longRunningSeats),
  };
  const server = createServer({
    cert: pki.server.certificate,
    key: pki.server.key,
    ca: pki.ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    requestTimeout: BOUNDS.requestReadMs,
  });
  server.on('request', (request, response) => void handle(request, response, context));
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head, context));
  const port = await bind(server, options);
  const reachable = isAny ? '127.0.0.1' : host;
  const url = `https://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
  const kubeconfigPath = join(dataDir, 'kubeconfig');
  await writeFileAtomic(kubeconfigPath, kubeconfigText(url, pki), { mode: 0o600 });
  return {
    url,
    host: reachable,
    port,
    kubeconfigPath,
    close: async () => {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
