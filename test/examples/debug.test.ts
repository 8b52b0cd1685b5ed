// The debug container: what only the pod can see, seen by a container that joins it; the app notices nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';
import { processesOf } from '../lib/processes.ts';

const LOOK = 'wget -qO- http://localhost:8080/; ps; ls /proc/1/root/etc/nginx; echo over';

describe('examples/debug.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'nginx');
    await engine.kube('apply', '-f', 'examples/debug.yaml');
    await engine.waitReady('debug');
  });
  after(() => engine.close());

  test("it hears localhost, sees the target's processes and files, and is gone without a trace in the app", async () => {
    const before = await engine.pod('debug');
    const uid = before.metadata?.uid ?? '';
    const processes = await eventually('nginx has its workers', () => {
      const found = processesOf(uid);
      return found.some(({ command }) => command.startsWith('nginx: worker')) ? found : undefined;
    });
    await assert.rejects(fetch(`http://${before.status?.podIP}:8080/`), 'closed from outside');

    const image = '--image=localhost/podwright/busybox:1';
    await engine.kube('debug', 'debug', image, '--target=web', '-c', 'debugger', '--', 'sh', '-c', LOOK);
    const ended = await eventually('the debugger has ended', async () => {
      const pod = await engine.pod('debug');
      return pod.status?.ephemeralContainerStatuses?.[0]?.state?.terminated === undefined ? undefined : pod;
    });
    const seen = await engine.kube('logs', 'debug', '-c', 'debugger');
    assert.match(seen, /^only the pod hears this$/m);
    assert.match(seen, /^ *1 .*nginx: master/m);
    assert.match(seen, /^nginx\.conf$/m);
    assert.deepEqual(ended.status?.containerStatuses, before.status?.containerStatuses);
    assert.deepEqual(processesOf(uid), processes);
  });
});
