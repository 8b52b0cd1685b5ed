// RuntimeClass on real runtimes: a pod's containers run under the runtime that its class names.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PODS, RUNTIME_CLASSES } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

describe('RuntimeClass', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    for (const [name, handler] of [
      ['one', 'crun'],
      ['other', 'runc'],
      ['unknown', 'kata'],
    ] as const)
      await engine.api.create(RUNTIME_CLASSES, { metadata: { name }, handler });
  });
  after(() => engine.close());

  /** The runtime that the monitor of a container was given. */
  function runtimeOf(uid: string): string {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        if (!words.includes(`--cid=${uid}_app_0`)) continue;
        return basename(words.find((word) => word.startsWith('--runtime=')) ?? '');
      } catch {
        // It has gone meanwhile.
      }
    }
    return assert.fail(`no monitor of pod ${uid}`);
  }

  for (const [runtimeClassName, runtime] of [
    ['one', 'crun'],
    ['other', 'runc'],
  ] as const) {
    test(`${runtime}: start, exec, confinement, a restart of the engine, the end`, async () => {
      const name = `under-${runtime}`;
      const app = shell('app', 'trap "exit 0" TERM; sleep 3600 & wait');
      await engine.api.create(PODS, podOf(name, [app], { runtimeClassName }));
      await engine.waitReady(name);
      const { uid = '' } = (await engine.pod(name)).metadata ?? {};
      assert.equal(runtimeOf(uid), runtime);
      const status = await engine.kube('exec', name, '--', 'grep', 'Seccomp:', '/proc/1/status');
      assert.match(status, /Seccomp:\s+2/);
      await engine.kill();
      await engine.start();
      assert.equal(await engine.kube('exec', name, '--', 'echo', 'again'), 'again\n');
      await engine.kube('delete', 'pod', name, '--timeout=30s');
    });
  }

  test('a class that there is not is refused; a handler that there is not is told', async () => {
    const pod = podOf('absent', [shell('app', 'sleep 1')], { runtimeClassName: 'absent' });
    await assert.rejects(engine.api.create(PODS, pod), /pod rejected: RuntimeClass "absent" not found/);
    await engine.api.create(PODS, podOf('kata', [shell('app', 'sleep 1')], { runtimeClassName: 'unknown' }));
    await eventually('it is told', async () => {
      const waiting = (await engine.pod('kata')).status?.containerStatuses?.[0]?.state?.waiting;
      return waiting?.reason === 'CreateContainerError' ? waiting : undefined;
    });
    assert.match(
      await engine.kube('describe', 'pod', 'kata'),
      /Warning +Failed .*Error: no runtime for "kata" is configured/,
    );
  });

  test('a class’s overhead and scheduling become the pod’s', async () => {
    await engine.api.create(RUNTIME_CLASSES, {
      metadata: { name: 'heavy' },
      handler: 'runc',
      overhead: { podFixed: { memory: '8Mi' } },
      scheduling: { nodeSelector: { 'kubernetes.io/os': 'linux' }, tolerations: [{ operator: 'Exists' }] },
    });
    await engine.api.create(
      PODS,
      podOf('heavy', [shell('app', 'sleep 3600')], { runtimeClassName: 'heavy' }),
    );
    await engine.waitReady('heavy');
    const { spec } = await engine.pod('heavy');
    assert.deepEqual(spec?.overhead, { memory: '8Mi' });
    assert.deepEqual(spec?.nodeSelector, { 'kubernetes.io/os': 'linux' });
    assert.ok(spec?.tolerations?.some(({ key, operator }) => key === undefined && operator === 'Exists'));
    const own = podOf('own', [shell('app', 'sleep 1')], { overhead: { memory: '8Mi' } });
    await assert.rejects(engine.api.create(PODS, own), /without corresponding RuntimeClass defined Overhead/);
  });
});
