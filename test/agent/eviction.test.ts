// Eviction: what is decided (tables and a property), and the story of pods on the fake machine under the virtual clock.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { brokenDiskLimit } from '../../src/agent/eviction/local-storage.ts';
import {
  conditionsOf,
  mostUrgent,
  NO_PRESSURE,
  nextPressure,
  type Observations,
} from '../../src/agent/eviction/pressure.ts';
import { type PodUse, rankForEviction } from '../../src/agent/eviction/ranking.ts';
import { podUid } from '../../src/base/brand.ts';
import { NODES } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import type { StarvedResource } from '../../src/kube/eviction-thresholds.ts';
import { evictionThresholds, kubeletConfiguration } from '../../src/kube/kubelet-configuration.ts';
import { assertProperty } from '../lib/property.ts';
import { container, podOf, World } from './world.ts';

const PLENTY: Observations = {
  'memory.available': { available: 1000, capacity: 1000 },
  'nodefs.available': { available: 1000, capacity: 1000 },
  'nodefs.inodesFree': { available: 1000, capacity: 1000 },
  'imagefs.available': { available: 1000, capacity: 1000 },
  'imagefs.inodesFree': { available: 1000, capacity: 1000 },
  'pid.available': { available: 1000, capacity: 1000 },
};
const thresholds = (evictionHard: string, soft = '', grace = '') =>
  evictionThresholds(
    kubeletConfiguration({ evictionHard, evictionSoft: soft, evictionSoftGracePeriod: grace }),
  );

describe('pressure', () => {
  const look = (
    all: ReturnType<typeof thresholds>,
    looks: readonly (readonly [number, Partial<Observations>])[],
  ) => {
    let pressure = NO_PRESSURE;
    return looks.map(([nowMs, some]) => {
      pressure = nextPressure(pressure, all, { observations: { ...PLENTY, ...some }, nowMs });
      const conditions = [...conditionsOf(pressure, { nowMs, transitionMs: 300_000 })];
      return { conditions, urgent: mostUrgent(pressure, nowMs)?.signal };
    });
  };
  const left = (available: number) => ({ available, capacity: 1000 });

  test('a threshold is met below its quantity or its share, not at it', () => {
    for (const [text, available, isMet] of [
      ['memory.available<100', 100, false],
      ['memory.available<100', 99, true],
      ['memory.available<10%', 100, false],
      ['memory.available<10%', 99, true],
      ['memory.available<0%', 0, false],
    ] as const) {
      const [{ urgent } = { urgent: undefined }] = look(thresholds(text), [
        [0, { 'memory.available': left(available) }],
      ]);
      assert.equal(urgent === 'memory.available', isMet, `${text} with ${available}`);
    }
  });

  test('memory is fought before the disk; a soft threshold waits for its grace, and begins anew after a break', () => {
    const all = thresholds('nodefs.available<10%', 'memory.available<50%', 'memory.available=30s');
    const low = { 'memory.available': left(400), 'nodefs.available': left(50) };
    const told = look(all, [
      [0, low],
      [30_000, low],
      [40_000, PLENTY],
      [50_000, low],
    ]);
    assert.deepEqual(
      told.map(({ urgent }) => urgent),
      ['nodefs.available', 'memory.available', undefined, 'nodefs.available'],
    );
  });

  test('a condition stays for the transition period after its cause has gone', () => {
    const told = look(thresholds('pid.available<10%'), [
      [0, { 'pid.available': left(10) }],
      [1000, PLENTY],
      [299_999, PLENTY],
      [300_000, PLENTY],
    ]);
    assert.deepEqual(
      told.map(({ conditions }) => conditions),
      [['PIDPressure'], ['PIDPressure'], ['PIDPressure'], []],
    );
  });

  test('a file system that counts no inodes never runs out of them', () => {
    const none = { 'nodefs.inodesFree': { available: 0, capacity: 0 } };
    assert.deepEqual(look(thresholds('nodefs.inodesFree<5%'), [[0, none]]), [
      { conditions: [], urgent: undefined },
    ]);
  });
});

const useOf = (name: string, memory: number, request: string | undefined, priority = 0): PodUse => {
  const resources = request === undefined ? {} : { requests: { memory: request } };
  const pod = podOf({ priority, containers: [container('a', { resources })] }, { name });
  return { pod, memoryBytes: memory, diskBytes: memory, inodes: memory, processes: memory };
};
const names = (uses: readonly PodUse[]) => uses.map(({ pod }) => pod.metadata?.name);

test('ranking: above the request first, then the lower priority, then the further above', () => {
  const uses = [
    useOf('within', 100, '200'),
    useOf('important', 900, undefined, 10),
    useOf('little', 10, undefined),
    useOf('much', 500, '100'),
    useOf('just within', 200, '200'),
  ];
  assert.deepEqual(names(rankForEviction(uses, 'memory')), [
    'much',
    'little',
    'important',
    'just within',
    'within',
  ]);
  // Nobody asks for processes.
  assert.deepEqual(names(rankForEviction(uses, 'pids')), [
    'much',
    'just within',
    'within',
    'little',
    'important',
  ]);
});

test('ranking is a permutation, and no pod goes before one that is worse in the first thing they differ in', async () => {
  const use = fc.record({
    memory: fc.nat(5),
    request: fc.nat(5),
    priority: fc.integer({ min: -2, max: 2 }),
  });
  const resource = fc.constantFrom<StarvedResource>('memory', 'ephemeral-storage', 'inodes', 'pids');
  await assertProperty(
    fc.asyncProperty(fc.array(use, { maxLength: 8 }), resource, async (all, starved) => {
      const uses = all.map((one, index) => useOf(`p${index}`, one.memory, String(one.request), one.priority));
      const ranked = rankForEviction(uses, starved);
      assert.deepEqual(new Set(ranked), new Set(uses));
      const badness = ({ pod, memoryBytes }: PodUse): readonly number[] => {
        const hasRequest = starved === 'memory';
        const request = hasRequest ? Number(pod.spec?.containers[0]?.resources?.requests?.memory) : 0;
        const above = memoryBytes - request;
        return [starved !== 'pids' && above > 0 ? 1 : 0, -(pod.spec?.priority ?? 0), above];
      };
      for (const [index, one] of ranked.slice(1).entries()) {
        const [before, after] = [badness(ranked[index] as PodUse), badness(one)];
        const differ = before.findIndex((value, at) => value !== after[at]);
        assert.ok(differ < 0 || (before[differ] ?? 0) > (after[differ] ?? 0));
      }
    }),
    { file: 'test/agent/eviction.test.ts', numRuns: 100 },
  );
});

test('a pod is told which of its own limits on the disk it broke', () => {
  const pod = podOf({
    containers: [
      container('a', { resources: { limits: { 'ephemeral-storage': '1Ki' } } }),
      container('b', { resources: { limits: { 'ephemeral-storage': '2Ki' } } }),
    ],
    volumes: [
      { name: 'v', emptyDir: { sizeLimit: '1Ki' } },
      { name: 'free', emptyDir: {} },
    ],
  });
  const use = (a: number, b: number, v: number, free: number) => ({
    containers: [
      { name: 'a', bytes: a, inodes: 1 },
      { name: 'b', bytes: b, inodes: 1 },
    ],
    volumes: [
      { name: 'v', bytes: v, inodes: 1 },
      { name: 'free', bytes: free, inodes: 1 },
    ],
  });
  for (const [usage, message] of [
    [use(1024, 1024, 0, 1024), undefined],
    [use(0, 0, 1025, 0), 'Usage of EmptyDir volume "v" exceeds the limit "1Ki". '],
    [
      use(0, 1024, 1024, 1025),
      'Pod ephemeral local storage usage exceeds the total limit of containers 3Ki. ',
    ],
    [use(1025, 0, 0, 0), 'Container a exceeded its local ephemeral storage limit "1Ki". '],
  ] as const)
    assert.equal(brokenDiskLimit(pod, usage), message);
  assert.equal(brokenDiskLimit(podOf(), use(1e9, 1e9, 1e9, 1e9)), undefined);
});

describe('on a node', () => {
  const MiB = 1024 * 1024;
  const named = (name: string, spec: Partial<Pod['spec']> = {}): Pod =>
    podOf(spec ?? {}, { name, uid: `uid-${name}` });
  const start = async (pods: readonly Pod[]): Promise<World> => {
    const world = new World();
    await world.start();
    for (const pod of pods) await world.create(pod);
    await world.clock.advance(1000);
    return world;
  };
  const shortOfMemory = (world: World, availableMiB: number): void => {
    const { group } = world.machine.nodeUsage();
    const memoryBytes = 1024 * MiB - availableMiB * MiB;
    world.machine.shortage.node = { group: { ...group, memoryBytes } };
  };
  const conditionOf = (world: World, type: string): string | undefined =>
    world.api.find(NODES, { name: 'node' }).status?.conditions?.find((one) => one.type === type)?.status;

  test('short of memory: the greediest pod goes, one at a time, in the kubelet’s words; it ends Failed and leaves nothing', async () => {
    const world = await start([named('modest'), named('greedy')]);
    world.machine.shortage.memory.set(podUid('uid-greedy'), 500 * MiB);
    world.machine.shortage.memory.set(podUid('uid-modest'), 100 * MiB);
    assert.equal(conditionOf(world, 'MemoryPressure'), 'False');
    shortOfMemory(world, 50);
    await world.clock.advance(10_000);
    assert.equal(conditionOf(world, 'MemoryPressure'), 'True');
    await world.clock.advance(3_000);
    const message =
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
      'Container a was using 1Mi, request is 0, has larger consumption of memory. ';
    const { phase, reason, message: told, conditions } = world.pod('greedy').status ?? {};
    assert.deepEqual([phase, reason, told], ['Failed', 'Evicted', message]);
    const disruption = conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual(
      [disruption?.status, disruption?.reason, disruption?.message],
      ['True', 'TerminationByKubelet', message],
    );
    assert.ok(world.story().includes(`Evicted: ${message}`));
    assert.ok(world.story().includes('EvictionThresholdMet: Attempting to reclaim memory'));
    assert.equal(world.pod('modest').status?.phase, 'Running');
    await world.clock.advance(1_000);
    assert.deepEqual(
      world.machine.pods().map(({ name }) => name),
      ['modest'],
    );
    // Enough is enough; the condition stays for five minutes.
    shortOfMemory(world, 200);
    await world.clock.advance(60_000);
    assert.equal(world.pod('modest').status?.phase, 'Running');
    assert.equal(conditionOf(world, 'MemoryPressure'), 'True');
    await world.clock.advance(300_000);
    assert.equal(conditionOf(world, 'MemoryPressure'), 'False');
    const before = world.pod('greedy').metadata?.resourceVersion;
    await world.crash();
    await world.clock.advance(60_000);
    assert.equal(world.pod('greedy').metadata?.resourceVersion, before);
    await world.stop();
  });

  test('under pressure a new pod is refused: any under disk pressure, only BestEffort ones under memory pressure', async () => {
    const world = await start([]);
    shortOfMemory(world, 50);
    await world.clock.advance(10_000);
    const resources = { requests: { memory: '1Mi' } };
    await world.create(named('besteffort'));
    await world.create(named('burstable', { containers: [container('a', { resources })] }));
    await world.create(named('critical', { priority: 2_000_000_000 }));
    await world.clock.advance(1000);
    const { phase, reason, message } = world.pod('besteffort').status ?? {};
    assert.deepEqual(
      [phase, reason, message],
      ['Failed', 'Evicted', 'Pod was rejected: The node had condition: [MemoryPressure]. '],
    );
    assert.equal(world.pod('burstable').status?.phase, 'Running');
    assert.equal(world.pod('critical').status?.phase, 'Running');
    await world.stop();
  });

  test('an image that was there when the engine began may go at once', async () => {
    const world = await start([named('works')]);
    world.machine.addImage('unused:1');
    await world.crash();
    const { fs } = world.machine.nodeUsage();
    world.machine.shortage.node = { fs: { ...fs, availableBytes: fs.capacityBytes * 0.12 } };
    await world.clock.advance(10_000);
    const left = await world.machine.images.list();
    assert.deepEqual(
      left.map(({ tags }) => tags[0]),
      ['docker.io/library/busybox:1'],
    );
    await world.stop();
  });

  test('a pod that asks for a sysctl the node does not allow is refused, and nothing of it is made', async () => {
    const sysctls = [{ name: 'kernel.msgmax', value: '1' }];
    const world = await start([named('p', { securityContext: { sysctls } })]);
    const { phase, reason, message } = world.pod().status ?? {};
    assert.deepEqual(
      [phase, reason, message],
      ['Failed', 'SysctlForbidden', 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'],
    );
    assert.ok(!world.callNames().includes('createSandbox'));
    await world.stop();
  });

  test('short of disk: unused images and dead containers go first, and if that is enough no pod does', async () => {
    const world = new World({
      behaviour: (name) => (name === 'dies' ? { runMs: 100, exitCode: 1 } : { sigtermMs: 100 }),
    });
    await world.start();
    await world.create(named('done', { restartPolicy: 'Never', containers: [container('dies')] }));
    await world.create(named('works'));
    world.machine.addImage('unused:1');
    await world.clock.advance(1000);
    const fs = world.machine.nodeUsage().fs;
    // Old enough to go, and seen by a first collection.
    await world.clock.advance(600_000);
    assert.equal((await world.machine.images.list()).length, 2);
    world.machine.shortage.node = { fs: { ...fs, availableBytes: fs.capacityBytes * 0.12 } };
    await world.clock.advance(10_000);
    world.machine.shortage.node = { fs: { ...fs, availableBytes: fs.capacityBytes * 0.5 } };
    await world.clock.advance(60_000);
    assert.equal(conditionOf(world, 'DiskPressure'), 'True');
    assert.deepEqual(
      (await world.machine.images.list()).map(({ tags }) => tags[0]),
      ['docker.io/library/busybox:1'],
    );
    assert.deepEqual(world.machine.peek(podUid('uid-done')).containers, []);
    assert.equal(world.pod('done').status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 1);
    assert.equal(world.pod('works').status?.phase, 'Running');
    assert.ok(!world.story().some((line) => line.startsWith('Evicted')));
    await world.stop();
  });

  test('a pod that breaks its own limit on the disk goes, whatever room there is', async () => {
    const volumes = [{ name: 'v', emptyDir: { sizeLimit: '1Ki' } }];
    const world = await start([named('p', { volumes })]);
    world.machine.shortage.disk.set(podUid('uid-p'), {
      containers: [],
      volumes: [{ name: 'v', bytes: 4096, inodes: 1 }],
    });
    await world.clock.advance(15_000);
    const { phase, reason, message, conditions } = world.pod().status ?? {};
    assert.deepEqual(
      [phase, reason, message],
      ['Failed', 'Evicted', 'Usage of EmptyDir volume "v" exceeds the limit "1Ki". '],
    );
    assert.ok(!conditions?.some(({ type }) => type === 'DisruptionTarget'));
    await world.stop();
  });

  test('an engine that dies while a pod is evicted brings it to its end', async () => {
    const world = await start([named('p')]);
    shortOfMemory(world, 50);
    await world.clock.advance(9_050);
    shortOfMemory(world, 500);
    await world.crash();
    await world.clock.advance(5_000);
    assert.deepEqual([world.pod().status?.phase, world.pod().status?.reason], ['Failed', 'Evicted']);
    await world.stop();
  });
});
