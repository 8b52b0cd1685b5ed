// Pulling from real registries on loopback: plain, TLS, with a password; and every way it fails. Needs root, skopeo and
// docker-registry.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';
import { type MachineDirs, storageDir } from '../../src/machine/layout.ts';
import { mountsBelow } from '../../src/machine/system/mountinfo.ts';
import { freePort } from '../lib/ports.ts';
import { type Registry, startRegistry, USER } from '../lib/registry.ts';
import { makeArchive } from '../lib/small-images.ts';

const signal = new AbortController().signal;

let base: string;
let dirs: MachineDirs;
let store: ReturnType<typeof createImageStore>;
const shared = mkdtempSync(join(tmpdir(), 'podwright-pull-archives-'));
const archive = join(shared, 'app.tar');

before(async () => {
  await makeArchive('app:1', [{ hello: 'world' }], { out: archive, settings: { User: '7', Env: ['A=b'] } });
});
after(() => rmSync(shared, { recursive: true }));

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'podwright-pull-'));
  dirs = { dataDir: join(base, 'data'), runDir: join(base, 'run'), logDir: join(base, 'log') };
  store = createImageStore({ dirs, log: silentLog });
});
afterEach(async () => {
  assert.deepEqual(await mountsBelow(base), []);
  const scratch = join(storageDir(dirs), 'podwright-tmp');
  assert.deepEqual(readdirSync(scratch, { recursive: true }), [], 'no temporary file stays');
  rmSync(base, { recursive: true });
});

/** The pull fails with this reason, with the registry's words, and the store stays empty. */
async function fails(reference: string, reason: string, words: RegExp, options = {}): Promise<void> {
  await assert.rejects(store.pull(reference, { signal, ...options }), (error) => {
    assert.ok(isPodwrightError(error, 'ImagePullFailed'), String(error));
    assert.equal(error.details.causes?.[0]?.reason, reason, error.message);
    assert.match(error.message, words);
    assert.ok(error.message.includes(reference), error.message);
    assert.ok(!error.message.includes(USER.password));
    return true;
  });
  assert.deepEqual(await store.list(), []);
}

describe('a plain registry on loopback', () => {
  let registry: Registry;
  before(async () => {
    registry = await startRegistry('http');
    registry.push(archive, 'team/app:1');
  });
  after(() => registry.close());

  test('pull gives the image; resolve finds it by tag, digest and id', async () => {
    const reference = `${registry.address}/team/app:1`;
    const image = await store.pull(reference, { signal });
    assert.deepEqual(image.tags, [reference]);
    assert.equal(image.user, '7');
    assert.equal(image.digests.length, 1);
    const [digest = ''] = image.digests;
    assert.match(digest, new RegExp(`^${registry.address}/team/app@sha256:[0-9a-f]{64}$`));
    for (const name of [reference, digest, image.id, image.id.slice(7), image.id.slice(7, 19)]) {
      assert.equal((await store.resolve(name))?.id, image.id, name);
    }
    assert.deepEqual((await store.config(image.id)).Env, ['A=b']);
    const [layer = ''] = await store.layers(image.id);
    assert.equal(readFileSync(join(layer, 'hello'), 'utf8'), 'world');
    assert.deepEqual(await store.pull(reference, { signal }), image, 'a second pull changes nothing');
  });

  test('by digest', async () => {
    const { digests } = await store.pull(`${registry.address}/team/app:1`, { signal });
    await store.remove(`${registry.address}/team/app:1`);
    const image = await store.pull(digests[0] ?? '', { signal });
    assert.deepEqual([image.tags, image.digests], [[], digests]);
    assert.equal((await store.resolve(digests[0] ?? ''))?.id, image.id);
  });

  test('side by side: one reference is fetched once, and a caller that gives up does not harm the other', async () => {
    const reference = `${registry.address}/team/app:1`;
    const impatient = new AbortController();
    const first = store.pull(reference, { signal: impatient.signal });
    const second = store.pull(reference, { signal });
    impatient.abort(new Error('gone'));
    await assert.rejects(first, /gone/);
    assert.deepEqual((await second).tags, [reference]);
  });

  test('an absent tag and an absent repository are NotFound', async () => {
    await fails(`${registry.address}/team/app:2`, 'NotFound', /manifest unknown/);
    await fails(`${registry.address}/team/none:1`, 'NotFound', /manifest unknown|name unknown/);
  });
});

describe('a registry with TLS', () => {
  let registry: Registry;
  before(async () => {
    registry = await startRegistry('tls');
    registry.push(archive, 'app:1');
  });
  after(() => registry.close());

  test('whose certificate is trusted', async () => {
    process.env.SSL_CERT_FILE = registry.certificatePath;
    try {
      assert.equal((await store.pull(`${registry.address}/app:1`, { signal })).user, '7');
    } finally {
      delete process.env.SSL_CERT_FILE;
    }
  });

  test('whose certificate is not trusted is refused, on loopback too', async () => {
    await fails(
      `${registry.address}/app:1`,
      'RegistryUnavailable',
      /x509: certificate signed by unknown authority/,
    );
  });
});

describe('a registry with a password', () => {
  let registry: Registry;
  before(async () => {
    registry = await startRegistry('password');
    registry.push(archive, 'app:1');
  });
  after(() => registry.close());

  test('the right password, also as the second of two', async () => {
    const wrong = { username: USER.username, password: 'wrong' };
    const image = await store.pull(`${registry.address}/app:1`, { signal, auths: [wrong, USER] });
    assert.equal(image.user, '7');
  });

  test('none and a wrong one are Unauthorized', async () => {
    const reference = `${registry.address}/app:1`;
    await fails(reference, 'Unauthorized', /authentication required|unauthorized/);
    await fails(reference, 'Unauthorized', /authentication required|unauthorized/, {
      auths: [{ username: 'mallory', password: 'x' }],
    });
  });
});

test('a registry that is down is RegistryUnavailable', async () => {
  await fails(`localhost:${await freePort()}/app:1`, 'RegistryUnavailable', /connection refused/);
  await fails('no-such-host.invalid/app:1', 'RegistryUnavailable', /no such host|server misbehaving|lookup/);
});

test('an aborted pull ends at once with the reason, and leaves nothing', async () => {
  const asked = Promise.withResolvers<void>();
  // Answers the ping, then never the manifest.
  const server = createServer((request, response) => {
    if (request.url === '/v2/') response.end('{}');
    else asked.resolve();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const abort = new AbortController();
  const pull = store.pull(`localhost:${(server.address() as AddressInfo).port}/app:1`, {
    signal: abort.signal,
  });
  pull.catch(() => {});
  await asked.promise;
  abort.abort(new Error('the pod was deleted'));
  await assert.rejects(pull, /the pod was deleted/);
  server.closeAllConnections();
  server.close();
  assert.deepEqual(await store.list(), []);
});

test('a reference that does not parse is refused before anything is asked', async () => {
  await store.list();
  await assert.rejects(store.pull('Not A Name', { signal }), { code: 'InvalidImageName' });
  await assert.rejects(store.resolve('UPPER/case'), { code: 'InvalidImageName' });
  // For afterEach: the scratch directory exists once skopeo has run.
  await assert.rejects(store.pull('localhost:1/x', { signal }), { code: 'ImagePullFailed' });
});
