// Volumes on the real kernel; needs root. Every test has directories of its own, and ends with nothing mounted.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { podUid } from '../../src/base/brand.ts';
import {
  dataPodDir,
  type MachineDirs,
  runPodDir,
  subPathsDir,
  volumeDir,
  volumeRecordsDir,
} from '../../src/machine/layout.ts';
import type { VolumeConfig } from '../../src/machine/model/volume.ts';
import { MS, mount } from '../../src/machine/system/libc.ts';
import { mountsBelow } from '../../src/machine/system/mountinfo.ts';
import { listVolumes, removeVolumes, setUpVolumes } from '../../src/machine/volumes/volumes.ts';

const uid = podUid('11111111-2222-3333-4444-555555555555');
const pod = { uid, namespace: 'default', name: 'web' };
const signal = new AbortController().signal;

const context = () => ({ dirs, images: { layers: async () => [join(base, 'upper'), join(base, 'lower')] } });

let base: string;
let dirs: MachineDirs;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'podwright-volumes-'));
  dirs = { dataDir: join(base, 'data'), runDir: join(base, 'run'), logDir: join(base, 'log') };
});

afterEach(async () => {
  await removeVolumes(dirs, uid);
  assert.deepEqual(await mountsBelow(base), []);
  await rm(base, { recursive: true });
});

const setUp = (volumes: readonly VolumeConfig[], fsGroup?: number) =>
  setUpVolumes(context(), { pod, volumes, ...(fsGroup === undefined ? {} : { fsGroup }) }, signal);
const at = (name: string, ...path: string[]) => join(volumeDir(dirs, uid, name), ...path);
const modeOf = (path: string) => statSync(path).mode & 0o7777;
const file = (path: string, content: string, mode = 0o644) => ({ path, content: Buffer.from(content), mode });

describe('emptyDir', () => {
  test('on disk: everybody may write, and a second set-up keeps what is in it', async () => {
    const volume = { kind: 'emptyDir', name: 'data', medium: 'disk', sizeLimitBytes: 1000 } as const;
    await setUp([volume]);
    assert.equal(modeOf(at('data')), 0o777);
    writeFileSync(at('data', 'f'), 'x');
    await setUp([volume]);
    assert.equal(readFileSync(at('data', 'f'), 'utf8'), 'x');
    assert.deepEqual(listVolumes(dirs, uid), ['data']);
    const record = JSON.parse(readFileSync(join(volumeRecordsDir(dirs, uid), 'data.json'), 'utf8'));
    assert.equal(record.sizeLimitBytes, 1000);
  });

  test('in memory: a tmpfs of the limited size, mounted once', async () => {
    const volume = {
      kind: 'emptyDir',
      name: 'cache',
      medium: 'memory',
      sizeLimitBytes: 1024 * 1024,
    } as const;
    await setUp([volume]);
    await setUp([volume]);
    assert.equal((await mountsBelow(base)).length, 1);
    assert.equal(modeOf(at('cache')), 0o777);
    assert.throws(() => writeFileSync(at('cache', 'big'), Buffer.alloc(2 * 1024 * 1024)), { code: 'ENOSPC' });
  });

  test('after a reboot the records are gone: files on disk stay, the tmpfs is made anew', async () => {
    const volumes: VolumeConfig[] = [
      { kind: 'emptyDir', name: 'disk', medium: 'disk' },
      { kind: 'emptyDir', name: 'memory', medium: 'memory' },
    ];
    await setUp(volumes);
    writeFileSync(at('disk', 'f'), 'kept');
    await rm(volumeRecordsDir(dirs, uid), { recursive: true });
    assert.deepEqual(listVolumes(dirs, uid), []);
    await setUp(volumes);
    assert.equal(readFileSync(at('disk', 'f'), 'utf8'), 'kept');
    assert.deepEqual(listVolumes(dirs, uid), ['disk', 'memory']);
  });

  test('a tmpfs that went away while its record stayed counts as not set up', async () => {
    await setUp([{ kind: 'emptyDir', name: 'memory', medium: 'memory' }]);
    const { unmount } = await import('../../src/machine/system/libc.ts');
    unmount(at('memory'));
    assert.deepEqual(listVolumes(dirs, uid), []);
    await setUp([{ kind: 'emptyDir', name: 'memory', medium: 'memory' }]);
    assert.deepEqual(listVolumes(dirs, uid), ['memory']);
  });

  test('fsGroup owns it, may write, and passes on to new files', async () => {
    const volumes: VolumeConfig[] = [
      { kind: 'emptyDir', name: 'disk', medium: 'disk' },
      { kind: 'emptyDir', name: 'memory', medium: 'memory' },
    ];
    await setUp(volumes, 2000);
    for (const name of ['disk', 'memory']) {
      assert.equal(statSync(at(name)).gid, 2000);
      assert.equal(modeOf(at(name)), 0o2777);
      writeFileSync(at(name, 'new'), '');
      assert.equal(statSync(at(name, 'new')).gid, 2000);
    }
  });
});

describe('local', () => {
  const disk = () => join(base, 'disk');
  const local = (readOnly = false): VolumeConfig => ({ kind: 'local', name: 'disk', path: disk(), readOnly });
  const give = (fsGroupChangePolicy: 'Always' | 'OnRootMismatch', volume = local()) =>
    setUpVolumes(context(), { pod, volumes: [volume], fsGroup: 2000, fsGroupChangePolicy }, signal);
  const of = (path: string) => [lstatSync(path).gid, lstatSync(path).mode & 0o7777];

  beforeEach(() => {
    mkdirSync(join(disk(), 'sub'), { recursive: true, mode: 0o755 });
    writeFileSync(join(disk(), 'sub/f'), 'x', { mode: 0o600 });
    writeFileSync(join(base, 'outside'), 'x', { mode: 0o600 });
  });

  test('fsGroup gets all that is in it, and nothing that a symlink points to', async () => {
    await symlink(join(base, 'outside'), join(disk(), 'link'));
    await symlink('/absent', join(disk(), 'dangling'));
    await give('Always');
    assert.deepEqual(of(disk()), [2000, 0o2775]);
    assert.deepEqual(of(join(disk(), 'sub')), [2000, 0o2775]);
    assert.deepEqual(of(join(disk(), 'sub/f')), [2000, 0o660]);
    assert.equal(lstatSync(join(disk(), 'link')).gid, 2000);
    assert.deepEqual(of(join(base, 'outside')), [0, 0o600]);
    await removeVolumes(dirs, uid);
    assert.ok(existsSync(join(disk(), 'sub/f')), 'it outlives the pod');
  });

  test('OnRootMismatch leaves alone what looks done; Always does not; a read-only one is never changed', async () => {
    await give('OnRootMismatch');
    assert.equal(of(join(disk(), 'sub/f'))[0], 2000, 'the first time it does not match');
    await removeVolumes(dirs, uid);
    writeFileSync(join(disk(), 'new'), 'x', { mode: 0o600 });
    chmodSync(join(disk(), 'new'), 0o600);
    await give('OnRootMismatch');
    assert.equal(of(join(disk(), 'new'))[1], 0o600);
    await removeVolumes(dirs, uid);
    await give('Always', local(true));
    assert.equal(of(join(disk(), 'new'))[1], 0o600);
    await removeVolumes(dirs, uid);
    await give('Always');
    assert.equal(of(join(disk(), 'new'))[1], 0o660);
  });

  test('a directory that is gone is told', async () => {
    await rm(disk(), { recursive: true });
    await assert.rejects(setUp([local()]), { code: 'MountFailed', message: /disk is not a directory/ });
  });
});

describe('hostPath', () => {
  const hostPath = (
    path: string,
    type: Extract<VolumeConfig, { kind: 'hostPath' }>['type'],
  ): VolumeConfig => ({
    kind: 'hostPath',
    name: 'host',
    path,
    type,
  });
  const refused = (volume: VolumeConfig, words: string) =>
    assert.rejects(setUp([volume]), {
      code: 'MountFailed',
      message: `MountVolume.SetUp failed for volume "host" : hostPath type check failed: ${words}`,
    });

  test("each type takes what it names and refuses the rest in the kubelet's words", async () => {
    const [directory, plain, socket] = [join(base, 'dir'), join(base, 'file'), join(base, 'socket')];
    mkdirSync(directory);
    writeFileSync(plain, '');
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    const table = [
      ['Directory', directory, plain, 'a directory'],
      ['DirectoryOrCreate', directory, plain, 'a directory'],
      ['File', plain, directory, 'a file'],
      ['FileOrCreate', plain, directory, 'a file'],
      ['Socket', socket, plain, 'a socket file'],
      ['CharDevice', '/dev/null', plain, 'a character device'],
      ['BlockDevice', undefined, '/dev/null', 'a block device'],
    ] as const;
    for (const [type, good, bad, what] of table) {
      await refused(hostPath(bad, type), `${bad} is not ${what}`);
      assert.deepEqual(listVolumes(dirs, uid), [], type);
      if (good === undefined) continue;
      await setUp([hostPath(good, type)]);
      assert.deepEqual(listVolumes(dirs, uid), ['host'], type);
      await removeVolumes(dirs, uid);
    }
    server.close();
    await refused(hostPath(join(base, 'absent'), 'Directory'), `${base}/absent is not a directory`);
    await refused(hostPath(join(base, 'absent'), 'Socket'), `${base}/absent is not a socket file`);
  });

  test('DirectoryOrCreate makes all of the path, FileOrCreate only the file; removal leaves both', async () => {
    await setUp([hostPath(join(base, 'a/b'), 'DirectoryOrCreate')]);
    assert.equal(modeOf(join(base, 'a/b')), 0o755);
    await removeVolumes(dirs, uid);
    await setUp([hostPath(join(base, 'a/f'), 'FileOrCreate')]);
    assert.equal(modeOf(join(base, 'a/f')), 0o644);
    await removeVolumes(dirs, uid);
    assert.ok(existsSync(join(base, 'a/b')) && existsSync(join(base, 'a/f')));
    await assert.rejects(setUp([hostPath(join(base, 'no/f'), 'FileOrCreate')]), { code: 'MountFailed' });
  });

  test('one bad volume does not keep the others from being set up', async () => {
    const good: VolumeConfig = { kind: 'emptyDir', name: 'good', medium: 'disk' };
    await assert.rejects(setUp([hostPath('/absent', 'File'), good]), { code: 'MountFailed' });
    assert.deepEqual(listVolumes(dirs, uid), ['good']);
  });
});

describe('files', () => {
  const files = (list: ReturnType<typeof file>[], medium: 'disk' | 'memory' = 'disk'): VolumeConfig => ({
    kind: 'files',
    name: 'config',
    medium,
    files: list,
  });

  test('a version directory, ..data and a link for each first component', async () => {
    await setUp([
      files([file('app.conf', 'a=1'), file('tls/cert', 'C', 0o400), file('tls/key', 'K', 0o400)]),
    ]);
    assert.equal(readFileSync(at('config', 'app.conf'), 'utf8'), 'a=1');
    assert.equal(readlinkSync(at('config', 'app.conf')), '..data/app.conf');
    assert.equal(readlinkSync(at('config', 'tls')), '..data/tls');
    assert.match(readlinkSync(at('config', '..data')), /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\./);
    assert.equal(modeOf(at('config', 'tls/key')), 0o400);
  });

  test('an update replaces all files in one step and leaves no older version', async () => {
    await setUp([files([file('a', '1'), file('gone', 'x')])]);
    const before = readlinkSync(at('config', '..data'));
    await setUp([files([file('a', '1'), file('gone', 'x')])]);
    assert.equal(readlinkSync(at('config', '..data')), before, 'the same content is not written again');
    await setUp([files([file('a', '2'), file('new', 'y')])]);
    assert.deepEqual(
      readdirSync(at('config')).sort(),
      ['..data', readlinkSync(at('config', '..data')), 'a', 'new'].sort(),
    );
    assert.equal(readFileSync(at('config', 'a'), 'utf8'), '2');
    await setUp([files([file('a', '2', 0o600), file('new', 'y')])]);
    assert.equal(modeOf(at('config', 'a')), 0o600, 'a changed mode is a change');
    await setUp([files([])]);
    assert.deepEqual(readdirSync(at('config')).length, 2);
  });

  test('what a crash left behind is repaired by the next write', async () => {
    await setUp([files([file('a', '1')])]);
    mkdirSync(at('config', '..2020_01_01_00_00_00.dead/x'), { recursive: true });
    await symlink('..2020_01_01_00_00_00.dead', at('config', '..data_tmp'));
    await rm(at('config', 'a'));
    await setUp([files([file('a', '1')])]);
    assert.deepEqual(readdirSync(at('config')).length, 3);
    assert.equal(readFileSync(at('config', 'a'), 'utf8'), '1');
  });

  test('secrets lie in a tmpfs; fsGroup may read them', async () => {
    await setUp([files([file('d/token', 's3cret', 0o400)], 'memory')], 3000);
    assert.equal((await mountsBelow(base)).length, 1);
    const path = at('config', 'd/token');
    assert.deepEqual([statSync(path).gid, modeOf(path)], [3000, 0o440]);
    assert.deepEqual([statSync(at('config', 'd')).gid, modeOf(at('config', 'd'))], [3000, 0o2755]);
    const record = readFileSync(join(volumeRecordsDir(dirs, uid), 'config.json'), 'utf8');
    assert.ok(!record.includes('s3cret') && !record.includes('files":'));
    const before = readlinkSync(at('config', '..data'));
    await setUp([files([file('d/token', 's3cret', 0o400)], 'memory')], 3000);
    assert.equal(readlinkSync(at('config', '..data')), before);
  });

  test("a path that leads out or collides with the writer's names is refused", async () => {
    for (const path of ['../x', 'a/../../x', '/etc/x', '..data', 'a//b', '', './a']) {
      await assert.rejects(setUp([files([file(path, '')])]), { code: 'MountFailed' }, path);
    }
  });
});

describe('image', () => {
  const layer = (name: string, files: Record<string, string>): void => {
    mkdirSync(join(base, name));
    for (const [path, content] of Object.entries(files)) writeFileSync(join(base, name, path), content);
  };

  test('the layers as one, nobody can write, and what went away is mounted anew', async () => {
    layer('lower', { a: 'low', b: 'low' });
    layer('upper', { a: 'high' });
    const volume = { kind: 'image', name: 'war', imageId: 'sha256:x' } as const;
    await setUp([volume]);
    await setUp([volume]);
    assert.equal((await mountsBelow(base)).length, 1);
    assert.equal(readFileSync(at('war', 'a'), 'utf8') + readFileSync(at('war', 'b'), 'utf8'), 'highlow');
    assert.throws(() => writeFileSync(at('war', 'c'), ''), { code: 'EROFS' });
    const { unmount } = await import('../../src/machine/system/libc.ts');
    unmount(at('war'));
    assert.deepEqual(listVolumes(dirs, uid), []);
    await setUp([volume]);
    assert.deepEqual(listVolumes(dirs, uid), ['war']);
    await removeVolumes(dirs, uid);
    assert.equal(readFileSync(join(base, 'lower/a'), 'utf8'), 'low', 'the store keeps its layers');
  });
});

describe('removal', () => {
  test('works where nothing was set up, twice, and half done', async () => {
    await removeVolumes(dirs, uid);
    await setUp([{ kind: 'emptyDir', name: 'memory', medium: 'memory' }]);
    await rm(volumeRecordsDir(dirs, uid), { recursive: true });
    await removeVolumes(dirs, uid);
    await removeVolumes(dirs, uid);
    assert.ok(!existsSync(join(dataPodDir(dirs, uid), 'volumes')));
    assert.ok(!existsSync(subPathsDir(dirs, uid)) && readdirSync(runPodDir(dirs, uid)).length === 0);
  });

  test('never leaves the pod: neither through a symlink nor through what is mounted below', async () => {
    const outside = join(base, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'x');
    chmodSync(outside, 0o700);
    await setUp([{ kind: 'emptyDir', name: 'data', medium: 'disk' }]);
    await symlink(outside, at('data', 'link'));
    mkdirSync(at('data', 'with space'));
    mount(outside, at('data', 'with space'), '', MS.BIND, '');
    mount('tmpfs', at('data', 'with space'), 'tmpfs', 0, '');
    await removeVolumes(dirs, uid);
    assert.ok(!existsSync(at('data')));
    assert.equal(readFileSync(join(outside, 'precious'), 'utf8'), 'x');
    assert.equal(modeOf(outside), 0o700);
  });

  test('a volume directory that became a symlink is unlinked, not followed', async () => {
    const outside = join(base, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'x');
    await setUp([{ kind: 'emptyDir', name: 'data', medium: 'disk' }]);
    await rm(at('data'), { recursive: true });
    await symlink(outside, at('data'));
    assert.ok(lstatSync(at('data')).isSymbolicLink());
    await removeVolumes(dirs, uid);
    assert.ok(existsSync(join(outside, 'precious')));
  });
});
