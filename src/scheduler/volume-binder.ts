// Claims of pods that have found their node: the node is written on each, and the pod waits until all of them have their
// volume there. Who binds and makes volumes is the controller of volumes; this tells it where, and looks on.
import { BOUNDS } from '../base/bounds.ts';
import type { Clock } from '../base/clock.ts';
import { isBound } from '../kube/storage.ts';
import type { PlacedPod } from './cluster.ts';
import type { ClusterVolumes, StorageObject } from './cluster-volumes.ts';
import { type CommitParts, selectNode } from './commits.ts';

export type VolumeBinderOptions = {
  readonly volumes: ClusterVolumes;
  readonly commits: CommitParts;
  readonly clock: Clock;
  /** Called after each change of a claim, a volume or a class. */
  readonly onChange: () => void;
};

export class VolumeBinder {
  readonly #options: VolumeBinderOptions;
  /** Who waits for claims to be bound. */
  readonly #listeners = new Set<() => void>();

  constructor(options: VolumeBinderOptions) {
    this.#options = options;
  }

  /** What an informer of that kind calls, but for onSynced. */
  handlers(kind: StorageObject['kind']) {
    const { volumes, onChange } = this.#options;
    const changed = (): void => {
      onChange();
      for (const listener of this.#listeners) listener();
    };
    return {
      onObject: (object: StorageObject['object']): void => {
        volumes.set({ kind, object } as StorageObject);
        changed();
      },
      onDelete: (object: StorageObject['object']): void => {
        volumes.remove({ kind, object } as StorageObject);
        changed();
      },
    };
  }

  /** Whether all claims of these pods are bound; waits for it, but not for ever. */
  async bind(
    wanted: readonly { readonly placed: PlacedPod; readonly nodeName: string }[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { volumes, commits } = this.#options;
    const keys = wanted.flatMap(({ placed }) => placed.podClass.claims.map(({ key }) => key));
    const isReady = (): boolean =>
      keys.every((key) => {
        const claim = volumes.claims.get(key);
        return claim !== undefined && isBound(claim);
      });
    if (isReady()) return true;
    for (const { placed, nodeName } of wanted) {
      const claims = placed.podClass.claims.flatMap(({ key }) => volumes.claims.get(key) ?? []);
      await selectNode(
        commits,
        claims.filter((claim) => !isBound(claim)),
        nodeName,
      );
    }
    return this.#until(isReady, signal);
  }

  #until(isReady: () => boolean, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      if (isReady() || signal.aborted) resolve(isReady());
    };
    this.#listeners.add(look);
    signal.addEventListener('abort', look);
    const cancel = clock.at(clock.nowMs() + BOUNDS.volumeBindingMs, () => resolve(false));
    look();
    return promise.finally(() => {
      cancel();
      this.#listeners.delete(look);
      signal.removeEventListener('abort', look);
    });
  }
}
