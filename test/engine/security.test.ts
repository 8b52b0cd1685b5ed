// Nobody in: what an unauthenticated client, and a process inside a pod, gets of the engine and of the machine. Told from
// where they stand: over the network, inside a container, as another user of the machine.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, type SecureVersion } from 'node:tls';
import { readKubeconfig } from '../../src/client/http-client.ts';
import { PODS, SECRETS } from '../../src/client/resources.ts';
import { run, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { look } from '../lib/soak/observer.ts';

/** Long enough to be found nowhere by chance. */
const SECRET = 'correct-horse-battery-staple-7391';

describe('nobody in', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'default', name: 'word' },
      data: { word: Buffer.from(SECRET).toString('base64') },
    });
    const env = [{ name: 'WORD', valueFrom: { secretKeyRef: { name: 'word', key: 'word' } } }];
    const volumeMounts = [{ name: 'word', mountPath: '/word' }];
    const app = shell('app', 'exec sleep 3600', { env, volumeMounts });
    const volumes = [{ name: 'word', secret: { secretName: 'word' } }];
    await engine.api.create(PODS, podOf('plain', [app], { volumes }));
    await engine.waitReady('plain');
  });
  after(() => engine.close());

  const inside = async (script: string): Promise<string> =>
    (await engine.kube('exec', 'plain', '--', 'sh', '-c', `(${script}) 2>&1 || true`)).trim();

  /** Status code of a request without, or with, these headers. */
  const ask = (path: string, headers: Record<string, string> = {}): Promise<number | undefined> => {
    const { server } = readKubeconfig(engine.kubeconfig);
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, server), { headers, rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end();
    });
  };

  test('who shows no certificate and no right token is refused, on every path and for every stream', async () => {
    const paths = [
      '/',
      '/api',
      '/api/v1/pods',
      '/api/v1/namespaces/default/secrets/word',
      '/openapi/v2',
      '/metrics',
    ];
    for (const path of paths) {
      assert.equal(await ask(path), 403, path);
      assert.equal(await ask(path, { authorization: 'Bearer wrong' }), 401, path);
    }
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'v5.channel.k8s.io',
    };
    const exec = '/api/v1/namespaces/default/pods/plain/exec?command=id&stdout=true';
    assert.equal(await ask(exec, upgrade), 403);
    assert.equal(await ask(exec, { ...upgrade, authorization: 'Bearer wrong' }), 401);
  });

  test('TLS below 1.2 is refused', async () => {
    const { hostname, port } = new URL(readKubeconfig(engine.kubeconfig).server);
    const negotiated = (version: SecureVersion): Promise<string | null> =>
      new Promise((resolve, reject) => {
        // Level 0: the client, at least, would still speak the old versions.
        const ciphers = 'ALL:@SECLEVEL=0';
        const options = { host: hostname, port: Number(port), rejectUnauthorized: false, ciphers };
        const socket = connect({ ...options, minVersion: version, maxVersion: version }, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.on('error', reject);
      });
    for (const version of ['TLSv1', 'TLSv1.1'] as const)
      await assert.rejects(negotiated(version), /protocol version|unsupported/i);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) assert.equal(await negotiated(version), version);
  });

  test('no file of the engine is for another user of the machine', () => {
    for (const dir of [engine.dataDir, engine.runDir, engine.logDir])
      assert.equal(statSync(dir).mode & 0o077, 0, `${dir} is closed`);
    assert.equal(statSync(engine.kubeconfig).mode & 0o077, 0);
    for (const name of readdirSync(join(engine.dataDir, 'pki')))
      if (/key|token/.test(name))
        assert.equal(statSync(join(engine.dataDir, 'pki', name)).mode & 0o077, 0, name);
  });

  test('a secret is in no log, event, process argument or record that is not its own', async () => {
    const found = await run('grep', ['-rlF', SECRET, engine.logDir, join(engine.runDir)]);
    const files = found.stdout.split('\n').filter(Boolean);
    // The container's own OCI bundle holds its environment, as every OCI runtime demands.
    for (const file of files)
      assert.match(file, /\/(containers\/app\/0|runtime\/[^/]+_app_0)\/config\.json$/);
    assert.doesNotMatch(await engine.kube('get', 'events', '-o', 'json'), new RegExp(SECRET));
    assert.doesNotMatch(await engine.kube('describe', 'pod', 'plain'), new RegExp(SECRET));
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let command = '';
      try {
        command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        continue;
      }
      assert.ok(!command.includes(SECRET), `process ${pid}`);
    }
    assert.match(await inside('stat -f -c %T /word'), /tmpfs/, 'never on the disk');
  });

  test('a container sees no secret of the machine, and changes nothing of it', async () => {
    for (const path of ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware/acpi'])
      assert.equal(await inside(`cat ${path} 2> /dev/null | head -c 1 | wc -c`), '0', path);
    const writes = [
      'echo x > /proc/sys/kernel/core_pattern',
      'echo b > /proc/sysrq-trigger',
      'echo x > /sys/kernel/uevent_helper',
      'mount -t tmpfs none /mnt',
      'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk > /dev/null',
      'mkdir /tmp/c && mount -t cgroup -o memory c /tmp/c',
      'unshare -m true',
    ];
    for (const write of writes)
      assert.equal(await inside(`(${write}) > /dev/null 2>&1 && echo done`), '', write);
    // runc alone adds /dev/core, and only where the machine has /proc/kcore: a link to what is masked, checked above.
    assert.match(await inside('readlink /dev/core || echo none'), /^(\/proc\/kcore|none)$/);
    assert.equal(
      await inside('ls /dev | grep -vx core | sort | tr "\\n" " "'),
      'fd full mqueue null ptmx pts random shm stderr stdin stdout termination-log tty urandom zero',
    );
  });

  test('a container has the default capabilities, seccomp, and no descriptor of the engine', async () => {
    const status = await inside('cat /proc/self/status');
    const capabilities = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(status)?.[1]}`);
    const has = (bit: number): boolean => (capabilities & (1n << BigInt(bit))) !== 0n;
    // CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH, CAP_SYS_RAWIO
    for (const bit of [21, 19, 16, 12, 2, 17]) assert.equal(has(bit), false, `capability ${bit}`);
    assert.match(status, /Seccomp:\s+2/);
    const fds = (await inside('ls -l /proc/1/fd')).split('\n').filter((line) => line.includes('->'));
    assert.equal(fds.length, 3, fds.join('\n'));
    for (const line of fds) assert.match(line, /(pipe:|\/dev\/null)/);
  });

  test('the processes of one pod do not see another’s', async () => {
    await engine.api.create(PODS, podOf('other', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('other');
    const pids = (await inside('ls /proc')).split(/\s+/).filter((name) => /^\d+$/.test(name));
    assert.ok(pids.length <= 4, `sees ${pids.length} processes of ${look(engine.instance).length}`);
    const { port } = new URL(readKubeconfig(engine.kubeconfig).server);
    // The engine listens on loopback alone: from a pod there is nobody at the node's address.
    assert.match(await inside(`nc -w 3 ${engine.gateway} ${port} < /dev/null; echo code $?`), /code [1-9]/);
  });
});
