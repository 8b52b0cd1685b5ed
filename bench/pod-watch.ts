// One watch of an engine's pods for all that wait for something of one: what a client sees, when it sees it.
import { type ApiConnection, connectApi, readKubeconfig } from '../src/client/http-client.ts';
import { PODS } from '../src/client/resources.ts';
import type { Pod } from '../src/kube/api-types.ts';

export const namespace = 'default';

export type PodWatch = ApiConnection & {
  /** Resolves with the first state that a watcher sees and that is as wanted, from now on. */
  until(name: string, isWanted: (pod: Pod) => boolean): Promise<Pod>;
  close(): Promise<void>;
};

export async function watchPods(kubeconfig: string): Promise<PodWatch> {
  const connection = connectApi(readKubeconfig(kubeconfig));
  const ended = new AbortController();
  const waiting = new Set<(pod: Pod) => void>();
  const { resourceVersion } = await connection.api.list(PODS, { namespace });
  const watching = (async () => {
    const { signal } = ended;
    for await (const event of connection.api.watch(PODS, { namespace, resourceVersion, signal }))
      if (event.type !== 'BOOKMARK') for (const look of waiting) look(event.object);
  })();
  const until = (name: string, isWanted: (pod: Pod) => boolean): Promise<Pod> =>
    new Promise((resolve) => {
      const look = (pod: Pod): void => {
        if (pod.metadata?.name !== name || !isWanted(pod)) return;
        waiting.delete(look);
        resolve(pod);
      };
      waiting.add(look);
    });
  const close = async (): Promise<void> => {
    ended.abort();
    await watching;
  };
  return { ...connection, until, close };
}
