// The agent's tokens on virtual time: asked for once, renewed while they hold, never lost by a renewal that fails.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ServiceAccountTokens } from '../../src/agent/service-account-tokens.ts';
import { podUid } from '../../src/base/brand.ts';
import { PodwrightError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import type { Pod, ServiceAccountTokenProjection, TokenRequest } from '../../src/kube/api-types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';

const UID = podUid('u');
const podWith = (...projections: readonly ServiceAccountTokenProjection[]): Pod => ({
  metadata: { name: 'p', namespace: 'default', uid: UID },
  spec: {
    serviceAccountName: 'sa',
    containers: [],
    volumes: [
      { name: 'v', projected: { sources: projections.map((one) => ({ serviceAccountToken: one })) } },
    ],
  },
});

function scene(_t: TestContext) {
  const clock = new VirtualClock();
  const asked: TokenRequest[] = [];
  const changes: string[] = [];
  let isAway = false;
  const api = {
    create: async (_ref: unknown, object: TokenRequest) => {
      clock.activity += 1;
      if (isAway) throw new PodwrightError('ServiceUnavailable', 'away');
      asked.push(object);
      return { ...object, status: { token: `token ${asked.length}`, expirationTimestamp: '' } };
    },
  } as unknown as ResourceApi;
  const tokens = new ServiceAccountTokens({
    api,
    clock,
    log: silentLog,
    onChange: (uid) => changes.push(uid),
  });
  const away = (now: boolean): void => {
    isAway = now;
  };
  return { clock, asked, changes, tokens, away };
}

const signal = new AbortController().signal;
const HOUR: ServiceAccountTokenProjection = { path: 'token', expirationSeconds: 3600 };

test('one token for each audience and lifetime, bound to the pod', async (t) => {
  const { tokens, asked } = scene(t);
  const vault = { path: 'vault', audience: 'vault', expirationSeconds: 3600 };
  const pod = podWith(HOUR, { ...HOUR, path: 'again' }, vault);
  assert.equal(tokens.version(pod), undefined);
  await tokens.load(UID, pod, signal);
  assert.deepEqual(
    asked.map(({ metadata, spec }) => [metadata?.name, spec?.audiences, spec?.boundObjectRef?.uid]),
    [
      ['sa', [], UID],
      ['sa', ['vault'], UID],
    ],
  );
  assert.equal(tokens.token(pod, HOUR), 'token 1');
  assert.equal(tokens.token(pod, vault), 'token 2');
  await tokens.load(UID, pod, signal);
  assert.equal(asked.length, 2);
});

test('renewed at four fifths of its life, and the pod is told; released, it rests', async (t) => {
  const { tokens, asked, changes, clock } = scene(t);
  const pod = podWith(HOUR);
  await tokens.load(UID, pod, signal);
  const version = tokens.version(pod);
  await clock.advance(2879_000);
  assert.equal(asked.length, 1);
  await clock.advance(2000);
  assert.equal(tokens.token(pod, HOUR), 'token 2');
  assert.notEqual(tokens.version(pod), version);
  assert.deepEqual(changes, [UID]);
  tokens.release(UID);
  await clock.advance(24 * 3600_000);
  assert.equal(asked.length, 2);
  assert.equal(tokens.version(pod), undefined);
});

test('a token that lives long is a day old at most', async (t) => {
  const { tokens, asked, clock } = scene(t);
  await tokens.load(UID, podWith({ path: 't', expirationSeconds: 30 * 24 * 3600 }), signal);
  await clock.advance(24 * 3600_000 + 1000);
  assert.equal(asked.length, 2);
});

test('while the API is away the old token stays, and is renewed when it is back', async (t) => {
  const { tokens, clock, away, changes } = scene(t);
  const pod = podWith(HOUR);
  await tokens.load(UID, pod, signal);
  away(true);
  await clock.advance(3000_000);
  assert.equal(tokens.token(pod, HOUR), 'token 1');
  assert.deepEqual(changes, []);
  away(false);
  await clock.advance(61_000);
  assert.equal(tokens.token(pod, HOUR), 'token 2');
  assert.deepEqual(changes, [UID]);
});

test('no account, no token: the volume cannot be', async (t) => {
  const { tokens, away } = scene(t);
  away(true);
  await assert.rejects(tokens.load(UID, podWith(HOUR), signal), /failed to fetch token: away/);
});
