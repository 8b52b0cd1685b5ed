// Pull policies, one pull for many who wait, few pulls at a time, and logins from imagePullSecrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImagePuller, type ImageResult, pullPolicyOf, registryAuths } from '../../src/agent/image-puller.ts';
import { BOUNDS } from '../../src/base/bounds.ts';
import type { Secret } from '../../src/kube/api-types.ts';
import type { Image, ImageStore } from '../../src/machine/model/image.ts';

class SlowStore implements ImageStore {
  readonly present = new Map<string, Image>();
  readonly pulls: string[] = [];
  readonly #release: (() => void)[] = [];

  async resolve(reference: string): Promise<Image | undefined> {
    return this.present.get(reference);
  }
  async pull(reference: string): Promise<Image> {
    this.pulls.push(reference);
    await new Promise<void>((resolve) => this.#release.push(resolve));
    const image: Image = { id: `id of ${reference}`, tags: [reference], digests: [], sizeBytes: 1, user: '' };
    this.present.set(reference, image);
    return image;
  }
  finishOne(): void {
    this.#release.shift()?.();
  }
  load = async (): Promise<readonly Image[]> => [];
  list = async (): Promise<readonly Image[]> => [];
  remove = async (): Promise<void> => {};
}

const ask = (
  puller: ImagePuller,
  reference: string,
  policy: 'Always' | 'IfNotPresent' | 'Never',
): Promise<ImageResult> =>
  puller.ensure({ reference, policy, auths: [], signal: new AbortController().signal, onPulling: () => {} });
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('IfNotPresent: two that want one image share one pull; Always pulls again', async () => {
  const store = new SlowStore();
  const puller = new ImagePuller(store);
  const both = Promise.all([ask(puller, 'x:1', 'IfNotPresent'), ask(puller, 'x:1', 'IfNotPresent')]);
  await soon();
  store.finishOne();
  assert.deepEqual(
    (await both).map((result) => result.wasPresent),
    [false, true],
  );
  const again = ask(puller, 'x:1', 'Always');
  await soon();
  store.finishOne();
  await again;
  assert.deepEqual(store.pulls, ['x:1', 'x:1']);
});

test('Never does not pull; a name that does not parse is told', async () => {
  const puller = new ImagePuller(new SlowStore());
  await assert.rejects(ask(puller, 'x:1', 'Never'), {
    code: 'ImageNeverPull',
    message: 'Container image "x:1" is not present with pull policy of Never',
  });
  await assert.rejects(ask(puller, 'X:1', 'Always'), { code: 'InvalidImageName' });
});

test('only so many pulls run at a time', async () => {
  const store = new SlowStore();
  const puller = new ImagePuller(store);
  const wanted = Array.from({ length: BOUNDS.parallelPulls + 2 }, (_value, index) => `x:${index}`);
  const all = Promise.all(wanted.map((reference) => ask(puller, reference, 'IfNotPresent')));
  await soon();
  assert.equal(store.pulls.length, BOUNDS.parallelPulls);
  for (const _one of wanted) {
    store.finishOne();
    await soon();
  }
  await all;
  assert.equal(store.pulls.length, wanted.length);
});

test('the pull policy is the container’s, else follows from the tag', () => {
  assert.equal(pullPolicyOf('x', undefined), 'Always');
  assert.equal(pullPolicyOf('x:1', undefined), 'IfNotPresent');
  assert.equal(pullPolicyOf('x', 'Never'), 'Never');
});

test('logins are those for the image’s registry', () => {
  const base64 = (value: string): string => Buffer.from(value).toString('base64');
  const secret = (auths: unknown): Secret => ({
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
  });
  const secrets = [
    secret({ 'localhost:5000': { auth: base64('anna:pass:word') } }),
    secret({ 'https://index.docker.io/v1/': { username: 'bob', password: 'x' } }),
    { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64('{') } },
  ];
  assert.deepEqual(registryAuths(secrets, 'localhost:5000/a:1'), [
    { username: 'anna', password: 'pass:word' },
  ]);
  assert.deepEqual(registryAuths(secrets, 'busybox'), [{ username: 'bob', password: 'x' }]);
  assert.deepEqual(registryAuths(secrets, 'quay.io/a:1'), []);
});
