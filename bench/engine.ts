// Podwright in the bench: pods by its API, seen by a watch; gone when the machine's own record of the pod is gone, which is
// the last thing that goes.
import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { BOUNDS } from '../src/base/bounds.ts';
import { connectApi, readKubeconfig } from '../src/client/http-client.ts';
import { PODS } from '../src/client/resources.ts';
import type { Pod } from '../src/kube/api-types.ts';
import { eventually, TestEngine } from '../test/lib/engine.ts';
import { podOf, shell } from '../test/lib/manifests.ts';
import type { Contestant } from './contestant.ts';

/** The pod that all contestants run. */
export function benchPod(name: string, containers: number): Pod {
  const list = Array.from({ length: containers }, (_, index) => shell(`c${index}`, 'exec sleep 3600'));
  return podOf(name, list);
}

export const isRunning = (pod: Pod, containers: number): boolean =>
  (pod.status?.containerStatuses ?? []).filter(({ state }) => state?.running).length === containers;

/** Resolves when the path is gone; told by the kernel. */
function untilGone(dir: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(dir);
    const look = (): void => {
      if (existsSync(join(dir, name))) return;
      watcher.close();
      resolve();
    };
    watcher.on('change', look);
    look();
  });
}

export async function openEngine(
  containers: number,
  {
    warmSandboxes = BOUNDS.warmSandboxes,
    flags = [],
  }: { readonly warmSandboxes?: number; readonly flags?: readonly string[] } = {},
): Promise<Contestant & { readonly engine: TestEngine }> {
  const engine = new TestEngine({ arguments: ['--warm-sandboxes', String(warmSandboxes), ...flags] });
  await engine.start();
  await engine.loadImage('busybox');
  const { api, node } = connectApi(readKubeconfig(engine.kubeconfig));
  const ended = new AbortController();
  const namespace = 'default';
  let seen: (pod: Pod) => void = () => {};
  const { resourceVersion } = await api.list(PODS, { namespace });
  const watching = (async () => {
    for await (const event of api.watch(PODS, { namespace, resourceVersion, signal: ended.signal }))
      if (event.type !== 'BOOKMARK') seen(event.object);
  })();
  const pods = join(engine.dir, 'run', 'pods');
  const leases = join(engine.dataDir, 'network/leases');
  const isWarm = (name: string): boolean => name.startsWith('warm-');
  let round = 0;
  let uid = '';
  const name = (): string => `bench-${round}`;
  return {
    name: 'Podwright',
    engine,
    up: async () => {
      round += 1;
      const running = new Promise<void>((resolve) => {
        seen = (pod) => pod.metadata?.name === name() && isRunning(pod, containers) && resolve();
      });
      const pod = await api.create(PODS, benchPod(name(), containers));
      uid = pod.metadata?.uid ?? '';
      await running;
    },
    down: async () => {
      const gone = untilGone(pods, uid);
      await api.delete(PODS, { namespace, name: name() }, { gracePeriodSeconds: 0 });
      await gone;
    },
    settle: async () => {
      if (warmSandboxes === 0) return;
      const full = () => (readdirSync(leases).filter(isWarm).length === warmSandboxes ? true : undefined);
      await eventually('the warm sandboxes are ready', full);
    },
    exec: async (command) => {
      const stdout = new Writable({ write: (_chunk, _encoding, callback) => callback() });
      const signal = AbortSignal.timeout(60_000);
      const request = { namespace, pod: name(), command, tty: false, stdout, stderr: stdout, signal };
      const exitCode = await (await node.exec(request)).exitCode;
      if (exitCode !== 0) throw new Error(`exec: exit code ${exitCode}`);
    },
    close: async () => {
      ended.abort();
      await watching;
      await engine.close();
    },
  };
}
