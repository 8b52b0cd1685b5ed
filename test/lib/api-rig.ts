// An API server over a fresh store, in-process and over HTTPS, without an agent; for tests of the API alone.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ApiServer, createApiServer } from '../../src/apiserver/apiserver.ts';
import type { AuditLog } from '../../src/apiserver/audit-log.ts';
import { BOUNDS } from '../../src/base/bounds.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { type ApiConnection, connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import type { NodeApi } from '../../src/client/node-api.ts';
import type { KubeObject } from '../../src/client/resource-api.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { KUBECTL, type Output } from './engine.ts';

export type ApiRig = {
  readonly server: ApiServer;
  readonly store: Store<KubeObject>;
  readonly url: string;
  readonly dataDir: string;
  readonly kubeconfigPath: string;
  readonly http: ApiConnection;
  /** Runs real kubectl; a non-zero exit is a result. */
  kubectl(args: readonly string[], stdin?: string, env?: Record<string, string>): Promise<Output>;
};

export async function apiRig(
  t: TestContext,
  options: {
    readonly clock?: Clock;
    readonly node?: NodeApi;
    readonly audit?: AuditLog;
    readonly historyRevisions?: number;
  } = {},
): Promise<ApiRig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'api-rig-'));
  const { historyRevisions = BOUNDS.historyRevisions } = options;
  const store = await openStore<KubeObject>({ path: join(dataDir, 'store'), historyRevisions });
  const clock = options.clock ?? systemClock();
  const server = await createApiServer({
    store,
    clock,
    dataDir,
    log: silentLog,
    nodeApi: () => options.node,
  });
  const listening = await server.listen({ host: '127.0.0.1', port: 0, audit: options.audit });
  t.after(async () => {
    await listening.close();
    await server.close();
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  const kubectl: ApiRig['kubectl'] = (args, stdin = '', extra = {}) =>
    new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: listening.kubeconfigPath, HOME: dataDir, ...extra };
      const child = execFile(KUBECTL, [...args], { env, timeout: 120_000 }, (error, stdout, stderr) => {
        resolve({
          code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255,
          stdout,
          stderr,
        });
      });
      child.stdin?.end(stdin);
    });
  return {
    server,
    store,
    url: listening.url,
    dataDir,
    kubeconfigPath: listening.kubeconfigPath,
    http: connectApi(readKubeconfig(listening.kubeconfigPath)),
    kubectl,
  };
}

export const POD_MANIFEST = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - {name: a, image: "nginx:1", ports: [{containerPort: 80}]}
  - {name: b, image: "busybox:1", command: [sleep, "9"]}
`;
