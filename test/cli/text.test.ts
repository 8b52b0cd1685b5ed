import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { PodwrightError } from '../../src/base/errors.ts';
import { defaultContainer } from '../../src/cli/default-container.ts';
import { findingLines } from '../../src/cli/doctor.ts';
import { failureText } from '../../src/cli/failure.ts';
import { listText } from '../../src/cli/lists.ts';
import { parseListen } from '../../src/cli/options.ts';
import { podColumns } from '../../src/cli/ps.ts';
import { table } from '../../src/cli/table.ts';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';

it('table aligns columns and leaves nothing at the end of a line', () => {
  assert.equal(
    table(
      ['A', 'LONGER', 'C'],
      [
        ['xx', 'y', ''],
        ['z', '', 'w'],
      ],
    ),
    'A    LONGER   C\nxx   y\nz             w',
  );
});

describe('lists', () => {
  const nowMs = Date.parse('2026-01-01T00:01:00Z');
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'a', image: 'i:1' }], nodeName: 'n1' },
    status: {
      phase: 'Running',
      podIP: '10.0.0.2',
      containerStatuses: [
        { name: 'a', ready: true, restartCount: 0, image: 'i:1', imageID: 'x', state: { running: {} } },
      ],
    },
  };
  const text = (
    items: readonly Pod[],
    namespace: string | undefined,
    output?: 'json' | 'yaml' | 'wide' | 'name',
  ): string =>
    listText(items, { ref: PODS, columns: podColumns(namespace, nowMs), output, whenEmpty: 'none' });

  it('are tables of the namespace, wide ones with more columns', () => {
    assert.equal(
      text([pod], 'default'),
      'NAME   READY   STATUS    RESTARTS   AGE   IP\nweb    1/1     Running   0          60s   10.0.0.2',
    );
    assert.match(
      text([pod], undefined, 'wide'),
      /^NAMESPACE {3}NAME .* NODE {3}IMAGES\ndefault .* n1 {5}i:1$/,
    );
    assert.equal(text([], 'default'), 'none');
  });

  it('are data for programs', () => {
    assert.equal(text([pod], 'default', 'name'), 'pod/web');
    const list = JSON.parse(text([pod], 'default', 'json'));
    assert.deepEqual(
      [list.kind, list.items[0].kind, list.items[0].apiVersion, list.items[0].metadata.name],
      ['List', 'Pod', 'v1', 'web'],
    );
    assert.deepEqual(JSON.parse(text([], 'default', 'json')).items, []);
    assert.match(text([pod], 'default', 'yaml'), /^apiVersion: v1\nkind: List\nitems:\n {2}- apiVersion: v1/);
  });
});

describe('failureText', () => {
  it('gives the remedy of its kind', () => {
    assert.equal(
      failureText(
        new PodwrightError('EngineUnreachable', 'no engine answers at https://h:1', {
          cause: new Error('ECONNREFUSED'),
        }),
      ),
      'error: no engine answers at https://h:1\nstart one with: podwright serve',
    );
  });
  it('finds a missing permission below other errors', () => {
    const cause = Object.assign(new Error('open /x: EACCES'), { code: 'EACCES' });
    assert.equal(
      failureText(new PodwrightError('InvalidInput', 'read kubeconfig /x', { cause })),
      'error: read kubeconfig /x: open /x: EACCES\nrun it as root: sudo podwright ...',
    );
  });
  it('lists the fields of an invalid object, one a line', () => {
    const causes = ['spec.a', 'spec.b'].map((field) => ({
      reason: 'FieldValueRequired',
      message: 'Required value',
      field,
    }));
    const message = 'f.yaml:1: Pod "x" is invalid: [spec.a: Required value, spec.b: Required value]';
    assert.equal(
      failureText(new PodwrightError('Invalid', message, { details: { causes } })),
      'error: f.yaml:1: Pod "x" is invalid:\n  spec.a: Required value\n  spec.b: Required value',
    );
  });
  it('shows where a programmer erred', () =>
    assert.match(failureText(new TypeError('oops')), /TypeError: oops\n\s+at /));
});

it('parseListen takes names, IPv4 and IPv6', () => {
  assert.deepEqual(parseListen('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  assert.deepEqual(parseListen('[::1]:6443'), { host: '::1', port: 6443 });
  for (const text of ['6443', ':1', 'host:', 'host:70000', '::1:6443', ''])
    assert.throws(() => parseListen(text), InvalidArgumentError);
});

it('findingLines aligns topics and puts the remedy below', () => {
  const lines = findingLines({ colors: pc.createColors(false) }, [
    { topic: 'a', state: 'ok', found: 'fine' },
    { topic: 'long', state: 'missing', found: 'not installed', remedy: 'apt-get install long' },
  ]);
  assert.deepEqual(lines, ['✔ a     fine', '✖ long  not installed', '        → apt-get install long']);
});

it('defaultContainer is the one the pod names, else the first app container', () => {
  const spec = { initContainers: [{ name: 'i' }], containers: [{ name: 'a' }, { name: 'b' }] };
  assert.deepEqual(defaultContainer({ spec }), { name: 'a', others: ['b', 'i (init)'] });
  const annotations = { 'kubectl.kubernetes.io/default-container': 'b' };
  assert.deepEqual(defaultContainer({ metadata: { annotations }, spec }), { name: 'b', others: [] });
});
