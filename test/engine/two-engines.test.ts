// Two engines with different directories, address ranges and ports live side by side and never touch each other's pods.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { processesOf } from '../lib/processes.ts';

describe('two engines on one machine', () => {
  const one = new TestEngine();
  const other = new TestEngine();
  before(async () => {
    for (const engine of [one, other]) {
      await engine.start();
      await engine.loadImage('busybox');
    }
  });
  after(async () => {
    await one.close();
    await other.close();
  });

  test('the same manifest runs in both; deleting it in one leaves the other alone, also over a restart', async () => {
    for (const engine of [one, other]) {
      await engine.api.create(PODS, podOf('twin', [shell('app', 'exec sleep 3600')]));
      await engine.waitReady('twin');
    }
    const twin = await other.pod('twin');
    const before = processesOf(twin.metadata?.uid ?? '');
    assert.equal(before.length, 2);
    await one.kube('delete', 'pod', 'twin', '--grace-period=1');
    assert.deepEqual(one.traces(), []);
    await one.kill();
    await one.start();
    assert.deepEqual(processesOf(twin.metadata?.uid ?? ''), before);
    assert.notEqual(other.traces().length, 0);
  });

  test('a second engine on the same directories is refused', async () => {
    const second = await one.podwright('serve', '--listen', '127.0.0.1:0');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another one already runs on/);
  });
});
