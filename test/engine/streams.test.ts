// Streams into real containers: attach, a terminal that is resized, files copied in and out, and a port that listens on the
// pod's loopback address alone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import { KUBECTL, TestEngine } from '../lib/engine.ts';

const IMAGE = 'localhost/podwright/busybox:1';
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'local',
        image: IMAGE,
        command: ['sh', '-c', 'echo only-inside > /tmp/page; exec httpd -f -p 127.0.0.1:8080 -h /tmp'],
      },
      {
        name: 'reader',
        image: IMAGE,
        stdin: true,
        command: ['sh', '-c', 'while read line; do echo "got $line"; done; sleep 3600'],
      },
      {
        name: 'terminal',
        image: IMAGE,
        stdin: true,
        tty: true,
        command: ['sh', '-c', 'trap "stty size" WINCH; while :; do sleep 3600 & wait; done'],
      },
    ],
  },
};

/** Collects until the text is there. */
function seen(stream: PassThrough, wanted: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let all = '';
    stream.on('data', (chunk: Buffer) => {
      all += chunk.toString();
      if (wanted.test(all)) resolve(all);
    });
  });
}

describe('streams into containers', { timeout: 300_000 }, () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    writeFileSync(`${engine.dir}/pod.json`, JSON.stringify(POD));
    await engine.kube('apply', '-f', `${engine.dir}/pod.json`);
    await engine.waitReady('web');
  });
  after(() => engine.close());

  const nodeApi = () => connectApi(readKubeconfig(engine.kubeconfig)).node;
  const target = { namespace: 'default', pod: 'web' };

  test('port-forward reaches a server that listens on loopback only', async () => {
    const forward = spawn(KUBECTL, ['port-forward', 'pod/web', ':8080'], {
      env: { ...process.env, KUBECONFIG: engine.kubeconfig },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [said] = await once(forward.stdout, 'data');
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(String(said))?.[1]);
      const answer = await fetch(`http://127.0.0.1:${port}/page`);
      assert.equal(await answer.text(), 'only-inside\n');
    } finally {
      forward.kill();
    }
  });

  test('port-forward tells of a port on which nobody listens', async () => {
    const forward = spawn(KUBECTL, ['port-forward', 'pod/web', ':81'], {
      env: { ...process.env, KUBECONFIG: engine.kubeconfig },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const [said] = await once(forward.stdout, 'data');
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(String(said))?.[1]);
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      const [complaint] = await once(forward.stderr, 'data');
      assert.match(String(complaint), /error forwarding port 81 to pod web: .*ECONNREFUSED/);
      socket.destroy();
    } finally {
      forward.kill();
    }
  });

  test('the proxy to a pod, by kubectl get --raw and by kubectl proxy', async () => {
    const path = '/api/v1/namespaces/default/pods/web:8080/proxy';
    assert.equal(await engine.kube('get', '--raw', `${path}/page`), 'only-inside\n');
    assert.match((await engine.kubectl('get', '--raw', `${path}/none`)).stderr, /NotFound/);
    assert.match(
      (await engine.kubectl('get', '--raw', '/api/v1/namespaces/default/pods/web:81/proxy/')).stderr,
      /ServiceUnavailable\): error trying to reach service: .*ECONNREFUSED/,
    );
    const proxy = spawn(KUBECTL, ['proxy', '--port=0'], {
      env: { ...process.env, KUBECONFIG: engine.kubeconfig },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [said] = await once(proxy.stdout, 'data');
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(String(said))?.[1]);
      const answer = await fetch(`http://127.0.0.1:${port}${path}/page`);
      assert.deepEqual([answer.status, await answer.text()], [200, 'only-inside\n']);
    } finally {
      proxy.kill();
    }
  });

  test('attach joins the input and output of the container itself', async () => {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const gone = new AbortController();
    const session = await nodeApi().attach({
      ...target,
      container: 'reader',
      tty: false,
      stdin,
      stdout,
      signal: gone.signal,
    });
    session.exitCode.catch(() => {});
    const answered = seen(stdout, /got two/);
    stdin.write('one\ntwo\n');
    assert.match(await answered, /got one\ngot two/);
    gone.abort();
    assert.match(await engine.kube('logs', 'web', '-c', 'reader'), /got one\ngot two/);
  });

  test('an attached terminal has the size it was given', async () => {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const gone = new AbortController();
    const session = await nodeApi().attach({
      ...target,
      container: 'terminal',
      tty: true,
      stdin,
      stdout,
      signal: gone.signal,
    });
    session.exitCode.catch(() => {});
    const answered = seen(stdout, /45 123/);
    session.resize({ columns: 123, rows: 45 });
    assert.match(await answered, /45 123/);
    gone.abort();
  });

  test('exec with a terminal that is resized', async () => {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const { signal } = new AbortController();
    const command = [
      'sh',
      '-c',
      'until [ "$(stty size 2> /dev/null)" = "33 77" ]; do sleep 0.02; done; echo sized',
    ];
    const session = await nodeApi().exec({
      ...target,
      container: 'local',
      command,
      tty: true,
      stdin,
      stdout,
      signal,
    });
    session.resize({ columns: 77, rows: 33 });
    const output = text(stdout);
    assert.equal(await session.exitCode, 0);
    stdout.end();
    assert.equal(await output, 'sized\r\n');
  });

  test('what a command wrote to its terminal right before its end is not lost', async () => {
    const { signal } = new AbortController();
    const last = async (): Promise<string> => {
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const output = text(stdout);
      const command = ['sh', '-c', 'echo last'];
      const request = { ...target, container: 'local', command, tty: true, stdin, stdout, signal };
      assert.equal(await (await nodeApi().exec(request)).exitCode, 0);
      stdout.end();
      return await output;
    };
    // Before the runtime handed its terminal over, crun lost one in thirteen so.
    for (let round = 0; round < 12; round++)
      for (const words of await Promise.all(Array.from({ length: 8 }, last))) assert.equal(words, 'last\r\n');
  });

  test('a command that is not there says so on its terminal', async () => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const { signal } = new AbortController();
    const request = {
      ...target,
      container: 'local',
      command: ['/nowhere'],
      tty: true,
      stdin,
      stdout,
      signal,
    };
    assert.equal(await (await nodeApi().exec(request)).exitCode, 127);
    stdout.end();
    assert.match(await output, /nowhere/);
  });

  test('kubectl cp, both ways', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    writeFileSync(`${engine.dir}/in`, bytes);
    await engine.kube('cp', `${engine.dir}/in`, 'web:/tmp/copied', '-c', 'local');
    await engine.kube('cp', 'web:/tmp/copied', `${engine.dir}/out`, '-c', 'local');
    assert.ok(readFileSync(`${engine.dir}/out`).equals(bytes));
  });
});
