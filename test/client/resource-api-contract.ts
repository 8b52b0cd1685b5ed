// What every ResourceApi does, in-process or over HTTP.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ErrorCode, isPodwrightError } from '../../src/base/errors.ts';
import type { ResourceApi, WatchEvent } from '../../src/client/resource-api.ts';
import { BINDINGS, CONFIG_MAPS, NAMESPACES, PODS } from '../../src/client/resources.ts';
import type { ConfigMap, Pod } from '../../src/kube/api-types.ts';

const pod = (name: string): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: { containers: [{ name: 'a', image: 'nginx:1' }] },
});
const key = (name: string) => ({ namespace: 'default', name });
const code =
  (...codes: ErrorCode[]) =>
  (error: unknown) =>
    isPodwrightError(error, ...codes);

async function take<T>(events: AsyncIterable<WatchEvent<T>>, count: number): Promise<WatchEvent<T>[]> {
  const taken: WatchEvent<T>[] = [];
  for await (const event of events) {
    if (event.type !== 'BOOKMARK') taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

export function resourceApiContract(make: (t: TestContext) => Promise<ResourceApi>): void {
  test('create defaults, stamps and answers the stored object; twice is AlreadyExists', async (t) => {
    const api = await make(t);
    const made = await api.create(PODS, pod('web'));
    assert.match(made.metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(made.metadata?.generation, 1);
    assert.equal(made.spec?.restartPolicy, 'Always');
    assert.deepEqual(made.status, { phase: 'Pending', qosClass: 'BestEffort' });
    assert.deepEqual(await api.get(PODS, key('web')), made);
    await assert.rejects(api.create(PODS, pod('web')), code('AlreadyExists'));
  });

  test('what is wrong is told by its reason', async (t) => {
    const api = await make(t);
    await assert.rejects(api.get(PODS, key('none')), code('NotFound'));
    await assert.rejects(
      api.create(PODS, { metadata: { name: 'x', namespace: 'default' }, spec: { containers: [] } }),
      (error) => {
        assert.ok(isPodwrightError(error, 'Invalid'));
        assert.deepEqual(
          error.details.causes?.map(({ field }) => field),
          ['spec.containers'],
        );
        return true;
      },
    );
    const elsewhere = { ...pod('x'), metadata: { name: 'x', namespace: 'nowhere' } };
    await assert.rejects(api.create(PODS, elsewhere), code('NotFound'));
  });

  test('update is a compare-and-swap when it names a resourceVersion', async (t) => {
    const api = await make(t);
    const map: ConfigMap = { metadata: { name: 'c', namespace: 'default' }, data: { a: '1' } };
    const first = await api.create(CONFIG_MAPS, map);
    const second = await api.update(CONFIG_MAPS, { ...first, data: { a: '2' } });
    await assert.rejects(api.update(CONFIG_MAPS, { ...first, data: { a: '3' } }), code('Conflict'));
    const { resourceVersion: _, ...meta } = first.metadata ?? {};
    const third = await api.update(CONFIG_MAPS, { ...first, metadata: meta, data: { a: '3' } });
    assert.equal(third.data?.a, '3');
    assert.notEqual(second.metadata?.resourceVersion, third.metadata?.resourceVersion);
    const same = await api.update(CONFIG_MAPS, third);
    assert.equal(same.metadata?.resourceVersion, third.metadata?.resourceVersion);
  });

  test('the status subresource changes status alone, the resource everything else', async (t) => {
    const api = await make(t);
    await api.create(PODS, pod('web'));
    const patch = {
      type: 'application/merge-patch+json',
      body: { spec: { nodeName: 'n' }, status: { phase: 'Running' } },
    } as const;
    const after = await api.patch(PODS, key('web'), patch, { subresource: 'status' });
    assert.deepEqual(
      [after.status?.phase, after.spec?.nodeName, after.metadata?.generation],
      ['Running', undefined, 1],
    );
    const body = { status: { phase: 'Failed' }, spec: { containers: [{ name: 'a', image: 'nginx:2' }] } };
    const image = await api.patch(PODS, key('web'), { type: 'application/strategic-merge-patch+json', body });
    assert.deepEqual(
      [image.status?.phase, image.spec?.containers[0]?.image, image.metadata?.generation],
      ['Running', 'nginx:2', 2],
    );
  });

  test('binding gives a node once', async (t) => {
    const api = await make(t);
    await api.create(PODS, pod('web'));
    const binding = { metadata: { name: 'web', namespace: 'default' }, target: { kind: 'Node', name: 'n1' } };
    await api.create(BINDINGS, binding, { subresource: 'binding' });
    const bound = await api.get(PODS, key('web'));
    assert.equal(bound.spec?.nodeName, 'n1');
    assert.equal(bound.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.status, 'True');
    await assert.rejects(api.create(BINDINGS, binding, { subresource: 'binding' }), code('Conflict'));
  });

  test('a bound pod is deleted gracefully; grace only shrinks; grace 0 removes', async (t) => {
    const api = await make(t);
    await api.create(PODS, pod('web'));
    await api.create(
      BINDINGS,
      { metadata: { name: 'web', namespace: 'default' }, target: { name: 'n' } },
      { subresource: 'binding' },
    );
    const asked = await api.delete(PODS, key('web'));
    assert.equal(asked.metadata?.deletionGracePeriodSeconds, 30);
    assert.equal(
      (await api.delete(PODS, key('web'), { gracePeriodSeconds: 60 })).metadata?.deletionGracePeriodSeconds,
      30,
    );
    const sooner = await api.delete(PODS, key('web'), { gracePeriodSeconds: 7 });
    assert.equal(sooner.metadata?.deletionGracePeriodSeconds, 7);
    assert.ok((sooner.metadata?.deletionTimestamp ?? '') < (asked.metadata?.deletionTimestamp ?? ''));
    const wrong = { gracePeriodSeconds: 0, preconditions: { uid: 'other' } };
    await assert.rejects(api.delete(PODS, key('web'), wrong), code('Conflict'));
    await api.delete(PODS, key('web'), { gracePeriodSeconds: 0 });
    await assert.rejects(api.get(PODS, key('web')), code('NotFound'));
  });

  test('list selects and pages', async (t) => {
    const api = await make(t);
    for (const name of ['p1', 'p2', 'p3']) await api.create(PODS, pod(name));
    const names = async (options: object) =>
      (await api.list(PODS, options)).items.map(({ metadata }) => metadata?.name);
    assert.deepEqual(await names({ labelSelector: 'app in (p1,p3)' }), ['p1', 'p3']);
    assert.deepEqual(await names({ fieldSelector: 'metadata.name!=p1,status.phase=Pending' }), ['p2', 'p3']);
    assert.deepEqual(await names({ namespace: 'kube-system' }), []);
    const page = await api.list(PODS, { limit: 2 });
    assert.equal(page.items.length, 2);
    const rest = await api.list(PODS, { limit: 2, continue: page.continue });
    assert.deepEqual(
      [rest.items.length, rest.continue, rest.resourceVersion],
      [1, undefined, page.resourceVersion],
    );
    await assert.rejects(api.list(PODS, { fieldSelector: 'spec.nope=1' }), code('BadRequest'));
  });

  test('watch tells of everything since the list, and leaving the selection is a deletion', async (t) => {
    const api = await make(t);
    await api.create(PODS, pod('p1'));
    const { resourceVersion } = await api.list(PODS);
    const select = {
      fieldSelector: 'status.phase=Pending',
      resourceVersion,
      signal: AbortSignal.timeout(60_000),
    };
    const events = take(api.watch(PODS, select), 3);
    await api.create(PODS, pod('p2'));
    const patch = { type: 'application/merge-patch+json', body: { status: { phase: 'Running' } } } as const;
    await api.patch(PODS, key('p1'), patch, { subresource: 'status' });
    await api.delete(PODS, key('p2'));
    const seen = (await events).map((event) => [
      event.type,
      event.type === 'BOOKMARK' ? '' : event.object.metadata?.name,
    ]);
    assert.deepEqual(seen, [
      ['ADDED', 'p2'],
      ['DELETED', 'p1'],
      ['DELETED', 'p2'],
    ]);
    const gone = { resourceVersion: '1', signal: AbortSignal.timeout(60_000) };
    await take(api.watch(PODS, gone), 1);
  });

  test('a watch without a revision starts with what is there, and ends quietly by its signal', async (t) => {
    const api = await make(t);
    await api.create(PODS, pod('p1'));
    const ended = new AbortController();
    const seen: string[] = [];
    for await (const event of api.watch(PODS, { signal: ended.signal })) {
      seen.push(event.type);
      ended.abort();
    }
    assert.deepEqual(seen, ['ADDED']);
    const future = { resourceVersion: '99999999', signal: AbortSignal.timeout(60_000) };
    await assert.rejects(take(api.watch(PODS, future), 1), code('Expired'));
  });

  test('dry run answers and changes nothing', async (t) => {
    const api = await make(t);
    const made = await api.create(PODS, pod('web'), { dryRun: true });
    assert.equal(made.spec?.dnsPolicy, 'ClusterFirst');
    await assert.rejects(api.get(PODS, key('web')), code('NotFound'));
  });

  test('a deleted namespace takes its contents with it', async (t) => {
    const api = await make(t);
    await api.create(NAMESPACES, { metadata: { name: 'team' } });
    await api.create(CONFIG_MAPS, { metadata: { name: 'c', namespace: 'team' } });
    const { resourceVersion } = await api.list(NAMESPACES);
    const gone = take(api.watch(NAMESPACES, { resourceVersion, signal: AbortSignal.timeout(60_000) }), 2);
    const ending = await api.delete(NAMESPACES, { name: 'team' });
    assert.equal(ending.status?.phase, 'Terminating');
    assert.deepEqual(
      (await gone).map(({ type }) => type),
      ['MODIFIED', 'DELETED'],
    );
    assert.deepEqual((await api.list(CONFIG_MAPS, { namespace: 'team' })).items, []);
  });

  test('finalizers hold an object up until they are taken away', async (t) => {
    const api = await make(t);
    await api.create(CONFIG_MAPS, {
      metadata: { name: 'c', namespace: 'default', finalizers: ['example.com/hold'] },
    });
    const held = await api.delete(CONFIG_MAPS, key('c'));
    assert.ok(held.metadata?.deletionTimestamp);
    const body = { metadata: { finalizers: null } };
    await api.patch(CONFIG_MAPS, key('c'), { type: 'application/merge-patch+json', body });
    await assert.rejects(api.get(CONFIG_MAPS, key('c')), code('NotFound'));
  });
}
