// One image, one container: patching an image restarts that container alone.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';
import { processesOf } from '../lib/processes.ts';

const MANIFEST = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"two"},"spec":{"terminationGracePeriodSeconds":2,
"volumes":[{"name":"data","emptyDir":{}}],"containers":[
{"name":"app","image":"localhost/podwright/busybox:1","command":["sh","-c","echo kept > /data/kept; exec sleep 3601"],"volumeMounts":[{"name":"data","mountPath":"/data"}]},
{"name":"side","image":"localhost/podwright/busybox:1","command":["sleep","3602"],"volumeMounts":[{"name":"data","mountPath":"/data"}]}]}}`;

describe('updating the image of one container', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'busybox-2');
  });
  after(() => engine.close());

  test('keeps uid, address, volumes, and the other container with its PID and restart count', async () => {
    writeFileSync(`${engine.dir}/two.json`, MANIFEST);
    await engine.kube('apply', '-f', `${engine.dir}/two.json`);
    await engine.waitReady('two');
    const before = await engine.pod('two');
    const uid = before.metadata?.uid ?? '';
    const pidOf = (word: string) => processesOf(uid).find(({ command }) => command.includes(word))?.pid;
    const appPid = pidOf('3601');
    const infraPid = pidOf('/pause');

    await engine.kube('set', 'image', 'pod/two', 'side=localhost/podwright/busybox:2');
    const updated = await eventually('side runs the new image', async () => {
      const pod = await engine.pod('two');
      const side = pod.status?.containerStatuses?.find(({ name }) => name === 'side');
      return side?.restartCount === 1 && side.state?.running && side.image.endsWith('busybox:2')
        ? pod
        : undefined;
    });

    assert.equal(updated.metadata?.uid, uid);
    assert.equal(updated.status?.podIP, before.status?.podIP);
    assert.equal(pidOf('3601'), appPid, 'the other container was not touched');
    assert.equal(pidOf('/pause'), infraPid, 'nor was the infra container');
    assert.equal(updated.status?.containerStatuses?.find(({ name }) => name === 'app')?.restartCount, 0);
    assert.equal(await engine.kube('exec', 'two', '-c', 'side', '--', 'cat', '/data/kept'), 'kept\n');
    await engine.waitReady('two');
  });
});
