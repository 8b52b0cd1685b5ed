// What the agent does for the node now and then, on the fake machine under the virtual clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerId } from '../../src/base/brand.ts';
import { podOf, World } from './world.ts';

test('a log is put aside once it has reached its size, looked at each ten seconds, while its container runs', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf());
  await world.clock.advance(1000);
  const id = containerId('uid-p_a_0');
  const rotations = (): number => world.callNames().filter((name) => name === 'rotateLog').length;
  world.machine.written.set(id, 10 * 1024 * 1024 - 1);
  await world.clock.advance(20_000);
  assert.equal(rotations(), 0);
  world.machine.written.set(id, 10 * 1024 * 1024);
  await world.clock.advance(10_000);
  assert.equal(rotations(), 1);
  assert.deepEqual(world.machine.calls.at(-1)?.detail, { id, filesMax: 5 });
  await world.clock.advance(60_000);
  assert.equal(rotations(), 1);
  world.machine.written.set(id, 20 * 1024 * 1024);
  await world.stop();
  await world.clock.advance(60_000);
  assert.equal(rotations(), 1);
});
