// The store on real archives: load, list, resolve, remove, and root file systems made of what it holds. Needs root and
// skopeo.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { hostArchitecture, packOciArchive } from '../../scripts/build-oci.ts';
import { silentLog } from '../../src/base/log.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';
import { mountRootfs, unmountRootfs } from '../../src/machine/images/rootfs.ts';
import { type MachineDirs, storageDir } from '../../src/machine/layout.ts';
import { mountsBelow } from '../../src/machine/system/mountinfo.ts';
import { makeArchive, makeDockerArchive } from '../lib/small-images.ts';

const signal = new AbortController().signal;
const archives = mkdtempSync(join(tmpdir(), 'podwright-archives-'));
const one = join(archives, 'one.tar');
const two = join(archives, 'two.tar');

let base: string;
let dirs: MachineDirs;
let store: ReturnType<typeof createImageStore>;

before(async () => {
  const lowest = { base: 'shared', 'dir/kept': 'k', 'dir/hidden': 'h' };
  await makeArchive('localhost/test/one:1', [lowest, { which: 'one' }], { out: one });
  await makeArchive('localhost/test/two:1', [lowest, { which: 'two', 'dir/.wh.hidden': '' }], { out: two });
});
after(() => rmSync(archives, { recursive: true }));
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'podwright-store-'));
  dirs = { dataDir: join(base, 'data'), runDir: join(base, 'run'), logDir: join(base, 'log') };
  store = createImageStore({ dirs, log: silentLog });
});
afterEach(async () => {
  assert.deepEqual(await mountsBelow(base), []);
  rmSync(base, { recursive: true });
});

const load = (path: string, name?: string) => store.load(path, { signal, name });
const tagsOf = async () => (await store.list()).flatMap((image) => image.tags).sort();
const skopeo = (...args: string[]) => execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', ...args]);

describe('load', () => {
  test('an OCI archive under its own name or another; the same image twice is one image', async () => {
    const [image] = await load(one);
    assert.deepEqual(image?.tags, ['localhost/test/one:1']);
    const [again] = await load(one, 'other:2');
    assert.equal(again?.id, image?.id);
    assert.deepEqual((await store.list()).length, 1);
    assert.deepEqual(await tagsOf(), ['docker.io/library/other:2', 'localhost/test/one:1']);
  });

  test('an archive at a path with a colon and a blank, and one made by tar of "."', async () => {
    const odd = join(archives, 'odd: name.tar');
    const layout = join(archives, 'odd-layout');
    mkdirSync(layout);
    execFileSync('tar', ['-xf', one, '-C', layout]);
    execFileSync('tar', ['-czf', odd, '--force-local', '-C', layout, '.']);
    assert.deepEqual((await load(odd))[0]?.tags, ['localhost/test/one:1']);
  });

  test('an OCI layout with two images', async () => {
    const layout = join(archives, 'layout');
    skopeo(`oci-archive:${one}`, `oci:${layout}:localhost/test/one:1`);
    skopeo(`oci-archive:${two}`, `oci:${layout}:localhost/test/two:1`);
    assert.equal((await load(layout)).length, 2);
    assert.deepEqual(await tagsOf(), ['localhost/test/one:1', 'localhost/test/two:1']);
    await assert.rejects(load(layout, 'x:1'), { code: 'InvalidInput', message: /several images/ });
  });

  test('a Docker archive with two images, one of them with two tags', async () => {
    const both = join(archives, 'docker.tar');
    makeDockerArchive(both, [
      { tags: ['localhost/docker/image:0'], layer: { which: 'first' } },
      { tags: ['localhost/docker/image:1', 'second:tag'], layer: { which: 'second' } },
    ]);
    assert.equal((await load(relative(process.cwd(), both))).length, 2);
    assert.deepEqual(await tagsOf(), [
      'docker.io/library/second:tag',
      'localhost/docker/image:0',
      'localhost/docker/image:1',
    ]);
    const second = await store.resolve('second:tag');
    const [layer = ''] = await store.layers(second?.id ?? '');
    assert.equal(readFileSync(join(layer, 'which'), 'utf8'), 'second');
  });

  test('what is no image archive is refused with the reason', async () => {
    const table = [
      [join(base, 'absent'), /no such file/],
      ['/etc/passwd', /not a tar archive/],
      [archives, /no index\.json/],
    ] as const;
    for (const [path, message] of table) await assert.rejects(load(path), { code: 'InvalidInput', message });
    const plain = join(base, 'plain.tar');
    execFileSync('tar', ['-cf', plain, '-C', '/etc', 'hostname']);
    await assert.rejects(load(plain), { code: 'InvalidInput', message: /neither an OCI nor a Docker/ });
    const nameless = join(base, 'nameless.tar');
    await makeArchive('v1', [{ a: 'b' }], { out: nameless });
    await assert.rejects(load(nameless), { code: 'InvalidInput', message: /without a name/ });
    assert.equal((await load(nameless, 'named:1')).length, 1);
  });
});

describe('remove', () => {
  test('by name takes that name; the last name takes the image and its own layers', async () => {
    const [image] = await load(one);
    await load(one, 'second:1');
    await load(two);
    await store.remove('second:1');
    assert.deepEqual(await tagsOf(), ['localhost/test/one:1', 'localhost/test/two:1']);
    await load(two, 'more:1');
    assert.deepEqual(await tagsOf(), [
      'docker.io/library/more:1',
      'localhost/test/one:1',
      'localhost/test/two:1',
    ]);
    const [own = '', common = ''] = await store.layers(image?.id ?? '');
    await store.remove('localhost/test/one:1');
    assert.deepEqual(
      [existsSync(own), existsSync(common)],
      [false, true],
      'the other image keeps what it shares',
    );
    assert.equal(await store.resolve('localhost/test/one:1'), undefined);
  });

  test('by id takes all names; what is absent is ImageNotFound', async () => {
    const [image] = await load(one);
    await load(one, 'second:1');
    await store.remove(image?.id ?? '');
    assert.deepEqual(await store.list(), []);
    assert.deepEqual(
      readdirSync(join(storageDir(dirs), 'overlay')).filter((name) => name.length === 64),
      [],
    );
    for (const reference of [image?.id ?? '', 'one:1', 'localhost/test/one:1']) {
      await assert.rejects(store.remove(reference), { code: 'ImageNotFound' });
    }
    await assert.rejects(store.config(image?.id ?? ''), { code: 'ImageNotFound' });
    await assert.rejects(store.layers(image?.id ?? ''), { code: 'ImageNotFound' });
  });
});

test('another engine on the same directory sees the same images', async () => {
  await load(one);
  const other = createImageStore({ dirs, log: silentLog });
  assert.deepEqual(await other.list(), await store.list());
  await other.load(two, { signal });
  assert.deepEqual(await tagsOf(), ['localhost/test/one:1', 'localhost/test/two:1']);
});

describe('root file system', () => {
  const mountPaths = () => ({
    upperDir: join(base, 'own/upper'),
    workDir: join(base, 'own/work'),
    target: join(base, 'rootfs'),
  });
  const read = (path: string) => readFileSync(join(base, 'rootfs', path), 'utf8');

  test('layers lie over one another, what a layer hides is hidden, writes go to the own layer', async () => {
    const [image] = await load(two);
    const layers = await store.layers(image?.id ?? '');
    await mountRootfs({ layers, ...mountPaths() });
    assert.deepEqual(
      [read('base'), read('which'), readdirSync(join(base, 'rootfs/dir'))],
      ['shared', 'two', ['kept']],
    );
    writeFileSync(join(base, 'rootfs/base'), 'changed');
    assert.equal(readFileSync(join(layers[1] ?? '', 'base'), 'utf8'), 'shared');
    assert.equal(readFileSync(join(base, 'own/upper/base'), 'utf8'), 'changed');
    await unmountRootfs(join(base, 'rootfs'));
    await unmountRootfs(join(base, 'rootfs'));
    await mountRootfs({ layers, ...mountPaths() });
    await mountRootfs({ layers, ...mountPaths() });
    assert.equal((await mountsBelow(base)).length, 1, 'mounted again it replaces');
    assert.equal(read('base'), 'changed', 'and the own layer is kept');
    await unmountRootfs(join(base, 'rootfs'));
  });

  test('125 layers, and paths with a colon and a comma', async () => {
    const layers = Array.from({ length: 125 }, (_, index) => {
      const directory = join(base, `layer:${'long'.repeat(20)},${index}`);
      mkdirSync(directory);
      writeFileSync(join(directory, `file-${index}`), String(index));
      writeFileSync(join(directory, 'top'), String(index));
      return directory;
    });
    await mountRootfs({ layers, ...mountPaths(), upperDir: join(base, 'a:b,c') });
    assert.deepEqual([read('file-0'), read('file-124'), read('top')], ['0', '124', '0']);
    await unmountRootfs(join(base, 'rootfs'));
  });

  test('the root directory has the mode and owner of the image, whatever the umask', async () => {
    const layer = join(base, 'layer');
    mkdirSync(layer);
    chmodSync(layer, 0o1755);
    chownSync(layer, 12, 34);
    const umask = process.umask(0o077);
    try {
      await mountRootfs({ layers: [layer], ...mountPaths() });
    } finally {
      process.umask(umask);
    }
    const { mode, uid, gid } = statSync(join(base, 'rootfs'));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o1755, 12, 34]);
    await unmountRootfs(join(base, 'rootfs'));
  });

  test('a mount that fails says what, and leaves nothing', async () => {
    const layers = [join(base, 'absent')];
    await assert.rejects(mountRootfs({ layers, ...mountPaths() }), {
      code: 'MountFailed',
      message: /absent/,
    });
    assert.deepEqual(
      readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith(base)),
      [],
    );
  });

  test('hard links of a layer stay hard links', async () => {
    const root = join(base, 'root');
    mkdirSync(root);
    writeFileSync(join(root, 'a'), 'x');
    execFileSync('ln', [join(root, 'a'), join(root, 'b')]);
    const out = join(base, 'links.tar');
    await packOciArchive(
      'links:1',
      [{ architecture: hostArchitecture(), layers: [root], settings: {} }],
      out,
    );
    const [image] = await load(out);
    const [layer = ''] = await store.layers(image?.id ?? '');
    assert.equal(statSync(join(layer, 'a')).ino, statSync(join(layer, 'b')).ino);
  });
});

function linkOf(descriptor: string): string {
  try {
    return execFileSync('readlink', [`/proc/${process.pid}/fd/${descriptor}`]).toString();
  } catch {
    return '';
  }
}
