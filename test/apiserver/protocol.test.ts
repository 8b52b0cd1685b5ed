// The API concepts page, request by request: lists at a version, pages, watches, dry runs, representations.
// https://kubernetes.io/docs/reference/using-api/api-concepts/
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../src/client/resource-api.ts';
import { CONFIG_MAPS, NODES } from '../../src/client/resources.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';

type List = {
  readonly kind: string;
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly KubeObject[];
};

const PATH = '/api/v1/namespaces/default/configmaps';
const names = ({ items }: List): (string | undefined)[] => items.map(({ metadata }) => metadata?.name);

async function raw({ kubectl }: ApiRig, path: string): Promise<List> {
  const { code, stdout, stderr } = await kubectl(['get', '--raw', path]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as List;
}

async function refusal({ kubectl }: ApiRig, path: string): Promise<string> {
  const { code, stderr } = await kubectl(['get', '--raw', path]);
  assert.notEqual(code, 0, path);
  return stderr;
}

async function make({ server: { resources } }: ApiRig, ...wanted: string[]): Promise<string> {
  let version = '';
  for (const name of wanted) {
    const { metadata } = await resources.create(CONFIG_MAPS, { metadata: { name, labels: { app: 'x' } } });
    version = metadata?.resourceVersion ?? '';
  }
  return version;
}

const select = 'labelSelector=app%3Dx';

test('a list at a version, and the options that do not go together', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t);
  const old = await make(rig, 'a', 'b');
  const now = await make(rig, 'c');
  const at = (more: string) => raw(rig, `${PATH}?${select}&${more}`);
  assert.deepEqual(names(await at(`resourceVersion=${old}&resourceVersionMatch=Exact`)), ['a', 'b']);
  assert.deepEqual(names(await at(`resourceVersion=${old}&resourceVersionMatch=NotOlderThan`)), [
    'a',
    'b',
    'c',
  ]);
  assert.deepEqual(names(await at(`resourceVersion=${old}`)), ['a', 'b', 'c']);
  const page = await at(`resourceVersion=${old}&limit=1`);
  assert.deepEqual([names(page), page.metadata.resourceVersion], [['a'], old]);
  const rest = await at(`limit=5&continue=${page.metadata.continue}`);
  assert.deepEqual([names(rest), rest.metadata.resourceVersion], [['b'], old]);

  const no = (more: string) => refusal(rig, `${PATH}?${more}`);
  assert.match(await no('resourceVersionMatch=Exact'), /forbidden unless resourceVersion is provided/);
  assert.match(await no('resourceVersion=0&resourceVersionMatch=Exact'), /forbidden for resourceVersion "0"/);
  assert.match(await no('resourceVersion=1&resourceVersionMatch=Odd'), /Unsupported value: "Odd"/);
  assert.match(
    await no(`resourceVersion=${now}&continue=${page.metadata.continue}`),
    /not allowed when using continue/,
  );
  assert.match(await no('sendInitialEvents=true'), /sendInitialEvents is forbidden for list/);
  assert.match(
    await no('watch=true&sendInitialEvents=true'),
    /requires setting resourceVersionMatch to NotOlderThan/,
  );
  assert.match(
    await no('watch=true&resourceVersionMatch=NotOlderThan'),
    /forbidden for watch unless sendInitialEvents/,
  );
});

type Event = { readonly type: string; readonly object: KubeObject & { readonly code?: number } };

async function watched(rig: ApiRig, query: string): Promise<Event[]> {
  const { stdout } = await rig.kubectl(['get', '--raw', `${PATH}?watch=true&timeoutSeconds=1&${query}`]);
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
}

test('watches begin with the state, or not; end in time; and say when they are too old', {
  timeout: 60_000,
}, async (t) => {
  const rig = await apiRig(t);
  await make(rig, 'a', 'b');
  const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const events = await watched(rig, `${select}&${initial}`);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ADDED', 'ADDED', 'BOOKMARK'],
  );
  assert.equal(events[2]?.object.metadata?.annotations?.['k8s.io/initial-events-end'], 'true');
  const silent = 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan';
  assert.deepEqual(await watched(rig, `${select}&${silent}`), []);
});

test('what is forgotten is 410 Expired, for a list and for a watch', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t, { historyRevisions: 3 });
  const old = await make(rig, 'a', 'b');
  const page = await raw(rig, `${PATH}?${select}&limit=1`);
  // The store forgets in large steps.
  const put = () => ({ verb: 'put', value: { kind: 'Test' } }) as const;
  await Promise.all(Array.from({ length: 1100 }, (_, at) => rig.store.write(`/registry/test/${at}`, put)));
  const [expired] = await watched(rig, `resourceVersion=${old}`);
  assert.deepEqual([expired?.type, expired?.object.code], ['ERROR', 410]);
  const exact = await refusal(rig, `${PATH}?resourceVersion=${old}&resourceVersionMatch=Exact`);
  assert.match(exact, /too old resource version/);
  assert.match(
    await refusal(rig, `${PATH}?limit=1&continue=${page.metadata.continue}`),
    /too old resource version/,
  );
});

test('deleting a collection answers with what went; a dry run leaves it', { timeout: 60_000 }, async (t) => {
  const rig = await apiRig(t);
  await make(rig, 'a', 'b');
  const remove = async (more: string): Promise<List> => {
    const { code, stdout, stderr } = await rig.kubectl(['delete', '--raw', `${PATH}?${select}&${more}`]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as List;
  };
  const dry = await remove('dryRun=All');
  assert.deepEqual([dry.kind, names(dry)], ['ConfigMapList', ['a', 'b']]);
  assert.deepEqual(names(await raw(rig, `${PATH}?${select}`)), ['a', 'b']);
  assert.deepEqual(names(await remove('')), ['a', 'b']);
  assert.deepEqual(names(await raw(rig, `${PATH}?${select}`)), []);
});

test("an absent field is Go's zero to a selector; a made-up name that is taken is made up again", {
  timeout: 60_000,
}, async (t) => {
  const rig = await apiRig(t);
  const { resources } = rig.server;
  await resources.create(NODES, { metadata: { name: 'open' } });
  await resources.create(NODES, { metadata: { name: 'shut' }, spec: { unschedulable: true } });
  const nodes = await raw(rig, '/api/v1/nodes?fieldSelector=spec.unschedulable%3Dfalse');
  assert.deepEqual(names(nodes), ['open']);
  // 27^5 names: among 60 that are made side by side all differ, whatever chance does.
  const made = await Promise.all(
    Array.from({ length: 60 }, () => resources.create(CONFIG_MAPS, { metadata: { generateName: 'g-' } })),
  );
  assert.equal(new Set(made.map(({ metadata }) => metadata?.name)).size, 60);
});

test('a PUT makes what is not there where Kubernetes lets it, for whoever may create', {
  timeout: 60_000,
}, async (t) => {
  const { kubectl } = await apiRig(t);
  const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/one';
  const lease = (metadata: object, holderIdentity: string): string =>
    JSON.stringify({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'one', ...metadata },
      spec: { holderIdentity },
    });
  const put = (body: string, ...flags: string[]) =>
    kubectl(['replace', '--raw', path, '-f', '-', ...flags], body);
  await kubectl(['create', 'role', 'updates', '--verb=update', '--resource=leases']);
  await kubectl(['create', 'rolebinding', 'updates', '--role=updates', '--user=alice']);
  assert.match((await put(lease({}, 'a'), '--as=alice')).stderr, /alice" cannot create resource "leases"/);
  assert.match((await put(lease({ uid: 'u' }, 'a'))).stderr, /Conflict.*UID in precondition: u/);
  assert.match(
    (await put(lease({ name: 'two' }, 'a'))).stderr,
    /BadRequest.*does not match the name on the URL/,
  );
  assert.match((await kubectl(['get', 'leases'])).stderr, /No resources found/);

  const made = await put(lease({}, 'a'));
  assert.equal(made.code, 0, made.stderr);
  assert.ok((JSON.parse(made.stdout) as KubeObject).metadata?.uid);
  assert.equal((await put(lease({}, 'b'), '--as=alice')).code, 0, 'what is there is only updated');
  const holder = ['get', 'lease', 'one', '-o', 'jsonpath={.spec.holderIdentity}'];
  assert.equal((await kubectl(holder)).stdout, 'b');

  const map = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}';
  assert.match((await kubectl(['replace', '--raw', `${PATH}/c`, '-f', '-'], map)).stderr, /NotFound/);
});
