// The waterfall and the picture of a pod's start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOUNDS } from '../../src/base/bounds.ts';
import { createSpans, type Span } from '../../src/base/spans.ts';
import { startOf, svg, waterfall } from '../../src/cli/trace.ts';

const span = (name: string, startMs: number, endMs: number, outcome: Span['outcome'] = 'ok'): Span => ({
  subject: 'uid',
  name,
  startMs,
  endMs,
  outcome,
});

test('the waterfall says of each step when it began, how long it took and where that lies', () => {
  const lines = waterfall([span('sandbox', 1000, 1050), span('create', 1050, 1100, 'failed')]).split('\n');
  assert.match(lines[1] ?? '', /^sandbox +0\.0 +50\.0 +█{25}$/);
  assert.match(lines[2] ?? '', /^create +50\.0 +50\.0 +█{24} failed$/);
  assert.equal(lines[3], '100.0 ms in all');
});

test('the start ends at the first pause, however the steps overlap', () => {
  const start = [span('sandbox', 0, 1500), span('image', 0, 10), span('create', 1510, 1600)];
  assert.deepEqual(startOf([...start, span('restart', 2700, 2800)]), start);
  assert.deepEqual(startOf(start), start);
});

test('the picture shows names as they are', () => {
  const picture = svg([span('a<b & c', 0, 10)]);
  assert.match(picture, /^<svg .*a&lt;b &amp; c.*10\.0 ms/s);
});

test('spans are noted also for work that fails, in order of their starts, and within a bound', async () => {
  const spans = createSpans();
  const failing = spans.measure('a', 'outer', async () => {
    await spans.measure('a', 'inner', () => 1);
    throw new Error('broken');
  });
  await assert.rejects(failing, /broken/);
  assert.deepEqual(
    spans.of('a').map(({ name, outcome }) => [name, outcome]),
    [
      ['outer', 'failed'],
      ['inner', 'ok'],
    ],
  );
  for (let i = 0; i < BOUNDS.spans; i++) await spans.measure('b', 'step', () => i);
  assert.deepEqual(spans.of('a'), []);
  assert.equal(spans.of('b').length, BOUNDS.spans);
});
