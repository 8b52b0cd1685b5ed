// The garbage collector: its laws over any graph of owners, run by the real controller under a virtual clock; and the stories
// of `kubectl delete --cascade`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../src/base/clock.ts';
import { isPodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { KubeObject, ResourceRef } from '../../src/client/resource-api.ts';
import { CONFIG_MAPS, EVENTS, NAMESPACES, NODES, SECRETS } from '../../src/client/resources.ts';
import { runGarbageCollector } from '../../src/controllers/garbage/garbage-collector.ts';
import type { OwnerReference } from '../../src/kube/api-types.ts';
import type { PropagationPolicy } from '../../src/kube/owners.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';
import { MemoryApi } from '../lib/memory-api.ts';
import { assertProperty } from '../lib/property.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';

const KINDS: readonly ResourceRef[] = [CONFIG_MAPS, SECRETS];
const COUNT = 7;
const kindOf = (index: number): ResourceRef => KINDS[index % 2] ?? CONFIG_MAPS;
const keyOf = (index: number) => ({ namespace: 'ns', name: `o${index}` });

function ownerRef(index: number, block: boolean): OwnerReference {
  const { kind } = kindOf(index);
  return { apiVersion: 'v1', kind, name: `o${index}`, uid: `u${index}`, blockOwnerDeletion: block };
}

type Step =
  | { readonly do: 'create'; readonly at: number }
  /** A reference that comes later: circles, too. */
  | { readonly do: 'own'; readonly at: number; readonly by: number; readonly block: boolean }
  | { readonly do: 'delete'; readonly at: number; readonly policy: PropagationPolicy };
type Case = {
  readonly edges: readonly (readonly [number, number, boolean])[];
  readonly steps: readonly Step[];
};

const index = fc.nat({ max: COUNT - 1 });
const cases: fc.Arbitrary<Case> = fc.record({
  edges: fc.array(fc.tuple(index, index, fc.boolean()), { maxLength: 10 }),
  steps: fc.array(
    fc.oneof(
      { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), at: index }) },
      fc.record({ do: fc.constant('own' as const), at: index, by: index, block: fc.boolean() }),
      fc.record({
        do: fc.constant('delete' as const),
        at: index,
        policy: fc.constantFrom<PropagationPolicy>('Background', 'Foreground', 'Orphan'),
      }),
    ),
    { minLength: 3, maxLength: 20 },
  ),
});

/** Laws at every change: what goes was asked to go, or had nobody left; what waits for its dependents goes last. */
function watchLaws(api: MemoryApi, asked: ReadonlySet<string>): void {
  const live = (uid: string): KubeObject | undefined =>
    KINDS.flatMap((kind) => api.all(kind)).find(({ metadata }) => metadata?.uid === uid);
  api.onChange = ({ type, ...event }) => {
    if (type !== 'DELETED' || !('object' in event)) return;
    const { uid = '', ownerReferences = [] } = event.object.metadata ?? {};
    for (const owner of ownerReferences) {
      if (asked.has(uid) || live(owner.uid) === undefined) continue;
      const isGoing = live(owner.uid)?.metadata?.deletionTimestamp !== undefined;
      assert.ok(isGoing || owner.uid === uid, `${uid} was collected, and its owner ${owner.uid} stays`);
    }
  };
}

async function runCase({ edges, steps }: Case): Promise<void> {
  const clock = new VirtualClock();
  const api = new MemoryApi(clock);
  const asked = new Set<string>();
  watchLaws(api, asked);
  const ended = new AbortController();
  const running = runGarbageCollector({ api, clock, log: silentLog, kinds: () => KINDS }, ended.signal);
  await clock.settle();
  for (const step of steps) {
    const [kind, key] = [kindOf(step.at), keyOf(step.at)];
    try {
      if (step.do === 'create') {
        asked.delete(`u${step.at}`);
        const ownerReferences = edges
          .filter(([from, to]) => from === step.at && to !== step.at)
          .filter(([, to], at, all) => all.findIndex((edge) => edge[1] === to) === at)
          .map(([, to, block]) => ownerRef(to, block));
        const metadata = {
          ...key,
          uid: `u${step.at}`,
          ...(ownerReferences.length > 0 ? { ownerReferences } : {}),
        };
        await api.create(kind, { metadata });
      } else if (step.do === 'own') {
        const { metadata } = api.find(kind, key);
        const others = (metadata?.ownerReferences ?? []).filter(({ uid }) => uid !== `u${step.by}`);
        const body = { metadata: { ownerReferences: [...others, ownerRef(step.by, step.block)] } };
        await api.patch(kind, key, { type: 'application/merge-patch+json', body });
      } else {
        asked.add(`u${step.at}`);
        await api.delete(kind, key, { propagationPolicy: step.policy });
      }
    } catch (error) {
      if (!isPodwrightError(error, 'NotFound', 'AlreadyExists')) throw error;
    }
    await clock.settle();
  }
  await clock.advance(600_000);
  const left = KINDS.flatMap((one) => api.all(one));
  const uids = new Set(left.map(({ metadata }) => metadata?.uid));
  for (const { metadata } of left) {
    assert.equal(metadata?.deletionTimestamp, undefined, `${metadata?.uid} waits for ever`);
    const owners = metadata?.ownerReferences ?? [];
    for (const { uid } of owners) assert.ok(uids.has(uid), `${metadata?.uid} keeps its dead owner ${uid}`);
  }
  ended.abort();
  await running;
}

test('any graph of owners, any deletions: nothing is left waiting or without its owner, nothing goes unasked', async () => {
  const options = { file: 'test/controllers/garbage.test.ts', numRuns: 200 };
  await assertProperty(fc.asyncProperty(cases, runCase), options);
});

test('three that own one another in a circle go in the foreground all the same', async () => {
  const ring = [2, 4, 0].map((by, at) => ({ do: 'own' as const, at: at * 2, by, block: true }));
  const create = [0, 2, 4].map((at) => ({ do: 'create' as const, at }));
  const steps = [...create, ...ring, { do: 'delete' as const, at: 0, policy: 'Foreground' as const }];
  await runCase({ edges: [], steps });
});

async function withCollector(t: Parameters<typeof apiRig>[0]): Promise<ApiRig> {
  const rig = await apiRig(t);
  const { resources: api, kinds } = rig.server;
  const ended = new AbortController();
  const running = runGarbageCollector({ api, clock: systemClock(), log: silentLog, kinds }, ended.signal);
  t.after(async () => {
    ended.abort();
    await running;
  });
  return rig;
}

async function makeOwned({ server: { resources } }: ApiRig, owner: string, owned: string): Promise<void> {
  const { metadata } = await resources.create(CONFIG_MAPS, { metadata: { name: owner } });
  const uid = metadata?.uid ?? '';
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid, blockOwnerDeletion: true },
  ];
  await resources.create(SECRETS, { metadata: { name: owned, ownerReferences } });
}

test('kubectl delete --cascade', { timeout: 60_000 }, async (t) => {
  const rig = await withCollector(t);
  const { kubectl, server } = rig;
  const names = async (ref: ResourceRef): Promise<(string | undefined)[]> =>
    (await server.resources.list(ref)).items.map(({ metadata }) => metadata?.name);
  const isGone = async (ref: ResourceRef, name: string): Promise<true | undefined> =>
    (await names(ref)).includes(name) ? undefined : true;

  await makeOwned(rig, 'back', 'back-owned');
  assert.equal((await kubectl(['delete', 'cm', 'back'])).code, 0);
  await eventually('the dependent goes after its owner', () => isGone(SECRETS, 'back-owned'));

  await makeOwned(rig, 'fore', 'fore-owned');
  await server.resources.patch(
    SECRETS,
    { name: 'fore-owned' },
    { type: 'application/merge-patch+json', body: { metadata: { finalizers: ['test.io/held'] } } },
  );
  assert.equal((await kubectl(['delete', 'cm', 'fore', '--cascade=foreground', '--wait=false'])).code, 0);
  await eventually(
    'the dependent is being deleted',
    async () => (await server.resources.get(SECRETS, { name: 'fore-owned' })).metadata?.deletionTimestamp,
  );
  const waiting = await server.resources.get(CONFIG_MAPS, { name: 'fore' });
  assert.deepEqual(waiting.metadata?.finalizers, ['foregroundDeletion']);
  await server.resources.patch(
    SECRETS,
    { name: 'fore-owned' },
    { type: 'application/merge-patch+json', body: { metadata: { finalizers: null } } },
  );
  await eventually('the owner goes last', () => isGone(CONFIG_MAPS, 'fore'));

  await makeOwned(rig, 'or', 'or-owned');
  assert.equal((await kubectl(['delete', 'cm', 'or', '--cascade=orphan'])).code, 0);
  await eventually('the owner is gone', () => isGone(CONFIG_MAPS, 'or'));
  const orphan = await server.resources.get(SECRETS, { name: 'or-owned' });
  assert.equal(orphan.metadata?.ownerReferences, undefined);
  const odd = await kubectl([
    'delete',
    '--raw',
    '/api/v1/namespaces/default/secrets/or-owned?propagationPolicy=Odd',
  ]);
  assert.match(
    odd.stderr,
    /Unsupported value: "Odd": supported values: "Foreground", "Background", "Orphan"/,
  );
});

test('an owner in another namespace is none, one inside a namespace none of the cluster', {
  timeout: 60_000,
}, async (t) => {
  const rig = await withCollector(t);
  const { resources } = rig.server;
  await resources.create(NAMESPACES, { metadata: { name: 'far' } });
  const { metadata } = await resources.create(CONFIG_MAPS, { metadata: { name: 'owner', namespace: 'far' } });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata?.uid ?? '' }];
  await resources.create(SECRETS, { metadata: { name: 'foreign', namespace: 'default', ownerReferences } });
  await resources.create(NODES, { metadata: { name: 'n1', ownerReferences } });
  await eventually('the dependent is collected', async () =>
    (await resources.list(SECRETS)).items.length === 0 ? true : undefined,
  );
  const told = await eventually('both are told', async () => {
    const { items } = await resources.list(EVENTS);
    const about = items.filter(({ reason }) => reason === 'OwnerRefInvalidNamespace');
    return about.length === 2 ? about : undefined;
  });
  assert.deepEqual(told.map(({ involvedObject }) => involvedObject.name).sort(), ['foreign', 'n1']);
  assert.equal((await resources.list(NODES)).items.length, 1);
});
