// What registries say when they refuse, as skopeo passes it on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageReference } from '../../src/kube/image-reference.ts';
import { classifyPullFailure, isLoopback, skopeoWords } from '../../src/machine/images/pull.ts';

test('the reason is in what the registry says, not in the name of the image', () => {
  const table = [
    [
      'nope:1',
      'NotFound',
      'reading manifest 1 in docker.io/library/nope: manifest unknown: manifest unknown',
    ],
    ['h.io/a:403', 'NotFound', 'reading manifest 403 in h.io/a: manifest unknown'],
    [
      'h.io/unauthorized/a:1',
      'NotFound',
      'reading manifest 1 in h.io/unauthorized/a: name unknown: repository name not known to registry',
    ],
    [
      'h.io/denied:404',
      'RegistryUnavailable',
      'initializing source docker://h.io/denied:404: pinging container registry h.io: Get "https://h.io/v2/": dial tcp: lookup h.io: no such host',
    ],
    [
      'a:1',
      'Unauthorized',
      'reading manifest 1 in docker.io/library/a: errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required',
    ],
    [
      'h.io/a:1',
      'Unauthorized',
      'initializing source docker://h.io/a:1: unable to retrieve auth token: invalid username/password: unauthorized',
    ],
    [
      'h.io/a:1',
      'Unauthorized',
      'reading manifest 1 in h.io/a: received unexpected HTTP status: 403 Forbidden',
    ],
    [
      'h.io/a:1',
      'RegistryUnavailable',
      'reading manifest 1 in h.io/a: received unexpected HTTP status: 503 Service Unavailable',
    ],
    [
      'h.io/a:1',
      'RegistryUnavailable',
      'initializing source docker://h.io/a:1: pinging container registry h.io: Get "https://h.io/v2/": x509: certificate has expired',
    ],
    [
      'a:1',
      'Failed',
      'reading manifest 1 in docker.io/library/a: toomanyrequests: You have reached your pull rate limit.',
    ],
    ['h.io/a:1', 'Failed', 'writing blob: storing blob to file "/x": write /x: no space left on device'],
  ] as const;
  for (const [image, reason, words] of table) {
    assert.equal(classifyPullFailure(parseImageReference(image), words), reason, words);
  }
});

test('only this machine is loopback', () => {
  for (const registry of ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.1.2.3', '[::1]:5000']) {
    assert.ok(isLoopback(registry), registry);
  }
  for (const registry of ['localhost.example.com', '10.0.0.1:5000', 'example.com', '127.0.0.1.nip.io']) {
    assert.ok(!isLoopback(registry), registry);
  }
});

test('the message of a log line is taken out of its quotes', () => {
  const line = 'time="2026-01-01T00:00:00Z" level=fatal msg="Get \\"https://h/\\": refused\\nnext"';
  assert.equal(skopeoWords(`warning\n${line}\n`), 'Get "https://h/": refused\nnext');
  assert.equal(skopeoWords('FATA[0000] plain words'), 'FATA[0000] plain words');
});
