// Static pods: manifests in a directory of this node become pods that no scheduler placed. The pod object in the API is
// made here, bound to this node, and made again when someone deletes it; a changed file replaces the pod, a removed
// file ends it. A bad file is reported and disturbs nothing else.
// Unlike the kubelet's, such a pod runs only while the API answers: the API is in this very process.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { BOUNDS } from '../base/bounds.ts';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { errorText, isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { runInformer } from '../client/informer.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { PODS } from '../client/resources.ts';
import type { ObjectMeta, Pod, PodSpec } from '../kube/api-types.ts';
import { isStaticPod, MIRROR_ANNOTATION } from '../kube/pod.ts';

/** Kubernetes' annotations of static pods, beside the mirror's. */
const HASH = 'kubernetes.io/config.hash';
const SOURCE = 'kubernetes.io/config.source';

export type StaticPodsOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly node: { readonly name: string };
  readonly directory: string;
};

export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #stopping = new AbortController();
  /** Mirror pods in the API, by namespace/name. */
  readonly #present = new Map<string, Pod>();
  #watcher: FSWatcher | undefined;
  #cancelTimer: CancelTimer = () => {};
  #isReconciling = false;
  #isDue = false;
  #failuresInRow = 0;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { api, directory, log, node } = this.#options;
    await mkdir(directory, { recursive: true });
    this.#watcher = watch(directory, () => this.#wake());
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const handlers = {
      onObject: (pod: Pod) => {
        if (isStaticPod(pod)) this.#present.set(keyOf(pod), pod);
      },
      onDelete: (pod: Pod) => {
        if (this.#present.delete(keyOf(pod))) this.#wake();
      },
      onSynced: resolve,
    };
    const select = { fieldSelector: `spec.nodeName=${node.name}` };
    void runInformer({ api, ref: PODS, select, handlers, log }, this.#stopping.signal);
    await synced;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    this.#watcher?.close();
  }

  /** One reconciliation at a time; wakes during one make one more. */
  #wake(): void {
    this.#isDue = true;
    if (!this.#isReconciling) void this.#reconcileWhileDue();
  }

  async #reconcileWhileDue(): Promise<void> {
    this.#isReconciling = true;
    while (this.#isDue && !this.#stopping.signal.aborted) {
      this.#isDue = false;
      try {
        await this.#reconcile();
        this.#failuresInRow = 0;
      } catch (error) {
        this.#retryLater(error);
      }
    }
    this.#isReconciling = false;
  }

  #retryLater(error: unknown): void {
    const { clock, log, directory } = this.#options;
    this.#failuresInRow += 1;
    const waitMs = Math.min(BOUNDS.stepRetryMsMax, BOUNDS.stepRetryMsMin * 2 ** (this.#failuresInRow - 1));
    log.warn('static pods could not be reconciled', { directory, error: errorText(error), waitMs });
    this.#cancelTimer();
    this.#cancelTimer = clock.at(clock.nowMs() + waitMs, () => this.#wake());
  }

  async #reconcile(): Promise<void> {
    const { api } = this.#options;
    const wanted = await this.#readDirectory();
    for (const [key, pod] of this.#present) {
      const wish = wanted.get(key);
      const isSame = wish !== undefined && hashOf(wish) === hashOf(pod);
      if (isSame || pod.metadata?.deletionTimestamp !== undefined) continue;
      await ignoring(
        'NotFound',
        api.delete(PODS, { namespace: pod.metadata?.namespace, name: pod.metadata?.name ?? '' }),
      );
    }
    for (const [key, pod] of wanted) {
      if (!this.#present.has(key)) await ignoring('AlreadyExists', this.#create(pod));
    }
  }

  async #create(pod: Pod): Promise<void> {
    try {
      await this.#options.api.create(PODS, pod);
    } catch (error) {
      if (!isPodwrightError(error, 'Invalid', 'BadRequest', 'Forbidden', 'NotFound')) throw error;
      this.#report(pod.metadata?.annotations?.[SOURCE] ?? '', error);
    }
  }

  async #readDirectory(): Promise<ReadonlyMap<string, Pod>> {
    const { directory } = this.#options;
    const pods = new Map<string, Pod>();
    for (const file of (await readdir(directory)).sort()) {
      if (!/^[^.].*\.(ya?ml|json)$/.test(file)) continue;
      const path = join(directory, file);
      try {
        for (const pod of parseManifest(await readFile(path, 'utf8'), path, this.#options.node.name))
          pods.set(keyOf(pod), pod);
      } catch (error) {
        this.#report(path, error);
      }
    }
    return pods;
  }

  #report(path: string, error: unknown): void {
    const { log, recorder, node } = this.#options;
    const message = `static pod manifest ${path}: ${errorText(error)}`;
    log.warn('static pod manifest refused', { path, error: errorText(error) });
    recorder.record({
      regarding: { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.name },
      type: 'Warning',
      reason: 'FailedValidation',
      message,
    });
  }
}

/** The pods of one manifest, as they are created: "<name>-<node>", bound, marked. Throws InvalidInput. */
export function parseManifest(text: string, path: string, nodeName: string): readonly Pod[] {
  const documents = parseAllDocuments(text);
  return ('empty' in documents ? [] : documents).flatMap((document): Pod[] => {
    const [error] = document.errors;
    if (error !== undefined) throw new PodwrightError('InvalidInput', error.message);
    const object: unknown = document.toJS();
    if (object === null) return [];
    if (!isPod(object)) throw new PodwrightError('InvalidInput', 'it is not a Pod with a name and a spec');
    const { metadata, spec } = object;
    const hash = createHash('md5')
      .update(JSON.stringify([object, nodeName]))
      .digest('hex');
    return [
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...metadata,
          name: `${metadata.name}-${nodeName}`,
          namespace: metadata.namespace ?? 'default',
          annotations: { ...metadata.annotations, [MIRROR_ANNOTATION]: hash, [HASH]: hash, [SOURCE]: path },
        },
        spec: { ...spec, nodeName },
      },
    ];
  });
}

type Manifest = Pod & { readonly metadata: ObjectMeta; readonly spec: PodSpec };

function isPod(object: unknown): object is Manifest {
  const pod = object as Pod;
  return pod.kind === 'Pod' && typeof pod.metadata?.name === 'string' && Array.isArray(pod.spec?.containers);
}

const keyOf = (pod: Pod): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;
const hashOf = (pod: Pod): string | undefined => pod.metadata?.annotations?.[HASH];

async function ignoring(code: 'NotFound' | 'AlreadyExists', work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isPodwrightError(error, code)) throw error;
  });
}
