// pods/binding as the place where several schedulers commit: who comes too late gets 409 and a reason; whatever comes at
// once, the outcome is that of some order, and no node is ever given more than it has.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { BINDING_LISTS, BINDINGS, NODES, PODS } from '../../src/client/resources.ts';
import type { Binding, Pod, PodSpec } from '../../src/kube/api-types.ts';
import { apiRig } from '../lib/api-rig.ts';
import { assertProperty } from '../lib/property.ts';

async function makeNode(api: ResourceApi, name: string, allocatable: Record<string, string>): Promise<void> {
  const created = await api.create(NODES, { metadata: { name } });
  await api.update(NODES, { ...created, status: { allocatable } }, { subresource: 'status' });
}

const podOf = (name: string, memory: string, hostPort?: number): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: {
    schedulerName: 'nobody',
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'c',
        image: 'none',
        resources: { requests: { memory } },
        ...(hostPort === undefined ? {} : { ports: [{ containerPort: 80, hostPort }] }),
      },
    ],
  } satisfies PodSpec,
});

const bind = (
  api: ResourceApi,
  name: string,
  node: string,
  more: { readonly metadata?: Binding['metadata']; readonly target?: Partial<Binding['target']> } = {},
): Promise<Binding> =>
  api.create(
    BINDINGS,
    {
      metadata: { name, namespace: 'default', ...more.metadata },
      target: { kind: 'Node', name: node, ...more.target },
    },
    { subresource: 'binding' },
  );

async function rigWithNode(t: TestContext, allocatable: Record<string, string>): Promise<ResourceApi> {
  const { server } = await apiRig(t);
  await makeNode(server.resources, 'n', allocatable);
  return server.resources;
}

const create = async (api: ResourceApi, ...pods: readonly Pod[]): Promise<void> => {
  for (const pod of pods) await api.create(PODS, pod);
};

const lost = (promise: Promise<unknown>, why: RegExp): Promise<void> =>
  assert.rejects(promise, { code: 'Conflict', message: why });

test('resources, the number of pods and host ports are given away once', async (t) => {
  const api = await rigWithNode(t, { memory: '1Gi', cpu: '1', pods: '3' });
  await create(
    api,
    podOf('a', '600Mi', 80),
    podOf('b', '600Mi'),
    podOf('c', '1Mi', 80),
    podOf('d', '1Mi'),
    podOf('e', '1Mi'),
    podOf('f', '1Mi'),
  );
  await bind(api, 'a', 'n');
  await lost(bind(api, 'b', 'n'), /node n has no room for pod b: Insufficient memory/);
  await lost(bind(api, 'c', 'n'), /no room for pod c: node\(s\) didn't have free ports/);
  await bind(api, 'd', 'n');
  await bind(api, 'e', 'n');
  await lost(bind(api, 'f', 'n'), /no room for pod f: Too many pods/);
  await lost(bind(api, 'a', 'n'), /pod a is already assigned to node "n"/);
  await api.delete(PODS, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 });
  await bind(api, 'b', 'n');
});

test('a pod that has ended gives its room back', async (t) => {
  const api = await rigWithNode(t, { memory: '1Gi' });
  await create(api, podOf('a', '1Gi'), podOf('b', '1Gi'));
  await bind(api, 'a', 'n');
  await lost(bind(api, 'b', 'n'), /Insufficient memory/);
  const patch = { type: 'application/merge-patch+json', body: { status: { phase: 'Succeeded' } } } as const;
  await api.patch(PODS, { namespace: 'default', name: 'a' }, patch, { subresource: 'status' });
  await bind(api, 'b', 'n');
});

test('the versions a binding was planned on must still hold', async (t) => {
  const api = await rigWithNode(t, { memory: '1Gi' });
  await create(api, podOf('a', '1Mi'));
  const pod = await api.get(PODS, { namespace: 'default', name: 'a' });
  const node = await api.get(NODES, { name: 'n' });
  const patch = { type: 'application/merge-patch+json', body: { metadata: { labels: { x: 'y' } } } } as const;
  await api.patch(NODES, { name: 'n' }, patch);
  const { resourceVersion } = node.metadata ?? {};
  await lost(
    bind(api, 'a', 'n', { target: { resourceVersion } }),
    /node n: Precondition failed: ResourceVersion/,
  );
  await lost(bind(api, 'a', 'n', { target: { uid: 'other' } }), /node n: Precondition failed: UID/);
  await lost(
    bind(api, 'a', 'n', { metadata: { resourceVersion: '1' } }),
    /Precondition failed: ResourceVersion in precondition: 1/,
  );
  const newest = await api.get(NODES, { name: 'n' });
  await bind(api, 'a', 'n', {
    metadata: { uid: pod.metadata?.uid, resourceVersion: pod.metadata?.resourceVersion },
    target: { uid: newest.metadata?.uid, resourceVersion: newest.metadata?.resourceVersion },
  });
});

test('a List of bindings is committed whole or not at all', async (t) => {
  const api = await rigWithNode(t, { memory: '1Gi' });
  await create(api, podOf('a', '600Mi'), podOf('b', '600Mi'), podOf('c', '400Mi'));
  const together = (...names: readonly string[]) =>
    api.create(BINDING_LISTS, {
      kind: 'List',
      metadata: { namespace: 'default' },
      items: names.map((name) => ({
        metadata: { name, namespace: 'default' },
        target: { kind: 'Node', name: 'n' },
      })),
    });
  await lost(together('a', 'b'), /no room for pod b: Insufficient memory/);
  const nodesOf = async () => (await api.list(PODS)).items.map(({ spec }) => spec?.nodeName);
  assert.deepEqual(await nodesOf(), [undefined, undefined, undefined]);
  // The room that a would have taken was given back, too.
  const [first, second] = await Promise.allSettled([together('a', 'b'), together('a', 'c')]);
  assert.deepEqual([first.status, second.status], ['rejected', 'fulfilled']);
  assert.deepEqual(await nodesOf(), ['n', undefined, 'n']);
});

test('property: bindings that come at once end as in some order, and no node is over its capacity', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  let round = 0;
  const wish = fc.record({
    mebibytes: fc.integer({ min: 1, max: 6 }),
    node: fc.nat(1),
    port: fc.constantFrom(undefined, undefined, 80),
  });
  await assertProperty(
    fc.asyncProperty(
      fc.array(wish, { minLength: 2, maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      async (wishes, pods) => {
        round += 1;
        const nodes = [0, 1].map((index) => `n${round}-${index}`);
        for (const name of nodes) await makeNode(api, name, { memory: '10Mi', pods: String(pods) });
        const named = wishes.map((one, index) => ({
          ...one,
          name: `p${round}-${index}`,
          target: nodes[one.node] ?? '',
        }));
        await Promise.all(
          named.map(({ name, mebibytes, port }) => api.create(PODS, podOf(name, `${mebibytes}Mi`, port))),
        );
        const answers = await Promise.allSettled(named.map(({ name, target }) => bind(api, name, target)));
        const { items } = await api.list(PODS, { namespace: 'default' });
        const nodeOf = new Map(items.map(({ metadata, spec }) => [metadata?.name ?? '', spec?.nodeName]));
        const fits = (held: typeof named, one: (typeof named)[number]): boolean =>
          held.length < pods &&
          [...held, one].reduce((sum, { mebibytes }) => sum + mebibytes, 0) <= 10 &&
          (one.port === undefined || held.every(({ port }) => port === undefined));
        for (const node of nodes) {
          const here = named.filter(({ target }) => target === node);
          // The store decides in the order in which it was asked.
          const held: typeof named = [];
          for (const one of here) {
            const answer = answers[named.indexOf(one)];
            assert.equal(answer?.status, fits(held, one) ? 'fulfilled' : 'rejected', one.name);
            assert.equal(nodeOf.get(one.name), answer?.status === 'fulfilled' ? node : undefined);
            if (answer?.status === 'fulfilled') held.push(one);
          }
        }
      },
    ),
    { file: 'test/apiserver/binding.test.ts', numRuns: 40 },
  );
});
