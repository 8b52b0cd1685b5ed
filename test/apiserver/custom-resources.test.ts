// CustomResourceDefinitions by kubectl: a definition makes a kind like any other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPodwrightError } from '../../src/base/errors.ts';
import type { KubeObject } from '../../src/client/resource-api.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../src/client/resources.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';
import { assertProperty } from '../lib/property.ts';

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['cronSpec'],
      properties: {
        cronSpec: { type: 'string', pattern: '^\\S+$', description: 'When it runs.' },
        replicas: { type: 'integer', minimum: 1, maximum: 10, default: 2 },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['fast', 'slow'] },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, size: { type: 'integer', default: 1 } },
          },
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
  },
};

const version = (name: string, more: object = {}): object => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: { openAPIV3Schema: SCHEMA },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  selectableFields: [{ jsonPath: '.spec.mode' }],
  additionalPrinterColumns: [
    { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
    { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode', priority: 1 },
  ],
  ...more,
});

const definition = (change: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.test.example.com' },
    spec: {
      group: 'test.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
      versions: [version('v1beta1'), version('v1')],
      ...change,
    },
  });

const tab = (name: string, spec: string, apiVersion = 'v1'): string =>
  `{apiVersion: test.example.com/${apiVersion}, kind: CronTab, metadata: {name: ${name}}, spec: {${spec}}}`;

type Tab = KubeObject & { readonly spec: { readonly [field: string]: unknown } };

async function withDefinition(t: Parameters<typeof apiRig>[0]): Promise<ApiRig> {
  const rig = await apiRig(t);
  const { code, stderr } = await rig.kubectl(['apply', '-f', '-'], definition());
  assert.equal(code, 0, stderr);
  const waited = await rig.kubectl([
    'wait',
    '--for=condition=Established',
    'crd/crontabs.test.example.com',
    '--timeout=10s',
  ]);
  assert.equal(waited.code, 0, waited.stderr);
  return rig;
}

test('kubectl makes, shows, explains, changes and scales them', { timeout: 120_000 }, async (t) => {
  const { kubectl } = await withDefinition(t);
  const ok = async (args: string[], stdin?: string, env?: Record<string, string>): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, stdin, env);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const read = async (...args: string[]): Promise<Tab> =>
    JSON.parse(await ok(['get', ...args, '-o', 'json'])) as Tab;
  const made = await ok(
    ['apply', '-f', '-'],
    tab('one', 'cronSpec: "*", mode: fast, free: {a: [1, {b: 2}]}, parts: [{name: p}]'),
  );
  assert.equal(made, 'crontab.test.example.com/one created\n');
  const one = await read('ct', 'one');
  assert.deepEqual(one.spec, {
    cronSpec: '*',
    free: { a: [1, { b: 2 }] },
    mode: 'fast',
    parts: [{ name: 'p', size: 1 }],
    replicas: 2,
  });
  assert.equal(one.metadata?.generation, 1);
  assert.match(await ok(['get', 'crontabs']), /^NAME +SPEC +REPLICAS +AGE\none +\* +2 +\d+s\n$/);
  assert.match(await ok(['get', 'all', '-o', 'wide']), /crontab.test.example.com\/one +\* +2 +\d+s +fast/);
  assert.match(
    await ok(['explain', 'crontab.spec.cronSpec']),
    /FIELD: cronSpec <string>[\s\S]*When it runs\./,
  );
  assert.match(await ok(['api-resources']), /crontabs +ct +test\.example\.com\/v1 +true +CronTab/);
  assert.equal(await ok(['get', 'ct', '--field-selector=spec.mode=slow', '-o', 'name']), '');

  await ok(['patch', 'ct', 'one', '--type=merge', '-p', '{"spec":{"mode":"slow"}}']);
  await ok(['edit', 'ct', 'one'], '', { KUBE_EDITOR: "sed -i 's/cronSpec: .*/cronSpec: edited/'" });
  const changed = await read('ct', 'one');
  assert.deepEqual(
    [changed.spec.mode, changed.spec.cronSpec, changed.metadata?.generation],
    ['slow', 'edited', 3],
  );
  assert.equal(await ok(['scale', 'ct', 'one', '--replicas=4']), 'crontab.test.example.com/one scaled\n');
  const status = '{"status":{"replicas":3,"selector":"a=b"},"spec":{"mode":"fast"}}';
  await ok(['patch', 'ct', 'one', '--subresource=status', '--type=merge', '-p', status]);
  const scale = JSON.parse(await ok(['get', 'ct', 'one', '--subresource=scale', '-o', 'json'])) as {
    status: object;
  };
  assert.deepEqual(scale.status, { replicas: 3, selector: 'a=b' });
  assert.deepEqual(
    [(await read('ct', 'one')).spec.mode, (await read('ct', 'one')).spec.replicas],
    ['slow', 4],
  );

  const beta = await read('crontabs.v1beta1.test.example.com', 'one');
  assert.equal(beta.apiVersion, 'test.example.com/v1beta1');
  await ok(['apply', '-f', '-'], tab('two', 'cronSpec: b', 'v1beta1'));
  assert.equal((await read('ct', 'two')).apiVersion, 'test.example.com/v1');
});

test('what the schema does not know and does not allow', { timeout: 60_000 }, async (t) => {
  const { kubectl } = await withDefinition(t);
  const create = (spec: string, ...flags: string[]) =>
    kubectl(['create', ...flags, '-f', '-'], tab('x', spec));
  const strict = await create('cronSpec: a, odd: 1', '--validate=strict');
  assert.match(strict.stderr, /strict decoding error: unknown field "spec.odd"/);
  const bad = await create(
    'replicas: 11, mode: odd, port: 1.5, parts: [{name: a}, {name: a}]',
    '--validate=false',
  );
  for (const wanted of [
    /The CronTab "x" is invalid/,
    /spec\.cronSpec: Required value/,
    /spec\.replicas: Invalid value: 11: spec\.replicas in body should be less than or equal to 10/,
    /spec\.mode: Unsupported value: "odd": supported values: "fast", "slow"/,
    /spec\.port in body must be of type integer,string: "number"/,
    /spec\.parts\[1\]: Duplicate value: \{"name":"a"\}/,
  ]) {
    assert.match(bad.stderr, wanted);
  }
  const wrongType = await create('cronSpec: 5', '--validate=false');
  assert.match(wrongType.stderr, /spec\.cronSpec in body must be of type string: "integer"/);
  const pruned = await create(
    'cronSpec: a, odd: 1, port: http',
    '--validate=ignore',
    '-o',
    'jsonpath={.spec}',
  );
  assert.equal(pruned.stdout, '{"cronSpec":"a","port":"http","replicas":2}', pruned.stderr);
});

test('server-side apply shares their lists by the keys of the schema', { timeout: 60_000 }, async (t) => {
  const { kubectl } = await withDefinition(t);
  const apply = (manager: string, spec: string) =>
    kubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], tab('shared', spec));
  assert.equal((await apply('a', 'cronSpec: x, parts: [{name: p, size: 3}]')).code, 0);
  assert.equal((await apply('b', 'parts: [{name: q}]')).code, 0);
  const { stdout } = await kubectl(['get', 'ct', 'shared', '-o', 'jsonpath={.spec.parts[*].name}']);
  assert.deepEqual(stdout.split(' ').sort(), ['p', 'q']);
  const conflict = await apply('b', 'cronSpec: y, parts: [{name: q}]');
  assert.match(conflict.stderr, /conflict with "a" using test\.example\.com\/v1: \.spec\.cronSpec/);
});

test('a definition that cannot be served is refused by field; names that are taken wait', {
  timeout: 60_000,
}, async (t) => {
  const { kubectl, server } = await withDefinition(t);
  const refused = async (change: object): Promise<string> =>
    (await kubectl(['create', '--dry-run=server', '-f', '-'], definition(change))).stderr;
  const withSchema = (schema: object) => ({
    versions: [version('v1', { schema: { openAPIV3Schema: schema } })],
  });
  assert.match(
    await refused({ group: 'other.example.com' }),
    /metadata\.name: Invalid value: .*spec\.names\.plural/,
  );
  assert.match(
    await refused({ versions: [version('v1beta1')] }),
    /must have exactly one version marked as storage version/,
  );
  const cel = withSchema({ type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] });
  assert.match(
    await refused(cel),
    /x-kubernetes-validations: Forbidden: Podwright does not evaluate CEL rules/,
  );
  assert.match(
    await refused(withSchema({ type: 'object', properties: { a: {} } })),
    /properties\[a\]\.type: Required value/,
  );
  const webhook = { conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'] } } };
  assert.match(await refused(webhook), /spec\.conversion\.strategy: Forbidden: Podwright calls no webhooks/);

  const rival = definition({ names: { plural: 'rivals', kind: 'CronTab' } }).replace(
    'crontabs.test',
    'rivals.test',
  );
  assert.equal((await kubectl(['create', '-f', '-'], rival)).code, 0);
  const conditions = await eventually('its names are refused', async () => {
    const { status } = await server.resources.get(CUSTOM_RESOURCE_DEFINITIONS, {
      name: 'rivals.test.example.com',
    });
    return status?.conditions?.some(({ type, status: is }) => type === 'NamesAccepted' && is === 'False')
      ? status.conditions
      : undefined;
  });
  assert.equal(conditions.find(({ type }) => type === 'Established')?.status, 'False');
  assert.match((await kubectl(['get', 'rivals'])).stderr, /doesn't have a resource type "rivals"/);
});

test('instances go with their definition, and the kind with it', { timeout: 60_000 }, async (t) => {
  const { kubectl, server } = await withDefinition(t);
  assert.equal((await kubectl(['create', '-f', '-'], tab('last', 'cronSpec: a'))).code, 0);
  await kubectl([
    'patch',
    'ct',
    'last',
    '--type=merge',
    '-p',
    '{"metadata":{"finalizers":["test.io/held"]}}',
  ]);
  assert.equal((await kubectl(['delete', 'crd', 'crontabs.test.example.com', '--wait=false'])).code, 0);
  await eventually(
    'the instance is being deleted',
    async () =>
      (await kubectl(['get', 'ct', 'last', '-o', 'jsonpath={.metadata.deletionTimestamp}'])).stdout ||
      undefined,
  );
  const late = await kubectl(['create', '-f', '-'], tab('late', 'cronSpec: a'));
  assert.match(late.stderr, /create not allowed while custom resource definition is terminating/);
  await kubectl(['patch', 'ct', 'last', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  await eventually('the definition is gone', async () =>
    (await server.resources.list(CUSTOM_RESOURCE_DEFINITIONS)).items.length === 0 ? true : undefined,
  );
  const gone = await kubectl(['get', 'ct']);
  assert.match(gone.stderr, /the server could not find the requested resource|doesn't have a resource type/);
});

/** The value with one of its parts, chosen by the figures, replaced. */
function mutated(value: unknown, figures: readonly number[], part: unknown): unknown {
  const [figure = 0, ...rest] = figures;
  if (typeof value !== 'object' || value === null || figures.length === 0) return part;
  const keys = Object.keys(value);
  const key = keys[figure % Math.max(1, keys.length)];
  if (key === undefined) return part;
  const below = mutated((value as { [key: string]: unknown })[key], rest, part);
  if (Array.isArray(value)) return value.map((one, at) => (String(at) === key ? below : one));
  return { ...value, [key]: below };
}

test('any definition and any instance is taken or refused, never a defect', {
  timeout: 120_000,
}, async (t) => {
  const { server } = await withDefinition(t);
  const tabs = {
    group: 'test.example.com',
    version: 'v1',
    plural: 'crontabs',
    kind: 'CronTab',
    namespaced: true,
  };
  const base = JSON.parse(definition({ names: { plural: 'others', kind: 'Other' } })) as KubeObject;
  const other = { ...base, metadata: { name: 'others.test.example.com' } };
  const instance = {
    metadata: { name: 'x' },
    spec: { cronSpec: 'a', parts: [{ name: 'p', size: 2 }], free: { a: [1] } },
  };
  const figures = fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 9 });
  const property = fc.asyncProperty(figures, fc.jsonValue(), async (path, part) => {
    for (const [ref, object] of [
      [CUSTOM_RESOURCE_DEFINITIONS, other],
      [tabs, instance],
    ] as const) {
      const made = server.resources.create(ref as never, mutated(object, path, part) as never, {
        dryRun: true,
      });
      await made.catch((error: unknown) =>
        assert.ok(isPodwrightError(error), String((error as Error).stack)),
      );
    }
  });
  await assertProperty(property, { file: 'test/apiserver/custom-resources.test.ts', numRuns: 500 });
});
