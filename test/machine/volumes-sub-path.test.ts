// subPath on the real kernel, against containers that place symlinks; needs root.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { podUid } from '../../src/base/brand.ts';
import { type MachineDirs, volumeDir } from '../../src/machine/layout.ts';
import type { VolumeConfig } from '../../src/machine/model/volume.ts';
import { isAtLeast } from '../../src/machine/runtime/recursive-read-only.ts';
import { MS, mount, unmount } from '../../src/machine/system/libc.ts';
import { mountHolding, mountsBelow } from '../../src/machine/system/mountinfo.ts';
import {
  removeVolumes,
  resolveMount,
  setUpVolumes,
  volumeAttributes,
} from '../../src/machine/volumes/volumes.ts';

const uid = podUid('99999999-2222-3333-4444-555555555555');
const signal = new AbortController().signal;

const context = () => ({ dirs, images: { layers: async () => [] } });

let base: string;
let dirs: MachineDirs;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'podwright-subpath-'));
  dirs = { dataDir: join(base, 'data'), runDir: join(base, 'run'), logDir: join(base, 'log') };
});

afterEach(async () => {
  await removeVolumes(dirs, uid);
  assert.deepEqual(await mountsBelow(base), []);
  await rm(base, { recursive: true });
});

async function setUp(volumes: readonly VolumeConfig[], fsGroup?: number): Promise<void> {
  const pod = { uid, namespace: 'default', name: 'web' };
  await setUpVolumes(context(), { pod, volumes, fsGroup }, signal);
}

const emptyDir: VolumeConfig = { kind: 'emptyDir', name: 'data', medium: 'disk' };
const inData = (...path: string[]) => join(volumeDir(dirs, uid, 'data'), ...path);
const resolve = (subPath?: string, name = 'data') => resolveMount(dirs, uid, { name, subPath });

test('without subPath it is the volume itself', async () => {
  await setUp([emptyDir, { kind: 'hostPath', name: 'host', path: base, type: '' }]);
  assert.equal(await resolve(), inData());
  assert.equal(await resolve('', 'data'), inData());
  assert.equal(await resolve(undefined, 'host'), base);
});

test('a volume that is not set up and a hostPath that is absent are named', async () => {
  await setUp([{ kind: 'hostPath', name: 'host', path: '/absent/x', type: '' }]);
  await assert.rejects(resolve(), { code: 'ConfigFailed', message: /volume "data": it is not set up/ });
  await assert.rejects(resolve(undefined, 'host'), {
    code: 'ConfigFailed',
    message: /\/absent\/x does not exist/,
  });
});

test('a missing subPath becomes directories with the rights of the volume', async () => {
  await setUp([emptyDir], 2000);
  const path = await resolve('a/b');
  writeFileSync(join(path, 'f'), 'x');
  assert.equal(readFileSync(inData('a/b/f'), 'utf8'), 'x');
  for (const made of ['a', 'a/b']) {
    assert.deepEqual([statSync(inData(made)).mode & 0o7777, statSync(inData(made)).gid], [0o2777, 2000]);
  }
});

test('the same subPath is bound once; what was recreated is bound anew', async () => {
  await setUp([emptyDir]);
  const first = await resolve('a');
  assert.equal(await resolve('a'), first);
  assert.equal((await mountsBelow(base)).length, 1);
  renameSync(inData('a'), inData('old'));
  mkdirSync(inData('a'));
  writeFileSync(inData('a/f'), 'new');
  assert.equal(readFileSync(join(await resolve('a'), 'f'), 'utf8'), 'new');
  rmSync(inData('a'), { recursive: true });
  writeFileSync(inData('a'), 'now a file');
  assert.equal(readFileSync(await resolve('a'), 'utf8'), 'now a file');
});

test('a file of a configMap, through its links', async () => {
  const files = [{ path: 'app.conf', content: Buffer.from('v1'), mode: 0o644 }];
  await setUp([{ kind: 'files', name: 'config', medium: 'disk', files }]);
  assert.equal(readFileSync(await resolve('app.conf', 'config'), 'utf8'), 'v1');
});

test('no symlink and no ".." leads out', async () => {
  const outside = join(base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'x');
  await setUp([emptyDir, { kind: 'emptyDir', name: 'other', medium: 'disk' }]);
  symlinkSync(outside, inData('absolute'));
  symlinkSync('../other', inData('relative'));
  mkdirSync(inData('deep'));
  symlinkSync('../../other', inData('deep/up'));
  symlinkSync('/nowhere', inData('dangling'));
  symlinkSync('/proc/self/root', inData('magic'));
  symlinkSync('loop', inData('loop'));
  const subPaths = [
    'absolute',
    'absolute/secret',
    'absolute/new',
    'relative',
    'deep/up',
    'deep/up/x',
    '..',
    '../other',
    'deep/../../other',
    'dangling',
    'dangling/x',
    'magic',
    'magic/etc',
    'loop',
  ];
  for (const subPath of subPaths) await assert.rejects(resolve(subPath), { code: 'ConfigFailed' }, subPath);
  assert.deepEqual(await mountsBelow(base), []);
  assert.throws(() => statSync(join(outside, 'new')));
});

test('a symlink that stays inside works', async () => {
  await setUp([emptyDir]);
  mkdirSync(inData('real'));
  writeFileSync(inData('real/f'), 'x');
  symlinkSync('real', inData('link'));
  assert.equal(readFileSync(join(await resolve('link'), 'f'), 'utf8'), 'x');
});

test('what was bound is held although the path is swapped for a symlink afterwards', async () => {
  const outside = join(base, 'outside');
  mkdirSync(outside);
  await setUp([emptyDir]);
  mkdirSync(inData('a'));
  writeFileSync(inData('a/f'), 'inside');
  const path = await resolve('a');
  renameSync(inData('a'), inData('b'));
  symlinkSync(outside, inData('a'));
  assert.equal(readFileSync(join(path, 'f'), 'utf8'), 'inside');
});

test('volumes of files are read-only for every container; what the pod owns is not', async () => {
  await setUp([
    emptyDir,
    { kind: 'hostPath', name: 'host', path: base, type: '' },
    { kind: 'files', name: 'config', medium: 'disk', files: [] },
  ]);
  assert.equal(volumeAttributes(dirs, uid, 'config').readOnly, true);
  assert.equal(volumeAttributes(dirs, uid, 'data').readOnly, false);
  assert.equal(volumeAttributes(dirs, uid, 'host').readOnly, false);
  assert.throws(() => volumeAttributes(dirs, uid, 'absent'), { code: 'ConfigFailed' });
});

test('which mount a path lies on, and whether mounts travel there', async () => {
  const point = join(base, 'point');
  mkdirSync(join(point, 'sub'), { recursive: true });
  mount('tmpfs', point, 'tmpfs', 0, '');
  try {
    mkdirSync(join(point, 'sub'));
    mount('', point, '', MS.PRIVATE, '');
    assert.deepEqual(await mountHolding(join(point, 'sub')), { point, isShared: false, isSlave: false });
    mount('', point, '', MS.SHARED, '');
    assert.deepEqual(await mountHolding(join(point, 'sub')), { point, isShared: true, isSlave: false });
    assert.notEqual((await mountHolding(base)).point, point);
  } finally {
    unmount(point);
  }
});

test('versions of kernel and runtime', () => {
  const table: readonly (readonly [string, boolean])[] = [
    ['5.12.0-amd64', true],
    ['5.11.9', false],
    ['6.1', true],
    ['4.19', false],
    ['unknown', false],
  ];
  for (const [version, expected] of table) assert.equal(isAtLeast(version, [5, 12]), expected, version);
});
