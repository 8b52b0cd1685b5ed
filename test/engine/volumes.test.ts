// Volumes in real containers, one engine for all of them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { EnvVar, Pod, Volume, VolumeMount } from '../../src/kube/api-types.ts';
import { MS, mount } from '../../src/machine/system/libc.ts';
import { unmountBelow } from '../../src/machine/system/mountinfo.ts';
import { eventually, IMAGES, ROOT, TestEngine } from '../lib/engine.ts';

type Parts = {
  readonly volumes: readonly Volume[];
  readonly mounts: readonly VolumeMount[];
  readonly more?: Partial<NonNullable<Pod['spec']>>;
  readonly labels?: Record<string, string>;
  readonly env?: readonly EnvVar[];
};

function podOf(name: string, { volumes, mounts, more = {}, labels = {}, env = [] }: Parts): Pod {
  const container = {
    name: 'app',
    image: 'localhost/podwright/busybox:1',
    command: ['sleep', '3600'],
    volumeMounts: mounts,
    env,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { terminationGracePeriodSeconds: 0, volumes, containers: [container], ...more },
  };
}

describe('volumes', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'sample');
  });
  after(() => engine.close());

  const apply = async (...objects: readonly object[]): Promise<void> => {
    const path = `${engine.dir}/objects.yaml`;
    writeFileSync(path, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    await engine.kube('apply', '-f', path);
  };
  const sh = (pod: string, script: string) => engine.kube('exec', pod, '--', 'sh', '-c', script);
  const shows = (pod: string, script: string, expected: string) =>
    eventually(`${script} gives ${expected}`, async () =>
      (await sh(pod, script)) === expected ? true : undefined,
    );

  test('files: read-only, with modes, secrets in memory, and changes arrive whole', async () => {
    const settings = (value: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { a: value, b: value },
    });
    const login = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login' },
      stringData: { user: 'anna' },
    };
    const pod = podOf('files', {
      labels: { tier: 'front' },
      volumes: [
        { name: 'config', configMap: { name: 'settings' } },
        { name: 'login', secret: { secretName: 'login', defaultMode: 0o400 } },
        { name: 'maybe', configMap: { name: 'absent', optional: true } },
        {
          name: 'all',
          projected: {
            sources: [
              { configMap: { name: 'settings', items: [{ key: 'a', path: 'conf/a', mode: 0o440 }] } },
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
      ],
      mounts: ['config', 'login', 'maybe', 'all'].map((name) => ({ name, mountPath: `/${name}` })),
    });
    await apply(settings('1'), login, pod);
    await engine.waitReady('files');

    assert.equal(
      await sh('files', 'cat /config/a /login/user /all/conf/a /all/labels; ls /maybe'),
      '1anna1tier="front"',
    );
    assert.equal(await sh('files', 'stat -Lc %a /login/user /all/conf/a'), '400\n440\n');
    assert.match(await sh('files', 'stat -fc %T /login /all'), /^tmpfs\ntmpfs\n$/);
    for (const volume of ['config', 'login', 'maybe', 'all']) {
      const { stderr } = await engine.kubectl('exec', 'files', '--', 'touch', `/${volume}/x`);
      assert.match(stderr, /Read-only file system/, volume);
    }

    // A reader in one version's directory sees its files agree until that version is taken away.
    const reader = sh(
      'files',
      `until [ "$(cat /config/a)" = 5 ]; do cd -P /config/..data
       x=$(cat a 2>&-) && y=$(cat b 2>&-) && [ "$x" != "$y" ] && echo torn; cd /; done`,
    );
    for (const value of ['2', '3', '4', '5']) await apply(settings(value));
    assert.equal(await reader, '');
    await shows('files', 'cat /all/conf/a', '5');
    await engine.kube('label', 'pod/files', 'tier=back', '--overwrite');
    await shows('files', 'cat /all/labels', 'tier="back"');
    assert.equal((await engine.pod('files')).status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('image: the content of an image, read-only, whole or a part; an absent one is told', async () => {
    const reference = 'localhost/podwright/sample:1';
    const image = (name: string, of: string): Parts => ({
      volumes: [
        { name: 'war', image: { reference: of, pullPolicy: name === 'absent' ? 'Never' : 'IfNotPresent' } },
      ],
      mounts: [
        { name: 'war', mountPath: '/war' },
        { name: 'war', mountPath: '/app.war', subPath: 'sample.war' },
      ],
    });
    await apply(
      podOf('image', image('image', reference)),
      podOf('absent', image('absent', 'localhost/no:1')),
    );
    await engine.waitReady('image');
    assert.equal(
      await sh('image', 'cmp /war/sample.war /app.war && ls /war/sample.war'),
      '/war/sample.war\n',
    );
    const { stderr } = await engine.kubectl('exec', 'image', '--', 'touch', '/war/x');
    assert.match(stderr, /Read-only file system/);
    const removal = await engine.podwright('image', 'rm', reference);
    assert.match(removal.stderr, /pod default\/image uses it/);
    await eventually('the pod says what it waits for', async () => {
      const events = await engine.kube('events', '--for', 'pod/absent');
      return (
        /FailedMount.*localhost\/no:1" is not present with pull policy of Never/.test(events) || undefined
      );
    });
  });

  const claim = (name: string, more: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
  });
  const claiming = (name: string, claimName: string): Pod =>
    podOf(name, {
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      mounts: [{ name: 'data', mountPath: '/data' }],
    });
  const phase = async (resource: string): Promise<string> =>
    engine.kube('get', resource, '-o', 'jsonpath={.status.phase}');
  const gone = (pod: string) => engine.kube('delete', 'pod', pod, '--grace-period=0', '--force');

  test('claim: made when its pod comes, outlives the pod, protected while in use, deleted with its data', async () => {
    await apply(claim('data'));
    assert.match(
      await engine.kube('get', 'sc'),
      /local \(default\) +podwright.dev\/local +Delete +WaitForFirstConsumer/,
    );
    assert.equal(await phase('pvc/data'), 'Pending', 'nobody uses it yet');
    await apply(claiming('first', 'data'));
    await engine.waitReady('first');
    await sh('first', 'echo kept > /data/kept');
    assert.match(await engine.kube('get', 'pvc', 'data'), /data +Bound +pvc-\S+ +1Gi +RWO +local/);
    const volume = await engine.kube('get', 'pvc', 'data', '-o', 'jsonpath={.spec.volumeName}');
    assert.match(await engine.kube('get', 'pv', volume), /1Gi +RWO +Delete +Bound +default\/data +local/);
    const events = await engine.kube('events', '--for', 'pod/first');
    assert.doesNotMatch(events, /FailedMount/, 'waiting for the volume is no failure');

    await engine.kill();
    await engine.start();
    await engine.waitReady('first');
    assert.equal(await sh('first', 'cat /data/kept'), 'kept\n', 'the next engine took both over');
    assert.equal((await engine.pod('first')).status?.containerStatuses?.[0]?.restartCount, 0);

    await gone('first');
    await apply(claiming('second', 'data'));
    await engine.waitReady('second');
    assert.equal(await sh('second', 'cat /data/kept'), 'kept\n');

    await engine.kube('delete', 'pvc', 'data', '--wait=false');
    assert.match(await engine.kube('get', 'pvc', 'data'), /data +Terminating/);
    assert.equal(await sh('second', 'cat /data/kept'), 'kept\n');
    await gone('second');
    await engine.kube('wait', '--for=delete', 'pvc/data', `pv/${volume}`, '--timeout=120s');
    await eventually(
      'its data is gone',
      () => !existsSync(`${engine.dataDir}/persistent-volumes/${volume}`) || undefined,
    );
  });

  test('fsGroup of a claim; the path of a variable within it', async () => {
    const pod = podOf('group', {
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'shared' } }],
      mounts: [
        { name: 'data', mountPath: '/data' },
        { name: 'data', mountPath: '/own', subPathExpr: 'of-$(NAME)' },
      ],
      more: { securityContext: { runAsUser: 1000, fsGroup: 2000 } },
      env: [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    });
    await apply(claim('shared'), pod);
    await engine.waitReady('group');
    assert.equal(
      await sh('group', 'touch /own/f; stat -c %g /data /own /own/f; ls /data'),
      '2000\n2000\n2000\nof-group\n',
    );
    await gone('group');
    await engine.kube('delete', 'pvc', 'shared', '--timeout=120s');
  });

  test('mounts below a volume: they travel as asked, and are read-only as asked', async () => {
    const host = `${engine.dir}/host`;
    mkdirSync(host);
    mount('tmpfs', host, 'tmpfs', 0, '');
    try {
      mount('', host, '', MS.SHARED, '');
      mkdirSync(`${host}/below`);
      mkdirSync(`${host}/later`);
      mount('tmpfs', `${host}/below`, 'tmpfs', 0, '');
      const at = (mountPath: string, more: Partial<VolumeMount> = {}): VolumeMount => ({
        name: 'host',
        mountPath,
        ...more,
      });
      const pod = podOf('below', {
        volumes: [{ name: 'host', hostPath: { path: host } }],
        mounts: [
          at('/none'),
          at('/follows', { mountPropagation: 'HostToContainer' }),
          at('/ro', { readOnly: true }),
          at('/rro', { readOnly: true, recursiveReadOnly: 'Enabled' }),
        ],
      });
      await apply(pod, {
        ...pod,
        metadata: { name: 'private' },
        spec: { ...pod.spec, volumes: [{ name: 'host', hostPath: { path: engine.dir } }] },
      });
      await engine.waitReady('below');
      mount('tmpfs', `${host}/later`, 'tmpfs', 0, '');
      writeFileSync(`${host}/later/f`, '');
      assert.equal(await sh('below', 'ls /follows/later; ls /none/later'), 'f\n');
      assert.equal(
        await sh(
          'below',
          'touch /ro/below/f; for d in /ro /rro /rro/below; do touch $d/x 2>&- || echo $d; done',
        ),
        '/ro\n/rro\n/rro/below\n',
      );
      await eventually('a private mount cannot be followed, and that is told', async () => {
        const events = await engine.kube('events', '--for', 'pod/private');
        return /is not a shared or slave mount/.test(events) || undefined;
      });
      await gone('below');
    } finally {
      await unmountBelow(host);
    }
  });

  test('static volume: the smallest that is enough is bound, and kept by Retain', async () => {
    const volume = (name: string, storage: string): object => {
      mkdirSync(`${engine.dir}/${name}`);
      writeFileSync(`${engine.dir}/${name}/whose`, name);
      return {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: {
          capacity: { storage },
          accessModes: ['ReadWriteOnce'],
          hostPath: { path: `${engine.dir}/${name}` },
        },
      };
    };
    await apply(volume('large', '9Gi'), volume('small', '2Gi'), volume('tiny', '1Mi'));
    await apply(claim('static', { storageClassName: '' }), claiming('user', 'static'));
    await engine.waitReady('user');
    assert.equal(await sh('user', 'cat /data/whose'), 'small');
    await gone('user');
    await engine.kube('delete', 'pvc', 'static', '--timeout=120s');
    await engine.kube('wait', '--for=jsonpath={.status.phase}=Released', 'pv/small', '--timeout=120s');
    assert.equal(await phase('pv/large'), 'Available');
    assert.ok(existsSync(`${engine.dir}/small/whose`));
    await engine.kube('delete', 'pv', '--all', '--timeout=120s');
  });

  test('ephemeral: a claim of the pod that goes with it; a claim that is missing is told', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };
    const pod = podOf('scratch', {
      volumes: [{ name: 'tmp', ephemeral: { volumeClaimTemplate: { spec } } }],
      mounts: [{ name: 'tmp', mountPath: '/tmp' }],
    });
    await apply(pod, claiming('lost', 'nowhere'));
    await engine.waitReady('scratch');
    await sh('scratch', 'touch /tmp/x');
    assert.equal(await phase('pvc/scratch-tmp'), 'Bound');
    await gone('scratch');
    await engine.kube('wait', '--for=delete', 'pvc/scratch-tmp', '--timeout=120s');
    await eventually(
      'no volume is left',
      async () => (await engine.kube('get', 'pv', '-o', 'name')) === '' || undefined,
    );
    await eventually('the pod says what it waits for', async () => {
      const events = await engine.kube('events', '--for', 'pod/lost');
      return (
        /FailedScheduling.*0\/1 nodes are available: persistentvolumeclaim "nowhere" not found/.test(
          events,
        ) || undefined
      );
    });
  });

  test('csi: a driver brings a WAR, inline and behind a claim; a wrong checksum is told; all is undone', async () => {
    const war = readFileSync(join(IMAGES, 'sample.key'));
    let downloads = 0;
    const site = createServer((_request, response) => {
      downloads += 1;
      response.end(war);
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const { port } = site.address() as AddressInfo;
    const socket = `${engine.dataDir}/plugins/war.podwright.dev/csi.sock`;
    const calls: string[] = [];
    const program = join(ROOT, 'examples/csi-war/war-driver.ts');
    const driver = spawn(process.execPath, [program, '--socket', socket, '--cache', `${engine.dir}/wars`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: driver.stdout }).on('line', (line) => calls.push(line));
    const called = (method: string) => calls.filter((line) => line.startsWith(method)).length;
    try {
      const sha256 = createHash('sha256').update(war).digest('hex');
      const attributes = { url: `http://127.0.0.1:${port}/a.war`, sha256, name: 'a.war' };
      const name = 'war.podwright.dev';
      const modes = ['Ephemeral', 'Persistent'];
      const described = {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSIDriver',
        metadata: { name },
        spec: { attachRequired: false, volumeLifecycleModes: modes },
      };
      const volume = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'wars' },
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteMany'],
          csi: { driver: name, volumeHandle: 'wars', volumeAttributes: attributes },
        },
      };
      const inline = (pod: string, volumeAttributes: Record<string, string>): Pod =>
        podOf(pod, {
          volumes: [{ name: 'war', csi: { driver: name, volumeAttributes, readOnly: true } }],
          mounts: [{ name: 'war', mountPath: '/war' }],
        });
      const wars = claim('wars', { storageClassName: '', accessModes: ['ReadWriteMany'] });
      await eventually('the driver listens', () => existsSync(socket) || undefined);
      await apply(
        described,
        volume,
        wars,
        inline('csi', attributes),
        inline('bad', { ...attributes, sha256: '0'.repeat(64) }),
      );
      await apply(claiming('one', 'wars'), claiming('two', 'wars'));
      await Promise.all(['csi', 'one', 'two'].map((pod) => engine.waitReady(pod)));
      assert.equal(await sh('csi', 'cat /war/a.war'), war.toString());
      assert.equal(await sh('one', 'cat /data/a.war'), war.toString());
      assert.match(
        (await engine.kubectl('exec', 'csi', '--', 'touch', '/war/x')).stderr,
        /Read-only file system/,
      );
      assert.equal(called('NodeStageVolume wars'), 2, 'for each pod; it is the driver that stages once');
      await eventually('the pod says what is wrong', async () => {
        const events = await engine.kube('events', '--for', 'pod/bad');
        return /FailedMount.*rpc error: code = DATA_LOSS desc = .*has the checksum/.test(events) || undefined;
      });
      assert.ok(downloads >= 2, 'the good one once, the bad one at every attempt');

      await gone('one');
      await eventually('one is unpublished', () => called('NodeUnpublishVolume wars') === 1 || undefined);
      assert.equal(called('NodeUnstageVolume'), 0, 'two still uses it');
      await gone('two');
      await eventually('unstaged with the last', () => called('NodeUnstageVolume wars') === 1 || undefined);
      await gone('csi');
      await gone('bad');
      await eventually('all is unpublished', () => called('NodeUnpublishVolume csi-') === 2 || undefined);
      assert.deepEqual(readdirSync(`${engine.dataDir}/plugins/${name}`), ['csi.sock']);
      await engine.kube('delete', 'pvc,pv', '--all', '--timeout=120s');
    } finally {
      driver.kill();
      site.close();
    }
  });
});
