// The image builder on real packages: what it builds, and that it builds only what it must. Needs apt.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildImage } from '../../scripts/build-images.ts';
import { silentLog } from '../../src/base/log.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'podwright-build-'));
const outDir = join(dir, 'out');
const dirs = { dataDir: join(dir, 'data'), runDir: join(dir, 'run'), logDir: join(dir, 'log') };
const images = createImageStore({ dirs, log: silentLog });
const signal = new AbortController().signal;
after(() => rmSync(dir, { recursive: true }));

before(async () => {
  await images.load(await buildImage('busybox', { outDir }), { signal });
  await images.load(await buildImage('sample', { outDir }), { signal });
});

async function layersOf(name: string): Promise<readonly string[]> {
  const image = await images.resolve(`localhost/podwright/${name}:1`);
  assert.ok(image !== undefined, name);
  return images.layers(image.id);
}

test('busybox: a static program, its applets, users and a /tmp for everybody', async () => {
  const [root = ''] = await layersOf('busybox');
  assert.equal(
    execFileSync('chroot', [root, '/bin/sh', '-c', 'id -un; echo ok | sed s/ok/fine/'], { encoding: 'utf8' }),
    'root\nfine\n',
  );
  assert.equal(readlinkSync(join(root, 'bin')), 'usr/bin');
  assert.equal(statSync(join(root, 'tmp')).mode & 0o7777, 0o1777);
  assert.ok(lstatSync(join(root, 'bin/httpd')).isSymbolicLink());
});

test('sample: a WAR beside busybox, whose layer is the same as the busybox image has', async () => {
  const [top = '', base = ''] = await layersOf('sample');
  assert.equal(base, (await layersOf('busybox'))[0]);
  const page = execFileSync(
    join(base, 'bin/busybox'),
    ['unzip', '-p', join(top, 'sample.war'), 'index.jsp'],
    {
      encoding: 'utf8',
    },
  );
  assert.match(page, /env\("POD_NAME"\)/);
});

test('what is up to date is not built again; what was cut off or changed is, to the same bytes', async () => {
  const said: string[] = [];
  const options = { outDir, say: (line: string) => said.push(line) };
  const archive = await buildImage('sample', options);
  assert.deepEqual(said, []);
  const built = readFileSync(archive);
  writeFileSync(archive, 'half');
  rmSync(join(outDir, 'sample.key'));
  await buildImage('sample', options);
  assert.ok(readFileSync(archive).equals(built));
  assert.match(said.join('\n'), /sample:1: built in/);
  assert.ok(existsSync(join(outDir, 'sample.key')));
});

test('an unknown name is answered with the known ones', async () => {
  await assert.rejects(
    buildImage('apache'),
    /no image apache; there are busybox, busybox-2, sample, tomcat, rsyslog/,
  );
});
