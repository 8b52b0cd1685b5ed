// The audit log: who asked for what and what came of it, and nothing that is secret.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AuditLog, openAuditLog } from '../../src/apiserver/audit-log.ts';
import { silentLog } from '../../src/base/log.ts';
import { apiRig } from '../lib/api-rig.ts';

type Event = {
  readonly auditID: string;
  readonly verb: string;
  readonly stage: string;
  readonly requestURI: string;
  readonly user: { readonly username?: string };
  readonly impersonatedUser?: { readonly username: string };
  readonly objectRef?: { readonly [field: string]: string };
  readonly responseStatus: { readonly code: number };
  readonly annotations: { readonly [key: string]: string };
};

async function auditFile(
  t: TestContext,
  bounds: { readonly fileBytes?: number; readonly backlogBytes?: number } = {},
): Promise<{ readonly path: string; readonly audit: AuditLog }> {
  const dir = await mkdtemp(join(tmpdir(), 'audit-'));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, 'audit.log');
  return { path, audit: await openAuditLog({ path, log: silentLog, ...bounds }) };
}

const eventsOf = async (path: string): Promise<readonly Event[]> =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);

test('one line a request, allowed and refused, in whose name, and no secret', {
  timeout: 60_000,
}, async (t) => {
  const { path, audit } = await auditFile(t);
  const { kubectl, url } = await apiRig(t, { audit });
  await kubectl(['create', 'secret', 'generic', 's', '--from-literal=word=correct-horse']);
  await kubectl(['get', 'secret', 's', '--as', 'alice']);
  const flags = ['--kubeconfig', '/dev/null', '--insecure-skip-tls-verify', '--server', url];
  await kubectl(['get', '--raw', '/api/v1/pods', '--token', 'battery-staple', ...flags]);
  await kubectl(['create', 'namespace', 'tight']);
  await kubectl(['label', 'namespace', 'tight', 'pod-security.kubernetes.io/audit=restricted']);
  await kubectl(['-n', 'tight', 'run', 'p', '--image=x:1']);
  await kubectl(['-n', 'tight', 'exec', 'p', '--', 'login', '--password=tr0ub4dor']);
  await audit.close();
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'utf8');
  for (const secret of ['correct-horse', 'battery-staple', 'tr0ub4dor', 'Bearer'])
    assert.ok(!text.includes(secret), secret);
  const events = await eventsOf(path);
  const created = events.find(
    ({ verb, objectRef }) => verb === 'create' && objectRef?.resource === 'secrets',
  );
  assert.equal(created?.responseStatus.code, 201);
  assert.equal(created?.user.username, 'podwright-admin');
  assert.equal(created?.objectRef?.namespace, 'default');
  const secretRead = events.find(
    ({ impersonatedUser, objectRef }) =>
      impersonatedUser?.username === 'alice' && objectRef?.resource === 'secrets',
  );
  assert.equal(secretRead?.responseStatus.code, 403);
  assert.equal(secretRead?.annotations['authorization.k8s.io/decision'], 'forbid');
  const unknown = events.find(({ responseStatus }) => responseStatus.code === 401);
  assert.deepEqual([unknown?.verb, unknown?.user, unknown?.objectRef?.resource], ['list', {}, 'pods']);
  const audited = events.find(({ objectRef, verb }) => verb === 'create' && objectRef?.resource === 'pods');
  assert.match(
    audited?.annotations['pod-security.kubernetes.io/audit-violations'] ?? '',
    /would violate PodSecurity "restricted:latest"/,
  );
  const exec = events.find(({ objectRef }) => objectRef?.subresource === 'exec');
  assert.match(exec?.requestURI ?? '', /command=\.\.\.&command=\.\.\./);
});

test('a watch is told when it begins and when it ends, a list once', { timeout: 60_000 }, async (t) => {
  const { path, audit } = await auditFile(t);
  const { kubectl } = await apiRig(t, { audit });
  await kubectl(['get', '--raw', '/api/v1/pods?watch=true&timeoutSeconds=1']);
  await kubectl(['get', '--raw', '/api/v1/pods?watch=true&timeoutSeconds=x']);
  await kubectl(['get', '--raw', '/api/v1/pods']);
  await audit.close();
  const told = (await eventsOf(path)).filter(({ objectRef }) => objectRef?.resource === 'pods');
  assert.deepEqual(
    told.map(({ verb, stage, responseStatus }) => [verb, stage, responseStatus.code]),
    [
      ['watch', 'ResponseStarted', 200],
      ['watch', 'ResponseComplete', 200],
      ['watch', 'ResponseComplete', 400],
      ['list', 'ResponseComplete', 200],
    ],
  );
  assert.equal(told[0]?.auditID, told[1]?.auditID);
  assert.equal(new Set(told.map(({ auditID }) => auditID)).size, 3);
});

test('a full file makes room by one step, and what finds no room is dropped', async (t) => {
  const { path, audit } = await auditFile(t, { fileBytes: 1000, backlogBytes: 500 });
  // All at once: the writer takes the first, and no more than the bound waits behind it.
  for (let n = 0; n < 100; n += 1) audit.record({ n, text: 'x'.repeat(80) });
  await audit.close();
  const first = await eventsOf(path);
  assert.ok(first.length >= 4 && first.length <= 11, `${first.length} of 100 found room`);
  const again = await openAuditLog({ path, log: silentLog, fileBytes: 300 });
  for (let n = 0; n < 3; n += 1) {
    again.record({ later: n });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await again.close();
  assert.equal((await eventsOf(`${path}.1`)).length, first.length);
  assert.equal((await eventsOf(path)).length, 3);
});

test('a path that cannot be opened is named', async () => {
  await assert.rejects(
    openAuditLog({ path: '/proc/none/audit.log', log: silentLog }),
    /open the audit log \/proc\/none\/audit\.log/,
  );
});
