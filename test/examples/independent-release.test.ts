// Independent release: the sidecar's image changes under load; the server's processes and its clients' connection stay.
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { eventually, PATIENCE_MS, TestEngine } from '../lib/engine.ts';
import { processesOf } from '../lib/processes.ts';

type Answer = { readonly status: number | undefined; readonly body: string; readonly localPort: number };

describe('examples/independent-release.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'busybox-2', 'nginx');
    await engine.kube('apply', '-f', 'examples/independent-release.yaml');
    await engine.waitReady('independent-release');
  });
  after(() => engine.close());

  test('every request over one connection is answered while the sidecar is replaced', async () => {
    const before = await engine.pod('independent-release');
    const uid = before.metadata?.uid ?? '';
    const url = `http://${before.status?.podIP}:8080/`;
    const served = () => processesOf(uid).filter(({ command }) => command.startsWith('nginx'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<Answer> =>
      new Promise((resolve, reject) => {
        get(url, { agent }, (response) => {
          const localPort = response.socket.localPort ?? 0;
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => {
            body += text;
          });
          response.on('end', () => resolve({ status: response.statusCode, body, localPort }));
        }).on('error', reject);
      });
    await eventually('version 1 is served', async () =>
      (await ask()).body === 'content of version 1\n' ? true : undefined,
    );
    const processes = await eventually('a master and its workers', () => {
      const found = served();
      return found.some(({ command }) => command.startsWith('nginx: worker')) ? found : undefined;
    });

    const answers: Answer[] = [];
    const released = engine.kube(
      ...['set', 'image', 'pod/independent-release', 'content=localhost/podwright/busybox:2'],
    );
    const endMs = Date.now() + PATIENCE_MS;
    while (answers.at(-1)?.body !== 'content of version 2\n' && Date.now() < endMs) answers.push(await ask());
    await released;
    agent.destroy();

    assert.equal(answers.at(-1)?.body, 'content of version 2\n');
    assert.ok(answers.length > 20, `${answers.length} requests are a load`);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(answers.map(({ localPort }) => localPort)).size, 1, 'one connection for all');
    assert.deepEqual(served(), processes);
    const after = await engine.pod('independent-release');
    assert.equal(after.status?.podIP, before.status?.podIP);
    assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);
    assert.equal(after.status?.initContainerStatuses?.[0]?.restartCount, 1);
  });
});
