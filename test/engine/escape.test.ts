// The ways out of a container that were found elsewhere, tried from within: none leads to the machine, to another pod, or to the
// engine. And the ways in that a browser or a symbolic link would open.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { readKubeconfig } from '../../src/client/http-client.ts';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('ways out, and in', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('plain', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('plain');
  });
  after(() => engine.close());

  const inside = async (script: string, pod = 'plain'): Promise<string> =>
    (await engine.kube('exec', pod, '--', 'sh', '-c', `(${script}) 2>&1 || true`)).trim();

  test('cgroup release_agent: no cgroup can be mounted or written', async () => {
    const tries = [
      'mkdir -p /tmp/c && mount -t cgroup -o rdma cgroup /tmp/c',
      'mkdir -p /tmp/d && mount -t cgroup2 none /tmp/d',
      'for f in $(find /sys/fs/cgroup -name release_agent); do echo /tmp/x > $f || exit 1; done; test -n "$f"',
      // The runtime's tmpfs above them is the container's own.
      'grep -E "^\\S+ \\S+ cgroup2? rw" /proc/mounts',
      'for d in $(ls -d /sys/fs/cgroup/*/); do mkdir $d/podwright-evil || exit 1; done; test -n "$d"',
      'unshare -UrmC true',
    ];
    for (const one of tries) assert.equal(await inside(`(${one}) > /dev/null 2>&1 && echo done`), '', one);
  });

  test('/proc/self/exe: the runtime of the machine cannot be written from an exec or an entry point', async () => {
    const runtimes = ['/usr/bin/crun', '/usr/sbin/runc', '/usr/bin/conmon'].filter((path) =>
      existsSync(path),
    );
    const before = runtimes.map(sha256);
    // Whoever comes in by exec is looked at; its program is opened for writing as soon as it is not in use.
    const trap =
      'for i in $(seq 300); do for p in /proc/[0-9]*; do for f in $p/exe; do (echo evil > $f) 2>/dev/null; done; done; done; echo over';
    await engine.kube('exec', 'plain', '--', 'sh', '-c', `(${trap}) > /tmp/trap 2>&1 &`);
    await inside('printf "#!/proc/self/exe\\n" > /tmp/evil; chmod +x /tmp/evil');
    for (let turn = 0; turn < 5; turn += 1) await engine.kubectl('exec', 'plain', '--', '/tmp/evil');
    await engine.api.create(
      PODS,
      podOf('self', [{ ...shell('app', ''), command: ['/proc/self/exe', '--version'] }], {
        restartPolicy: 'Never',
      }),
    );
    await eventually('it has ended', async () => {
      const { phase } = (await engine.pod('self')).status ?? {};
      return phase === 'Failed' || phase === 'Succeeded' || undefined;
    });
    assert.deepEqual(runtimes.map(sha256), before);
    assert.equal(await inside('echo still'), 'still');
    await engine.kube('delete', 'pod', 'self', '--now');
  });

  test('kernel log, keyrings, raw memory, modules, tracing: not there, or not permitted', async () => {
    const tries = [
      'dmesg | grep .',
      'cat /dev/kmsg',
      'cat /proc/kallsyms | grep -v "^0* " | grep .',
      'cat /proc/keys | grep .',
      'cat /proc/kcore | head -c 1 | grep .',
      'ls /dev/mem /dev/kmem /dev/port',
      'insmod /nothing.ko; test $? -eq 0',
      'ls /sys/kernel/debug | grep .',
      'ls /sys/kernel/tracing | grep .',
      'ls /sys/fs/bpf | grep .',
      'echo 1 > /proc/sys/vm/drop_caches',
      'echo 1 > /proc/sys/kernel/panic',
      'hwclock -w',
      'hostname evil',
      'chroot /proc/1/root/../.. true && test -e /proc/1/root/../../var/lib/podwright',
    ];
    for (const one of tries) assert.equal(await inside(`(${one}) > /dev/null 2>&1 && echo done`), '', one);
  });

  test('with the machine’s processes in view, memory, environment and files of the engine are not', async () => {
    await engine.api.create(PODS, podOf('view', [shell('app', 'exec sleep 3600')], { hostPID: true }));
    await engine.waitReady('view');
    const { pid } = engine;
    assert.match(await inside(`cat /proc/${pid}/comm`, 'view'), /./, 'it is in view');
    for (const one of [
      `cat /proc/${pid}/environ`,
      `readlink /proc/${pid}/fd/1`,
      `head -c 1 /proc/${pid}/fd/3`,
      `ls /proc/${pid}/root/`,
      `head -c 1 /proc/${pid}/mem`,
      `readlink /proc/${pid}/exe`,
      `readlink /proc/${pid}/cwd`,
    ])
      assert.equal(await inside(`${one} 2> /dev/null | head -c 1 | wc -c`, 'view'), '0', one);
    await engine.kube('delete', 'pod', 'view', '--now');
  });

  test('pages of other sites are refused, whatever they show; those of this machine are not', async () => {
    const { server, ca, cert, key } = readKubeconfig(engine.kubeconfig);
    const ask = (
      path: string,
      headers: Record<string, string>,
      method = 'GET',
    ): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const asked = request(
          new URL(path, server),
          { method, headers, ca, cert, key, servername: 'localhost' },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        );
        asked.on('upgrade', (_, socket) => {
          socket.destroy();
          resolve(101);
        });
        asked.on('error', reject).end();
      });
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'v5.channel.k8s.io',
    };
    const exec = '/api/v1/namespaces/default/pods/plain/exec?command=true&stdout=true';
    for (const origin of ['https://evil.example', 'null', 'https://127.0.0.1.evil.example', 'file://']) {
      assert.equal(await ask('/api/v1/pods', { origin }), 403, origin);
      assert.equal(await ask('/api/v1/namespaces', { origin }, 'POST'), 403, origin);
      assert.equal(await ask(exec, { ...upgrade, origin }), 403, origin);
    }
    for (const origin of ['http://localhost:8001', 'http://127.0.0.1:8001', new URL(server).origin]) {
      assert.equal(await ask('/api/v1/pods', { origin }), 200, origin);
      assert.equal(await ask(exec, { ...upgrade, origin }), 101, origin);
    }
  });

  test('TLS: a certificate for this machine’s names alone, and clients only of its own CA', async () => {
    const { server, ca } = readKubeconfig(engine.kubeconfig);
    const { hostname, port } = new URL(server);
    const peer = await new Promise<X509Certificate | undefined>((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), ca }, () => {
        resolve(socket.getPeerX509Certificate());
        socket.destroy();
      });
      socket.on('error', reject);
    });
    // After DNS rebinding a browser asks for the other site's name: the handshake ends there.
    assert.equal(peer?.checkHost('evil.example'), undefined);
    assert.equal(peer?.checkHost('localhost'), 'localhost');
    assert.equal(peer?.ca, false);
    assert.equal(new X509Certificate(ca ?? '').ca, true);
    for (const ciphers of ['NULL', 'aNULL', 'RC4', '3DES', 'EXPORT']) {
      const spoken = await new Promise<string>((resolve) => {
        const options = { host: hostname, port: Number(port), ca, maxVersion: 'TLSv1.2' } as const;
        try {
          const socket = connect({ ...options, ciphers: `${ciphers}:@SECLEVEL=0` }, () => {
            resolve(socket.getCipher().name);
            socket.destroy();
          });
          socket.on('error', () => resolve('none'));
        } catch {
          // The client itself no longer has them.
          resolve('none');
        }
      });
      assert.equal(spoken, 'none', ciphers);
    }
  });

  test('nothing below the engine’s directories can be written by another user, and no key read', () => {
    const wrong: string[] = [];
    // What containers, images and volumes hold is theirs; only the directories above are the engine's.
    const isContent = (path: string): boolean =>
      /\/(storage\/overlay|volumes\/|rootfs|upper|merged|shm$|containers\/[^/]+\/\d+\/(rootfs|diff|work))/.test(
        path,
      );
    const walk = (dir: string): void => {
      for (const name of readdirSync(dir)) {
        const path = join(dir, name);
        const { mode } = lstatSync(path);
        const stat = lstatSync(path);
        if (stat.isSymbolicLink() || stat.isSocket() || isContent(path)) continue;
        if ((mode & 0o022) !== 0 && !/termination/.test(path))
          wrong.push(`${(mode & 0o7777).toString(8)} ${path}`);
        if (/\.key$|token|kubeconfig/.test(name) && stat.isFile() && (mode & 0o077) !== 0)
          wrong.push(`${(mode & 0o7777).toString(8)} ${path}`);
        if (stat.isDirectory()) walk(path);
      }
    };
    for (const dir of [engine.dataDir, engine.runDir, engine.logDir]) walk(dir);
    assert.deepEqual(wrong, []);
  });

  test('kubectl cp from a pod that made links: nothing is written outside of where it was asked to', async () => {
    const target = join(engine.dir, 'copied');
    mkdirSync(target);
    const outside = join(engine.dir, 'outside');
    writeFileSync(outside, 'untouched');
    await inside(
      `mkdir -p /tmp/evil-links && cd /tmp/evil-links && ln -s ${outside} file && ln -s ${engine.dir} dir && echo x > plain`,
    );
    await engine.kube('cp', 'plain:/tmp/evil-links', join(target, 'links'));
    assert.equal(readFileSync(outside, 'utf8'), 'untouched');
    assert.equal(readFileSync(join(target, 'links/plain'), 'utf8'), 'x\n');
  });

  test('a termination message that is a link is not followed, and no log is a link', async () => {
    const secret = join(engine.dir, 'host-secret');
    writeFileSync(secret, 'only for the host');
    const script = `rm -f /dev/termination-log; ln -s ${secret} /dev/termination-log; ln -s ${secret} /tmp/message; exit 1`;
    await engine.api.create(
      PODS,
      podOf('linker', [shell('app', script, { terminationMessagePath: '/tmp/message' })], {
        restartPolicy: 'Never',
      }),
    );
    const message = await eventually('it has ended', async () => {
      const [status] = (await engine.pod('linker')).status?.containerStatuses ?? [];
      return status?.state?.terminated === undefined ? undefined : (status.state.terminated.message ?? '');
    });
    assert.doesNotMatch(message, /only for the host/);
    const { metadata } = await engine.pod('linker');
    const logs = join(engine.logDir, 'pods', `default_linker_${metadata?.uid}`, 'app');
    assert.ok(readdirSync(logs).every((name) => !lstatSync(join(logs, name)).isSymbolicLink()));
    await engine.kube('delete', 'pod', 'linker', '--now');
  });

  test('a configMap over a hostPath that is a link: files of the volume stay in the volume', async () => {
    const host = join(engine.dir, 'shared');
    mkdirSync(host);
    symlinkSync('/etc', join(host, 'link'));
    const before = readdirSync('/etc').length;
    await engine.kube('create', 'configmap', 'words', '--from-literal=podwright-evil=x');
    const volumes = [
      { name: 'host', hostPath: { path: host } },
      { name: 'words', configMap: { name: 'words' } },
    ];
    const volumeMounts = [
      { name: 'host', mountPath: '/shared' },
      // The mount point lies behind a link that leads to the container's /etc, not to the machine's.
      { name: 'words', mountPath: '/shared/link/words' },
    ];
    await engine.api.create(
      PODS,
      podOf('over', [shell('app', 'exec sleep 3600', { volumeMounts })], { volumes }),
    );
    await eventually('it runs, or says why not', async () => {
      const [status] = (await engine.pod('over')).status?.containerStatuses ?? [];
      return status?.state?.running ?? status?.state?.waiting?.message ?? status?.lastState?.terminated;
    });
    assert.equal(readdirSync('/etc').length, before, 'nothing was made in the machine’s /etc');
    assert.equal(existsSync('/etc/words'), false);
    assert.equal(readlinkSync(join(host, 'link')), '/etc');
    await engine.kube('delete', 'pod', 'over', '--now');
  });
});
