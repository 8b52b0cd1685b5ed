// The WAR and Tomcat: an init container copies, a real Tomcat serves.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';

describe('examples/javaweb.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('sample', 'tomcat');
  });
  after(() => engine.close());

  test('kubectl apply and wait, then Tomcat answers with the page of the WAR', async () => {
    await engine.kube('apply', '-f', 'examples/javaweb.yaml');
    await engine.waitReady('javaweb', 90);
    const pod = await engine.pod('javaweb');
    const init = pod.status?.initContainerStatuses?.[0]?.state?.terminated;
    assert.equal(init?.exitCode, 0);
    const page = await eventually(
      'Tomcat answers',
      () => pageOf(`http://${pod.status?.podIP}:8080/sample/`),
      60_000,
    );
    assert.match(page, /javaweb/);
    assert.ok(page.includes(pod.status?.podIP ?? 'no address'), page);
    assert.equal(await pageOf('http://127.0.0.1:8001/sample/'), page, 'the host port shows the same page');
  });
});

async function pageOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
