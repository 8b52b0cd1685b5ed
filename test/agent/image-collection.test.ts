// Image garbage collection: a table of what goes, and the agent's collector on the fake machine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ImageUse, planImageCollection } from '../../src/agent/image-collection.ts';
import { kubeletConfiguration } from '../../src/kube/kubelet-configuration.ts';
import type { Image } from '../../src/machine/model/image.ts';
import { container, podOf, World } from './world.ts';

const MINUTE = 60_000;
const NOW = 1_000 * MINUTE;
const imageOf = (id: string, sizeBytes: number): Image => ({
  id,
  tags: [id],
  digests: [],
  sizeBytes,
  user: '',
});

type Row = readonly [
  id: string,
  sizeBytes: number,
  seenMinutesAgo: number,
  usedMinutesAgo: number | undefined,
];

function collect(
  rows: readonly Row[],
  usedPercent: number,
  more: { needed?: string[]; maxAge?: string } = {},
) {
  const uses = rows.map(([id, , seen, used]): [string, ImageUse] => [
    id,
    { firstSeenMs: NOW - seen * MINUTE, lastUsedMs: used === undefined ? 0 : NOW - used * MINUTE },
  ]);
  const { remove, shortfall } = planImageCollection(
    {
      images: rows.map(([id, sizeBytes]) => imageOf(id, sizeBytes)),
      uses: new Map(uses),
      needed: new Set(more.needed),
      disk: { capacityBytes: 1000, availableBytes: 1000 - usedPercent * 10 },
      nowMs: NOW,
    },
    kubeletConfiguration({ imageMaximumGcAge: more.maxAge }),
  );
  return { gone: remove.map(({ id }) => id), shortfall };
}

test('from the high threshold on, the longest unused go until the low one is reached', () => {
  const rows: readonly Row[] = [
    ['used lately', 40, 500, 10],
    ['used long ago', 40, 500, 300],
    ['never used', 40, 400, undefined],
  ];
  assert.deepEqual(collect(rows, 84).gone, []);
  assert.deepEqual(collect(rows, 85).gone, ['never used', 'used long ago']);
  assert.deepEqual(collect(rows, 84, { maxAge: '6h' }).gone, ['never used']);
  const { gone, shortfall } = collect(rows, 95);
  assert.deepEqual(gone, ['never used', 'used long ago', 'used lately']);
  assert.deepEqual(shortfall, { wantedBytes: 150, freedBytes: 120 });
});

test('neither a needed image nor one that came just now goes, however full the disk is', () => {
  const rows: readonly Row[] = [
    ['needed', 500, 500, 500],
    ['new', 500, 1, undefined],
    ['old', 1, 3, undefined],
  ];
  assert.deepEqual(collect(rows, 99, { needed: ['needed'], maxAge: '1m' }).gone, ['old']);
});

test('an image that no registry has stays, however long nobody used it', () => {
  const rows: readonly Row[] = [
    ['localhost/loaded:1', 500, 500, 500],
    ['docker.io/library/pulled:1', 500, 500, 500],
  ];
  assert.deepEqual(collect(rows, 99, { maxAge: '1m' }).gone, ['docker.io/library/pulled:1']);
});

test('the agent collects each five minutes, keeps what pods need, and says when it is not enough', async () => {
  const world = new World();
  await world.start();
  const volumes = [{ name: 'v', image: { reference: 'shown:1' } }];
  await world.create(podOf({ volumes, containers: [container('a', { image: 'runs:1' })] }));
  for (const name of ['shown:1', 'unused:1', 'podwright.dev/pause:1']) world.machine.addImage(name);
  const { fs } = world.machine.nodeUsage();
  world.machine.shortage.node = { fs: { ...fs, availableBytes: fs.capacityBytes * 0.151 } };
  const present = async (): Promise<readonly (string | undefined)[]> =>
    (await world.machine.images.list()).map(({ tags }) => tags[0]).sort();
  const all = ['docker.io/library/runs:1', 'docker.io/library/shown:1', 'docker.io/library/unused:1'];
  // Seen for the first time: too young to go.
  world.machine.shortage.node = { fs: { ...fs, availableBytes: fs.capacityBytes * 0.15 } };
  await world.clock.advance(5 * MINUTE + 1000);
  assert.deepEqual(await present(), [...all, 'podwright.dev/pause:1']);
  await world.clock.advance(5 * MINUTE);
  assert.deepEqual(await present(), [...all.slice(0, 2), 'podwright.dev/pause:1']);
  assert.ok(
    world
      .story()
      .includes(
        'FreeDiskSpaceFailed: Failed to garbage collect required amount of images. Attempted to free 50000000 bytes, but only found 1 bytes eligible to free.',
      ),
  );
  await world.stop();
});
