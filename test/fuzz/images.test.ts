// Image archives that mean harm: paths and links that lead out, devices, whiteouts, bombs, and what chance makes of a good one.
// Each is loaded within the store or refused, in time; nothing outside is read, written or kept. Needs root and skopeo.
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { isPodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { PODS } from '../../src/client/resources.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';
import { type MachineDirs, storageDir } from '../../src/machine/layout.ts';
import { run, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { ociEntries, type TarEntry, tarOf } from '../lib/tar.ts';
import { fuzz } from './fuzz.ts';

const NAME = 'localhost/evil/image:1';
const SECRET = 'what only the host knows';
/** A load that hangs, on a fifo say, is a failure; one that is slow is not. */
const PATIENCE_MS = 20_000;

const good: TarEntry = { name: 'etc/greeting', content: 'hello' };

/** Layers whose entries want out. `evil` is the name that must not come to exist outside. */
const LAYERS: Readonly<Record<string, readonly TarEntry[]>> = {
  'a path with ..': [{ name: '../../../../../../../../var/tmp/podwright-evil', content: 'x' }],
  'an absolute path': [{ name: '/var/tmp/podwright-evil', content: 'x' }],
  'a path through a link to /': [
    { name: 'out', type: 'symlink', target: '/var/tmp' },
    { name: 'out/podwright-evil', content: 'x' },
  ],
  'a path through a link with ..': [
    { name: 'a/out', type: 'symlink', target: '../../../../../../../../../var/tmp' },
    { name: 'a/out/podwright-evil', content: 'x' },
  ],
  'a file over a link': [
    { name: 'out', type: 'symlink', target: '/var/tmp/podwright-evil' },
    { name: 'out', content: 'x' },
  ],
  'a hard link to a file of the host': [{ name: 'passwd', type: 'hardLink', target: '/etc/passwd' }],
  'a hard link with ..': [{ name: 'passwd', type: 'hardLink', target: '../../../../../../../etc/passwd' }],
  'devices and a fifo': [
    { name: 'disk', type: 'block', device: [8, 0] },
    { name: 'mem', type: 'char', device: [1, 1] },
    { name: 'pipe', type: 'fifo' },
  ],
  'a whiteout of ..': [good, { name: 'etc/.wh...' }, { name: '.wh..' }, { name: '.wh.' }],
  'a whiteout through a link': [
    { name: 'out', type: 'symlink', target: '/etc' },
    { name: 'out/.wh.passwd' },
    { name: 'out/.wh..wh..opq' },
  ],
  'a header that lies about the size': [{ ...good, size: 1_000_000 }],
  'a size that is no number': [good, { name: 'x', size: -1 }],
  'the same name as a file and as a directory': [
    { name: 'x', content: '1' },
    { name: 'x/y', content: '2' },
    { name: 'x', type: 'directory' },
  ],
};

describe('image archives that mean harm', () => {
  const base = mkdtempSync('/var/tmp/podwright-evil-test-');
  const dirs: MachineDirs = {
    dataDir: join(base, 'data'),
    runDir: join(base, 'run'),
    logDir: join(base, 'log'),
  };
  const store = createImageStore({ dirs, log: silentLog });
  const secret = join(base, 'secret.json');
  before(() => writeFileSync(secret, SECRET));
  after(() => rmSync(base, { recursive: true }));

  /** Loads, or tells why not. */
  async function load(archive: Buffer): Promise<string> {
    const path = join(base, 'archive.tar');
    writeFileSync(path, archive);
    try {
      await store.load(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
      return 'loaded';
    } catch (error) {
      assert.ok(isPodwrightError(error), String(error));
      assert.ok(!error.message.includes(SECRET), error.message);
      return error.message;
    } finally {
      assert.equal(existsSync('/var/tmp/podwright-evil'), false, 'it got out');
      const scratch = join(storageDir(dirs), 'podwright-tmp');
      assert.deepEqual(existsSync(scratch) ? readdirSync(scratch) : [], []);
    }
  }

  for (const [what, layer] of Object.entries(LAYERS)) {
    test(`a layer with ${what}`, async () => {
      const passwd = lstatSync('/etc/passwd');
      await load(tarOf(ociEntries(NAME, tarOf(layer))));
      const now = lstatSync('/etc/passwd');
      assert.deepEqual([now.ino, now.nlink, now.size], [passwd.ino, passwd.nlink, passwd.size]);
    });
  }

  const entries = ociEntries(NAME, tarOf([good]));
  const replaced = (name: string, entry: Omit<TarEntry, 'name'>): Buffer =>
    tarOf([...entries.filter((one) => one.name !== name), { name, ...entry }]);
  const ARCHIVES: Readonly<Record<string, { readonly archive: Buffer; readonly refusal: RegExp }>> = {
    'an index that is a link to a file of the host': {
      archive: replaced('index.json', { type: 'symlink', target: secret }),
      refusal: /index\.json is no regular file/,
    },
    'an index that is a fifo': {
      archive: replaced('index.json', { type: 'fifo' }),
      refusal: /index\.json is no regular file/,
    },
    'an index that is a device without end': {
      archive: replaced('index.json', { type: 'char', device: [1, 5] }),
      refusal: /index\.json is no regular file/,
    },
    'an index of many megabytes': {
      archive: replaced('index.json', { content: Buffer.alloc(8 * 1024 * 1024, ' ') }),
      refusal: /index\.json is larger than/,
    },
    'an index that is no object': {
      archive: replaced('index.json', { content: 'null' }),
      refusal: /lists no images/,
    },
    'blobs that are a link out': {
      archive: tarOf([...entries.slice(0, 2), { name: 'blobs', type: 'symlink', target: '/' }]),
      refusal: /blobs is no directory/,
    },
    'a blob that is a fifo': {
      archive: replaced(entries.at(-1)?.name ?? '', { type: 'fifo' }),
      refusal: /blobs\/sha256\/[0-9a-f]+ is no regular file/,
    },
    'a blob that is a link out': {
      archive: replaced(entries.at(-1)?.name ?? '', { type: 'symlink', target: secret }),
      refusal: /blobs\/sha256\/[0-9a-f]+ is no regular file/,
    },
    'a blob with another content than its name says': {
      archive: replaced(entries.at(-1)?.name ?? '', { content: '{}' }),
      refusal: /load image/,
    },
    'a file beside it that wants out': {
      archive: tarOf([
        { name: '../../../../../../var/tmp/podwright-evil', content: 'x' },
        ...entries.slice(0, 2),
      ]),
      refusal: /./,
    },
  };
  for (const [what, { archive, refusal }] of Object.entries(ARCHIVES)) {
    test(`an archive with ${what} is refused`, async () => {
      assert.match(await load(archive), refusal);
    });
  }

  test('a good archive with some of its bytes changed, or cut off', async () => {
    const whole = tarOf(entries);
    const input = fc.record({
      changes: fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
        maxLength: 3,
      }),
      end: fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
    });
    const options = { file: 'images.test.ts', corpus: 'image-archives', input, runs: 15 };
    await fuzz(options, async ({ changes, end }) => {
      const copy = Buffer.from(whole);
      for (const [at, byte] of changes) copy[at] = byte;
      await load(copy.subarray(0, end));
    });
    assert.equal(await load(whole), 'loaded');
  });
});

describe('a bomb', () => {
  const engine = new TestEngine({ small: { data: 128 } });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('bystander', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('bystander');
  });
  after(() => engine.close());

  test('an image of two megabytes that unpacks to 400 fills the disk for a while, is refused, and leaves it as it was', async () => {
    const dir = join(engine.dir, 'bomb');
    mkdirSync(dir);
    const archive = join(dir, 'bomb.tar');
    writeFileSync(
      archive,
      tarOf(ociEntries(NAME, tarOf([{ name: 'zeros', content: Buffer.alloc(400 * 1024 ** 2) }]))),
    );
    const freeKiB = async (): Promise<number> =>
      Number((await run('df', ['--output=avail', engine.dataDir])).stdout.split('\n')[1]);
    const before = await freeKiB();
    const { code, stderr } = await engine.podwright('image', 'load', archive);
    assert.equal(code, 1);
    assert.match(stderr, /no space left on device/);
    assert.ok((await freeKiB()) > before - 4096, `${await freeKiB()} KiB of ${before} are free`);
    assert.equal((await engine.kube('exec', 'bystander', '--', 'echo', 'here')).trim(), 'here');
    assert.equal((await engine.pod('bystander')).status?.containerStatuses?.[0]?.restartCount, 0);
    await engine.kube('create', 'configmap', 'afterwards', '--from-literal=a=b');
    assert.doesNotMatch(
      readFileSync('/proc/self/mountinfo', 'utf8'),
      new RegExp(`${engine.dataDir}/storage/`),
    );
  });
});
