// The WAR and Tomcat, each way of bringing them together: an init container that copies, an image of both, an image as a
// volume, a directory of the node. One engine, so that Tomcat's image is loaded once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, IMAGES, ROOT, TestEngine } from '../lib/engine.ts';
import { freePort } from '../lib/ports.ts';

describe('examples/javaweb.yaml and examples/war-*.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('sample', 'tomcat', 'webapp');
  });
  after(() => engine.close());

  async function page(pod: string): Promise<string> {
    await engine.waitReady(pod);
    const address = (await engine.pod(pod)).status?.podIP;
    return eventually(`Tomcat of ${pod} answers`, () => pageOf(`http://${address}:8080/sample/`));
  }

  test('kubectl apply and wait, then Tomcat answers with the page of the WAR', async () => {
    // The example as it is, but for the host port: this may not be the only engine on the machine.
    const hostPort = await freePort();
    const text = readFileSync(`${ROOT}/examples/javaweb.yaml`, 'utf8');
    const manifest = join(engine.dir, 'javaweb.yaml');
    writeFileSync(manifest, text.replace('hostPort: 8001', `hostPort: ${hostPort}`));
    await engine.kube('apply', '-f', manifest);
    const answer = await page('javaweb');
    const pod = await engine.pod('javaweb');
    const init = pod.status?.initContainerStatuses?.[0]?.state?.terminated;
    assert.equal(init?.exitCode, 0);
    assert.match(answer, /javaweb/);
    assert.ok(answer.includes(pod.status?.podIP ?? 'no address'), answer);
    const throughHost = await pageOf(`http://127.0.0.1:${hostPort}/sample/`);
    assert.equal(throughHost, answer, 'the host port shows the same page');
    await engine.kube('delete', 'pod', 'javaweb', '--now');
  });

  test('the image of both, the image as a volume, and the directory of the node serve it as well', async () => {
    const wars = join(engine.dir, 'wars');
    const onHost = join(engine.dir, 'war-on-host.yaml');
    writeFileSync(
      onHost,
      readFileSync(`${ROOT}/examples/war-on-host.yaml`, 'utf8').replace('/srv/wars', wars),
    );
    const others = ['war-in-image', 'war-in-image-volume'];
    await engine.kube('apply', '-f', onHost, ...others.flatMap((name) => ['-f', `examples/${name}.yaml`]));
    await eventually('a pod without its directory says what it waits for', async () => {
      const events = await engine.kube('events', '--for', 'pod/war-on-host');
      return /FailedMount.*wars/.test(events) ? true : undefined;
    });
    mkdirSync(wars);
    copyWar(engine, join(wars, 'sample.war'));
    for (const name of [...others, 'war-on-host']) assert.ok((await page(name)).includes(name), name);
  });
});

/** What somebody has to do on the node, and again for each new WAR. */
function copyWar(engine: TestEngine, path: string): void {
  const layout = join(engine.dir, 'sample');
  mkdirSync(layout);
  execFileSync('tar', ['-xf', join(IMAGES, 'sample.tar'), '-C', layout]);
  const blobs = execFileSync('sh', ['-c', 'ls -S blobs/sha256/*'], { cwd: layout, encoding: 'utf8' });
  // The largest is busybox, the next one the layer with the WAR.
  const [, layer = ''] = blobs.split('\n');
  writeFileSync(path, execFileSync('tar', ['-xzOf', join(layout, layer), './sample.war']));
}

async function pageOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
