// The logs of all containers of a pod, line by line, each instance once and from its beginning.
import { createInterface } from 'node:readline';
import { errorText } from '../base/errors.ts';
import type { NodeApi } from '../client/node-api.ts';
import type { ContainerStatus, Pod } from '../kube/api-types.ts';

export type LogLine = { readonly pod: string; readonly container: string; readonly text: string };

export type LogFollower = {
  /** Opens the logs of instances that are new in this state of the pod. */
  update(pod: Pod): void;
  /** Resolves when every opened log has been read to its end. */
  drained(): Promise<void>;
};

/** An instance that has a log, now or soon. */
function instanceOf({ name, state, restartCount }: ContainerStatus): string | undefined {
  return state?.running !== undefined || state?.terminated !== undefined
    ? `${name}#${restartCount}`
    : undefined;
}

export function createLogFollower(
  node: Pick<NodeApi, 'logs'>,
  onLine: (line: LogLine) => void,
  signal: AbortSignal,
): LogFollower {
  const opened = new Set<string>();
  const readers = new Set<Promise<void>>();

  const read = async (namespace: string, pod: string, container: string): Promise<void> => {
    try {
      const options = { follow: true, previous: false, timestamps: false };
      const input = await node.logs({ namespace, pod, container }, options, signal);
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
        onLine({ pod, container, text });
    } catch (error) {
      // A pod that is going takes its logs along; nothing is lost that anyone could still read.
      if (!signal.aborted) onLine({ pod, container, text: `(log ended: ${errorText(error)})` });
    }
  };

  const update = (pod: Pod): void => {
    const { uid, namespace = '', name = '' } = pod.metadata ?? {};
    for (const status of [
      ...(pod.status?.initContainerStatuses ?? []),
      ...(pod.status?.containerStatuses ?? []),
    ]) {
      const instance = instanceOf(status);
      if (instance === undefined || opened.has(`${uid}/${instance}`)) continue;
      opened.add(`${uid}/${instance}`);
      const reader = read(namespace, name, status.name).finally(() => readers.delete(reader));
      readers.add(reader);
    }
  };

  const drained = async (): Promise<void> => {
    await Promise.all(readers);
  };
  return { update, drained };
}
