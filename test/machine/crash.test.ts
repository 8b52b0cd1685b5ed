// kill -9 of an engine at any moment while it starts pods: the next one takes up what runs, calls the rest incomplete, and
// can remove everything.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LinuxRig, makeLinuxRig } from './linux-rig.ts';

const CHILD = join(import.meta.dirname, 'crash-child.ts');

async function crashAfter(rig: LinuxRig, ms: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(rig.parts)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  // Not a wait for something: the moment of the crash is what is tried out.
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill('SIGKILL');
  await ended;
}

async function crashAndLook(warmSandboxes: number): Promise<void> {
  const rig = await makeLinuxRig({ warmSandboxes });
  try {
    for (const ms of [20, 60, 110, 170, 240, 333]) {
      await crashAfter(rig, ms);
      await rig.crash();
      for (const pod of rig.machine.pods()) {
        const { sandboxes, containers } = rig.machine.observe(pod.uid);
        assert.ok(sandboxes.length <= 1);
        for (const { state } of containers) {
          assert.ok(
            ['incomplete', 'created', 'running'].includes(state.kind),
            `after ${ms} ms: ${JSON.stringify(state)}`,
          );
          if (state.kind === 'running') process.kill(state.pid, 0);
        }
        await rig.machine.removePod(pod.uid);
      }
      assert.deepEqual(rig.traces(), [], `after ${ms} ms`);
    }
  } finally {
    await rig.end();
  }
}

test('an engine is killed in the middle of starting pods; nothing is lost and nothing is left', async () => {
  await crashAndLook(0);
});

test('an engine is killed while pods take warm sandboxes; nothing is lost and nothing is left', async () => {
  await crashAndLook(3);
});
