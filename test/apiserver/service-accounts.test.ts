// ServiceAccounts at the API: their tokens, what a token is worth and for how long, and what a new pod gets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type ErrorCode, isPodwrightError } from '../../src/base/errors.ts';
import { connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import { PODS, SECRETS, SERVICE_ACCOUNTS, TOKEN_REQUESTS } from '../../src/client/resources.ts';
import type { Pod, TokenRequest, TokenRequestSpec } from '../../src/kube/api-types.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';

const refused =
  (code: ErrorCode, text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isPodwrightError(error, code), String(error));
    assert.match(error.message, text);
    return true;
  };

const ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** What the server answers to a bearer token alone. */
const asUser = async ({ kubeconfigPath }: ApiRig, token: string): Promise<ErrorCode | 'allowed'> => {
  const { ca, server } = readKubeconfig(kubeconfigPath);
  try {
    await connectApi({ server, ca, token }).api.list(PODS);
    return 'allowed';
  } catch (error) {
    if (isPodwrightError(error)) return error.code;
    throw error;
  }
};

const pod = (name: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { ...spec, containers: [{ name: 'a', image: 'x:1' }] },
});

type Scene = ApiRig & { readonly clock: VirtualClock };

async function scene(t: TestContext): Promise<Scene> {
  const clock = new VirtualClock(Date.now());
  return { ...(await apiRig(t, { clock })), clock };
}

const requestToken = (
  { http }: ApiRig,
  spec: TokenRequestSpec = {},
  name = 'default',
): Promise<TokenRequest> =>
  http.api.create(
    TOKEN_REQUESTS,
    { metadata: { namespace: 'default', name }, spec },
    { subresource: 'token' },
  );

test('a token says whose it is, holds for an hour, and can be checked by the published keys', async (t) => {
  const rig = await scene(t);
  const { status, spec } = await requestToken(rig);
  assert.deepEqual(spec, { audiences: [ISSUER], expirationSeconds: 3600 });
  const token = status?.token ?? '';
  const json = async (path: string): Promise<unknown> => {
    const { code, stdout, stderr } = await rig.kubectl(['get', '--raw', path]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const configuration = (await json('/.well-known/openid-configuration')) as {
    issuer: string;
    jwks_uri: string;
  };
  assert.equal(configuration.issuer, ISSUER);
  const keys = (await json(new URL(configuration.jwks_uri).pathname)) as { keys: [] };
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { issuer: ISSUER, audience: ISSUER });
  assert.equal(payload.sub, 'system:serviceaccount:default:default');
  const account = await rig.http.api.get(SERVICE_ACCOUNTS, { namespace: 'default', name: 'default' });
  assert.deepEqual(payload['kubernetes.io'], {
    namespace: 'default',
    serviceaccount: { name: 'default', uid: account.metadata?.uid },
  });
  assert.equal(await asUser(rig, token), 'Forbidden');
  await rig.clock.advance(3_599_000);
  assert.equal(await asUser(rig, token), 'Forbidden');
  await rig.clock.advance(2000);
  assert.equal(await asUser(rig, token), 'Unauthorized');
});

test('a token for another audience, a forged one and one of another key are worth nothing', async (t) => {
  const rig = await scene(t);
  const { status } = await requestToken(rig, { audiences: ['vault'] });
  assert.equal(await asUser(rig, status?.token ?? ''), 'Unauthorized');
  const own = (await requestToken(rig)).status?.token ?? '';
  const [head = '', body = '', signature = ''] = own.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const forge = (header: string, sub: string, by = signature): string =>
    [header, Buffer.from(JSON.stringify({ ...claims, sub })).toString('base64url'), by].join('.');
  assert.equal(await asUser(rig, forge(head, 'system:serviceaccount:kube-system:default')), 'Unauthorized');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  assert.equal(await asUser(rig, forge(none, claims.sub, '')), 'Unauthorized');
  const other = await scene(t);
  const foreign = (await requestToken(other)).status?.token ?? '';
  assert.equal(await asUser(rig, foreign), 'Unauthorized');
});

test('a bound token ends with what it is bound to, and with its account', async (t) => {
  const rig = await scene(t);
  const { api } = rig.http;
  const { metadata } = await api.create(PODS, pod('web'));
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: metadata?.uid };
  const ofPod = (await requestToken(rig, { boundObjectRef })).status?.token ?? '';
  await api.create(SECRETS, { metadata: { namespace: 'default', name: 's' } });
  const ofSecret =
    (await requestToken(rig, { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 's' } })).status
      ?.token ?? '';
  const plain = (await requestToken(rig)).status?.token ?? '';
  for (const token of [ofPod, ofSecret, plain]) assert.equal(await asUser(rig, token), 'Forbidden');
  await api.delete(PODS, { namespace: 'default', name: 'web' });
  // One of the same name is another pod.
  await api.create(PODS, pod('web'));
  await api.delete(SECRETS, { namespace: 'default', name: 's' });
  for (const token of [ofPod, ofSecret]) assert.equal(await asUser(rig, token), 'Unauthorized');
  assert.equal(await asUser(rig, plain), 'Forbidden');
  await api.delete(SERVICE_ACCOUNTS, { namespace: 'default', name: 'default' });
  assert.equal(await asUser(rig, plain), 'Unauthorized');
});

test('what is wrong with a request for a token is told', async (t) => {
  const rig = await scene(t);
  const { api } = rig.http;
  await api.create(SERVICE_ACCOUNTS, { metadata: { namespace: 'default', name: 'other' } });
  await api.create(PODS, pod('web'));
  const ref = (name: string, kind = 'Pod', uid?: string) => ({
    boundObjectRef: { apiVersion: 'v1', kind, name, uid },
  });
  await assert.rejects(
    requestToken(rig, { expirationSeconds: 599 }),
    refused(
      'Invalid',
      /spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes/,
    ),
  );
  await assert.rejects(
    requestToken(rig, { expirationSeconds: 2 ** 32 + 1 }),
    refused('Invalid', /may not specify a duration larger than 2\^32 seconds/),
  );
  await assert.rejects(
    requestToken(rig, {}, 'nobody'),
    refused('NotFound', /serviceaccounts "nobody" not found/),
  );
  await assert.rejects(requestToken(rig, ref('none')), refused('NotFound', /pods "none" not found/));
  await assert.rejects(
    requestToken(rig, ref('web', 'Pod', 'x')),
    refused('Conflict', /does not match the UID in record/),
  );
  await assert.rejects(
    requestToken(rig, ref('web', 'Service')),
    refused('BadRequest', /cannot bind token to object/),
  );
  await assert.rejects(
    requestToken(rig, ref('web'), 'other'),
    refused(
      'BadRequest',
      /cannot bind token for serviceaccount "other" to pod running with different serviceaccount name/,
    ),
  );
});

test('a new pod gets its account, its pull secrets and one volume in all its containers', async (t) => {
  const { http } = await scene(t);
  const { api } = http;
  await api.create(SERVICE_ACCOUNTS, {
    metadata: { namespace: 'default', name: 'puller' },
    imagePullSecrets: [{ name: 'registry' }],
  });
  const containers = [{ name: 'a', image: 'x:1' }];
  const own = [{ name: 'v', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }];
  const { spec } = await api.create(PODS, {
    metadata: { namespace: 'default', name: 'p' },
    spec: {
      serviceAccountName: 'puller',
      initContainers: [{ name: 'i', image: 'x:1', volumeMounts: own }],
      volumes: [{ name: 'v', emptyDir: {} }],
      containers,
    },
  });
  assert.deepEqual([spec?.serviceAccountName, spec?.serviceAccount], ['puller', 'puller']);
  assert.deepEqual(spec?.imagePullSecrets, [{ name: 'registry' }]);
  const name = spec?.volumes?.[1]?.name ?? '';
  assert.match(name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(
    spec?.volumes?.[1]?.projected?.sources?.map((source) => Object.keys(source)[0]),
    ['serviceAccountToken', 'configMap', 'downwardAPI'],
  );
  const mount = { name, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true };
  assert.deepEqual(spec?.containers[0]?.volumeMounts, [mount]);
  assert.deepEqual(spec?.initContainers?.[0]?.volumeMounts, own, 'who mounts there keeps it');
  // What was stored goes through an update as it is.
  const changed = await api.patch(
    PODS,
    { namespace: 'default', name: 'p' },
    { type: 'application/merge-patch+json', body: { metadata: { labels: { a: 'b' } } } },
  );
  assert.deepEqual(changed.spec, spec);
});

test('a secret that Kubernetes would fill with a token is warned of', async (t) => {
  const { kubectl } = await scene(t);
  const secret = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/service-account-token',
    metadata: { name: 's', annotations: { 'kubernetes.io/service-account.name': 'default' } },
  });
  assert.match((await kubectl(['create', '-f', '-'], secret)).stderr, /Podwright puts no token into it/);
});

test('automount is the pod’s word, then the account’s; a missing account is refused; a static pod has none', async (t) => {
  const { http } = await scene(t);
  const { api } = http;
  const metadata = { namespace: 'default', name: 'quiet' };
  await api.create(SERVICE_ACCOUNTS, { metadata, automountServiceAccountToken: false });
  const volumesOf = async (name: string, spec: Partial<Pod['spec']>): Promise<number> =>
    (await api.create(PODS, pod(name, spec))).spec?.volumes?.length ?? 0;
  assert.equal(await volumesOf('a', { serviceAccountName: 'quiet' }), 0);
  assert.equal(await volumesOf('b', { serviceAccountName: 'quiet', automountServiceAccountToken: true }), 1);
  assert.equal(await volumesOf('c', { automountServiceAccountToken: false }), 0);
  await assert.rejects(
    api.create(PODS, pod('d', { serviceAccountName: 'nobody' })),
    refused(
      'Forbidden',
      /pods "d" is forbidden: error looking up service account default\/nobody: serviceaccount "nobody" not found/,
    ),
  );
  const mirror = { metadata: { ...pod('m').metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } } };
  const { spec } = await api.create(PODS, { ...pod('m'), ...mirror });
  assert.deepEqual([spec?.serviceAccountName, spec?.volumes], [undefined, undefined]);
  await assert.rejects(
    api.create(PODS, { ...pod('m', { serviceAccountName: 'quiet' }), ...mirror }),
    refused('Forbidden', /a mirror pod may not reference service accounts/),
  );
});
