// The garbage collector: follows every kind, plans (plan-garbage.ts) and carries out. Every write names the version it was
// planned on, and an owner that is thought to be gone is looked for once more before anything is deleted over it: kinds
// are followed one by one, and what is new under one may be seen before its owner under another.
import { BOUNDS } from '../../base/bounds.ts';
import { isPodwrightError } from '../../base/errors.ts';
import { createEventRecorder, referenceTo } from '../../client/event-recorder.ts';
import type { KubeObject, ObjectKey, ResourceRef } from '../../client/resource-api.ts';
import type { OwnerReference } from '../../kube/api-types.ts';
import { ownersOf } from '../../kube/owners.ts';
import { type ControllerOptions, createController } from '../controller.ts';
import { type GarbageStep, graphOf, type Item, planGarbage } from './plan-garbage.ts';

export type GarbageCollectorOptions = ControllerOptions & {
  /** Every kind there is now; asked again before each pass. */
  readonly kinds: () => readonly ResourceRef[];
};

/** Kubernetes' own exception: events are many, live an hour, and are owned by nobody. */
const IGNORED = ['events'];

const idOf = ({ group, version, plural }: ResourceRef): string => `${group}/${version}/${plural}`;

/** Only a change of these makes a difference to the plan. */
function isNews(object: KubeObject, before: KubeObject | undefined): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata ?? {};
  if (before === undefined) return deletionTimestamp !== undefined || ownersOf(object).length > 0;
  return (
    deletionTimestamp !== before.metadata?.deletionTimestamp ||
    JSON.stringify(finalizers) !== JSON.stringify(before.metadata?.finalizers ?? []) ||
    JSON.stringify(ownersOf(object)) !== JSON.stringify(ownersOf(before))
  );
}

/** Runs until the signal aborts. */
export function runGarbageCollector(options: GarbageCollectorOptions, signal: AbortSignal): Promise<void> {
  const { follow, run } = createController(options, signal);
  type Followed = {
    readonly ref: ResourceRef;
    readonly objects: ReadonlyMap<string, KubeObject>;
    readonly until: AbortController;
  };
  const followed = new Map<string, Followed>();
  /** Uids that some object named as its owner at the last pass; one that names another makes a pass of its own. */
  let owners: ReadonlyMap<string, unknown> = new Map();
  const wakesOnDelete = (object: KubeObject): boolean =>
    ownersOf(object).length > 0 || owners.has(object.metadata?.uid ?? '');

  /** Kinds come and go with their CustomResourceDefinitions. */
  const followKinds = (): void => {
    const kinds = new Map(
      options
        .kinds()
        .filter(({ plural }) => !IGNORED.includes(plural))
        .map((ref) => [idOf(ref), ref] as const),
    );
    for (const [id, { until }] of followed) {
      if (kinds.has(id)) continue;
      until.abort();
      followed.delete(id);
    }
    for (const [id, ref] of kinds) {
      if (followed.has(id)) continue;
      const until = new AbortController();
      const isDefinition = ref.plural === 'customresourcedefinitions';
      const objects = isDefinition
        ? follow(ref, { until: until.signal })
        : follow(ref, { wakes: isNews, wakesOnDelete, until: until.signal });
      followed.set(id, { ref, objects, until });
    }
  };

  const kindOf = ({ apiVersion, kind }: OwnerReference): ResourceRef | undefined => {
    const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
    const isIt = ({ ref }: Followed): boolean =>
      ref.group === group && ref.kind === kind && (ref.version === version || group !== '');
    return [...followed.values()].find(isIt)?.ref;
  };

  followKinds();
  return run({
    name: 'the garbage collector',
    plan: () => {
      followKinds();
      const items = [...followed.values()].flatMap(({ ref, objects }) =>
        [...objects.values()].map((object): Item => ({ ref, object })),
      );
      const graph = graphOf(items, kindOf);
      owners = graph.dependents;
      return { steps: planGarbage(graph) };
    },
    perform: createPerformer(options, kindOf),
  });
}

function createPerformer(
  { api, clock, log }: GarbageCollectorOptions,
  kindOf: (owner: OwnerReference) => ResourceRef | undefined,
) {
  const events = createEventRecorder({ api, clock, log, component: 'garbage-collector-controller' });
  const told = new Set<string>();

  const isThere = async (owner: OwnerReference, namespace: string | undefined): Promise<boolean> => {
    const ref = kindOf(owner);
    if (ref === undefined) return true;
    try {
      const found = await api.get(ref, { name: owner.name, ...(ref.namespaced ? { namespace } : {}) });
      return found.metadata?.uid === owner.uid;
    } catch (error) {
      if (isPodwrightError(error, 'NotFound')) return false;
      throw error;
    }
  };

  const setMeta = async ({ ref, object }: Item, change: object): Promise<void> => {
    const { uid, resourceVersion } = object.metadata ?? {};
    const body = { metadata: { uid, resourceVersion, ...change } };
    await api.patch(ref, keyOfItem(object), { type: 'application/merge-patch+json', body });
  };

  return async (step: GarbageStep): Promise<void> => {
    const { object, ref } = step.item;
    const { namespace, uid, resourceVersion } = object.metadata ?? {};
    if (step.kind === 'collect' || step.kind === 'setOwners') {
      for (const owner of step.absent) if (await isThere(owner, namespace)) return;
    }
    switch (step.kind) {
      case 'collect':
        await api.delete(ref, keyOfItem(object), {
          propagationPolicy: step.policy,
          preconditions: { uid, resourceVersion },
        });
        return;
      case 'setOwners':
        return setMeta(step.item, { ownerReferences: step.owners.length === 0 ? null : step.owners });
      case 'removeFinalizer': {
        const finalizers = (object.metadata?.finalizers ?? []).filter((one) => one !== step.finalizer);
        return setMeta(step.item, { finalizers: finalizers.length === 0 ? null : finalizers });
      }
      case 'tell': {
        const id = `${uid} ${step.owner.uid}`;
        if (told.has(id)) return;
        if (told.size >= BOUNDS.eventAggregations) told.clear();
        told.add(id);
        const { apiVersion, kind, name } = step.owner;
        const owner = `[${apiVersion}/${kind}, namespace: ${namespace ?? ''}, name: ${name}, uid: ${step.owner.uid}]`;
        const message = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace ?? '')}`;
        events.record({
          regarding: referenceTo(object),
          type: 'Warning',
          reason: 'OwnerRefInvalidNamespace',
          message,
        });
      }
    }
  };
}

function keyOfItem({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata?.namespace, name: metadata?.name ?? '' };
}
