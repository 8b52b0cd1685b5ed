// podwright events, over an API in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { events } from '../../src/cli/events.ts';
import { EVENTS } from '../../src/client/resources.ts';
import { FakeCli } from '../lib/fake-cli.ts';

test('oldest first, and within a second as they were written', async () => {
  const cli = new FakeCli();
  const tell = (name: string, lastTimestamp: string) =>
    cli.api.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: 'default', name },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      type: 'Normal',
      reason: name,
      lastTimestamp,
    });
  await tell('backoff', '2026-01-01T00:00:00Z');
  await tell('created', '2026-01-01T00:00:01Z');
  await tell('started', '2026-01-01T00:00:01Z');
  // It happened once more.
  await cli.api.patch(
    EVENTS,
    { namespace: 'default', name: 'backoff' },
    { type: 'application/merge-patch+json', body: { lastTimestamp: '2026-01-01T00:00:01Z' } },
  );
  await tell('a-later', '2026-01-01T00:00:02Z');
  await tell('scheduled', '2026-01-01T00:00:00Z');
  await events(cli, { namespace: 'default' });
  const { stdout } = await cli.output();
  const reasons = stdout
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[2]);
  assert.deepEqual(reasons, ['scheduled', 'created', 'started', 'backoff', 'a-later']);
});
