// podwright up and down over an API in memory; the test plays the agent. The real thing is in test/engine.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PodwrightError } from '../../src/base/errors.ts';
import { applyObject } from '../../src/cli/apply.ts';
import { down, rm as remove } from '../../src/cli/down.ts';
import { readManifests } from '../../src/cli/manifests.ts';
import { up } from '../../src/cli/up.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { CONFIG_MAPS, PODS } from '../../src/client/resources.ts';
import type { ContainerState, Pod, PodStatus } from '../../src/kube/api-types.ts';
import { FakeCli } from '../lib/fake-cli.ts';

const statusWith = (phase: string, state: ContainerState, conditions: readonly string[] = []): PodStatus => ({
  phase,
  podIP: '10.0.0.2',
  conditions: conditions.map((type) => ({ type, status: 'True' })),
  containerStatuses: [
    {
      name: 'web',
      image: 'i',
      imageID: 'sha256:i',
      ready: state.running !== undefined,
      restartCount: 0,
      state,
    },
  ],
});
const READY = statusWith('Running', { running: {} }, ['PodReadyToStartContainers', 'Ready']);
const ended = (exitCode: number): PodStatus =>
  statusWith(exitCode === 0 ? 'Succeeded' : 'Failed', { terminated: { exitCode, reason: 'Error' } });

let dir: string;
let cli: FakeCli;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podwright-up-'));
});
after(() => rm(dir, { recursive: true }));
beforeEach(() => {
  cli = new FakeCli();
});

async function manifest(...names: readonly string[]): Promise<string> {
  const path = join(dir, `${names.join('-')}.yaml`);
  const pods = names.map(
    (name) =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {nodeName: n1, containers: [{name: web, image: i}]}\n`,
  );
  await writeFile(path, ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n', ...pods].join('---\n'));
  return path;
}
const start = (path: string, mode: 'attached' | 'detached', timeoutMs = 60_000): Promise<number> =>
  up(cli, [path], { mode, timeoutMs, connectOrStart: cli.connect });

describe('up --detach', () => {
  it('ends with 0 when all are ready', async () => {
    const done = start(await manifest('a', 'b'), 'detached');
    await cli.report('a', READY);
    await cli.report('b', READY);
    assert.equal(await done, 0);
    const { stdout, stderr } = await cli.output();
    assert.match(stderr, /^configmap\/c created\npod\/a created\npod\/b created\n$/);
    assert.match(stdout, /✔ a pod ready at 10\.0\.0\.2/);
    assert.match(stdout, /✔ b container web ready/);
  });

  it('ends at once with 1 when one has failed for good', async () => {
    const done = start(await manifest('a', 'b'), 'detached');
    await cli.report('a', ended(3));
    assert.equal(await done, 1);
    assert.match(
      (await cli.output()).stderr,
      /pod\/a cannot become ready: container web: exit code 3 \(Error\)/,
    );
  });

  it('tells an image that does not come at once, and gives up at its timeout with the reason', async () => {
    const done = start(await manifest('a'), 'detached', 300);
    await cli.report('a', {
      ...statusWith('Pending', { waiting: { reason: 'ErrImagePull', message: 'no such host' } }),
      containerStatuses: [
        {
          name: 'web',
          image: 'i',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { waiting: { reason: 'ErrImagePull', message: 'no such host' } },
        },
      ],
    });
    assert.equal(await done, 1);
    const { stdout, stderr } = await cli.output();
    assert.match(stdout, /✖ a image i ErrImagePull: no such host/);
    assert.match(stderr, /pod\/a is not ready after 0\.3 s: image i: ErrImagePull: no such host/);
  });

  it('says so when a pod is removed meanwhile', async () => {
    const done = start(await manifest('a'), 'detached');
    await cli.until(() => cli.find('a') !== undefined);
    await cli.api.delete(PODS, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 });
    assert.equal(await done, 1);
    assert.match((await cli.output()).stderr, /pod\/a cannot become ready: it was removed/);
  });
});

describe('up, attached', () => {
  it("shows logs with their container and ends with the failed container's exit code", async () => {
    const done = start(await manifest('a'), 'attached');
    await cli.report('a', READY);
    await cli.report('a', ended(42));
    assert.equal(await done, 42);
    const { stdout, stderr } = await cli.output();
    assert.match(stdout, /^a\/web \| hello from a\na\/web \| and web$/m);
    assert.match(stderr, /pod\/a failed: container web: exit code 42 \(Error\)/);
  });

  it('ends with 0 when all have completed', async () => {
    const done = start(await manifest('a', 'b'), 'attached');
    await cli.report('a', ended(0));
    await cli.report('b', ended(0));
    assert.equal(await done, 0);
  });

  it('stops gracefully on Ctrl-C, at once on the second, and ends when the pods are gone', async () => {
    const done = start(await manifest('a'), 'attached');
    await cli.report('a', READY);
    await cli.interrupt();
    await cli.until(() => cli.find('a')?.metadata?.deletionTimestamp !== undefined);
    // Its end alone is not enough: it is still there.
    await cli.report('a', ended(143));
    await nextTurn();
    await cli.interrupt();
    assert.equal(await done, 0);
    assert.equal(cli.find('a'), undefined);
    const { stdout, stderr } = await cli.output();
    assert.match(stderr, /stopping the pods; Ctrl-C again ends them at once\nending the pods at once/);
    assert.match(stdout, /✔ a removed/);
  });
});

it('down removes pods and what they stood on, and tells a name that is not there', async () => {
  const path = await manifest('a');
  for (const entry of await readManifests(cli, [path]))
    await applyObject(cli.api, entry, AbortSignal.timeout(60_000));
  assert.equal(await down(cli, [path, 'nosuch'], { gracePeriodSeconds: 0, timeoutMs: 60_000 }), 1);
  assert.deepEqual([cli.api.all(PODS), cli.api.all(CONFIG_MAPS)], [[], []]);
  const { stdout, stderr } = await cli.output();
  assert.equal(stdout, 'pod/a removed\nconfigmap/c removed\n');
  assert.equal(stderr, 'pod/nosuch: not found in namespace default\n');
});

it('down says when a pod is not gone in time; rm --all then ends it', async () => {
  const done = start(await manifest('a'), 'detached');
  await cli.report('a', READY);
  await done;
  await assert.rejects(
    down(cli, ['a'], { timeoutMs: 100 }),
    /wait until pod\/a is gone: not within the timeout/,
  );
  assert.equal(await remove(cli, [], { all: true, timeoutMs: 60_000 }), 0);
  assert.equal(cli.find('a'), undefined);
});

it('readManifests refuses what it cannot apply, before anything is sent', async () => {
  const write = async (name: string, content: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content);
    return path;
  };
  const twice = await manifest('x', 'x');
  const deployment = await write('d.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n');
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(dir, 'absent.yaml'), /read manifest .*absent\.yaml: no such file/],
    [twice, /:10: Pod default\/x is also in .*:5/],
    [deployment, /d\.yaml:1: the engine has no kind Deployment of apps\/v1; it has Pod, /],
    [await write('empty.yaml', '# nothing\n'), /empty\.yaml: nothing in them/],
  ];
  for (const [path, message] of cases) await assert.rejects(readManifests(cli, [path]), message);
});

it('applyObject explains what a running pod keeps, and where the manifest said otherwise', async () => {
  const [, entry] = await readManifests(cli, [await manifest('a')]);
  assert(entry !== undefined);
  const present: Pod = { metadata: { name: 'a', resourceVersion: '1' }, status: { phase: 'Running' } };
  const refusal = new PodwrightError(
    'Invalid',
    'Pod "a" is invalid: spec: Forbidden: pod updates may not change fields other than image',
  );
  const api = {
    list: async () => ({ items: [present], resourceVersion: '1' }),
    patch: async () => Promise.reject(refusal),
  } as unknown as ResourceApi;
  await assert.rejects(applyObject(api, entry, AbortSignal.timeout(1000)), (error) => {
    assert(error instanceof PodwrightError);
    assert.match(
      error.message,
      /^.*a\.yaml:5: Pod "a" is invalid.*\n.*replace it with: podwright down a && podwright up .*a\.yaml$/s,
    );
    return true;
  });
});
