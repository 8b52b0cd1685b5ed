// podwright add: every pattern into every example, as text and as data.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import pc from 'picocolors';
import { parseAllDocuments } from 'yaml';
import { isPodwrightError } from '../../src/base/errors.ts';
import { add } from '../../src/cli/add.ts';
import type { Cli } from '../../src/cli/cli.ts';
import { addPattern } from '../../src/kube/add-pattern.ts';
import type { ConfigMap, Pod } from '../../src/kube/api-types.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATTERNS = ['adapter', 'log-collector', 'monitor', 'proxy'];

const filesOf = (folder: string): readonly string[] => readdirSync(join(ROOT, folder)).sort();
const read = (path: string): { readonly text: string; readonly fileName: string } => ({
  text: readFileSync(join(ROOT, path), 'utf8'),
  fileName: path,
});
const pattern = (name: string) => read(`patterns/${name}.yaml`);
const objectsOf = (manifest: string): (Pod | ConfigMap)[] =>
  parseAllDocuments(manifest).map((document) => document.toJS() as Pod | ConfigMap);
const podsOf = (manifest: string): Pod[] => objectsOf(manifest).filter(({ kind }) => kind === 'Pod') as Pod[];
const configOf = (manifest: string, name: string): ConfigMap['data'] =>
  (objectsOf(manifest) as ConfigMap[]).find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata?.name === name,
  )?.data;

/** The lines of the first, all and in order, among those of the second. */
function isSubsequence(lines: readonly string[], among: readonly string[]): boolean {
  let next = 0;
  for (const line of among) if (line === lines[next]) next += 1;
  return next === lines.length;
}

describe('the patterns', () => {
  it('are the four', () => {
    assert.deepEqual(
      filesOf('patterns'),
      PATTERNS.map((name) => `${name}.yaml`),
    );
  });

  for (const name of PATTERNS) {
    it(`${name}: the example of that name has this very sidecar, and adding it again changes nothing`, () => {
      const example = read(`examples/${name}.yaml`);
      const pod = podsOf(example.text).find(({ metadata }) => metadata?.name === name);
      const [own] = podsOf(pattern(name).text);
      assert.deepEqual(pod?.spec?.initContainers, own?.spec?.initContainers);
      // What the monitor looks at depends on the pod.
      if (name !== 'monitor') {
        assert.deepEqual(configOf(example.text, name), configOf(pattern(name).text, name));
      }
      assert.equal(addPattern(example, pattern(name), { name }), example.text);
    });

    for (const file of filesOf('examples').filter((one) => one.endsWith('.yaml') && one !== `${name}.yaml`)) {
      it(`${name} into ${file}: only lines inserted, and the same a second time`, () => {
        const example = read(`examples/${file}`);
        const target = podsOf(example.text).at(-1)?.metadata?.name;
        const result = addPattern(example, pattern(name), { name: target });
        assert.ok(isSubsequence(example.text.split('\n'), result.split('\n')));
        assert.equal(addPattern({ text: result, fileName: file }, pattern(name), { name: target }), result);

        const [before, after] = [podsOf(example.text).at(-1)?.spec, podsOf(result).at(-1)?.spec];
        const [own] = podsOf(pattern(name).text);
        assert.deepEqual(after?.initContainers, [
          ...(before?.initContainers ?? []),
          ...(own?.spec?.initContainers ?? []),
        ]);
        assert.deepEqual(configOf(result, name), configOf(pattern(name).text, name));
        for (const volume of own?.spec?.volumes ?? []) {
          assert.equal(after?.volumes?.filter((one) => one.name === volume.name).length, 1, volume.name);
        }
      });
    }
  }
});

const SMALL = `apiVersion: v1
kind: Pod
metadata: { name: small, namespace: shop } # mine
spec:
  containers:
  - name: app # compact lists, as kubectl prints them
    image: app:1
    env:
      - {name: MODE, value: "0644"}
  # the end`;

describe('a pattern finds its place', () => {
  const added = (manifest: string, name = 'log-collector', options = {}): string =>
    addPattern({ text: manifest, fileName: 'small.yaml' }, pattern(name), options);

  it('below lists that are not indented, before comments that follow, without a line break at the end', () => {
    const result = added(SMALL);
    const [pod] = podsOf(result);
    assert.deepEqual(pod?.spec?.containers[0]?.volumeMounts, [{ name: 'logs', mountPath: '/var/log/app' }]);
    assert.equal(pod?.spec?.initContainers?.[0]?.name, 'log-collector');
    assert.ok(isSubsequence(SMALL.split('\n'), result.split('\n')));
    assert.equal(
      objectsOf(result)[1]?.metadata?.namespace,
      'shop',
      'the configuration goes where the pod is',
    );
  });

  it("a volume of the pod's own is used as it is, and mounted nowhere else", () => {
    const result = added(`${SMALL}\n  volumes:\n    - name: logs\n      hostPath: {path: /var/log/shop}\n`);
    const [pod] = podsOf(result);
    assert.deepEqual(pod?.spec?.volumes?.[0], { name: 'logs', hostPath: { path: '/var/log/shop' } });
    assert.equal(pod?.spec?.containers[0]?.volumeMounts, undefined);
  });

  it('in the pod template of another kind', () => {
    const deployment = `kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: web:1
`;
    const [object] = objectsOf(added(deployment, 'monitor')) as unknown as [
      { spec: { template: { spec: Pod['spec'] } } },
    ];
    assert.equal(object.spec.template.spec?.initContainers?.[0]?.name, 'monitor');
  });

  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['no pod', 'kind: ConfigMap\nmetadata: {name: a}\n', /small.yaml: no pod in it$/],
    ['several pods', `${SMALL}\n---\n${SMALL}`, /several pods in it, choose one by name: small, small$/],
    ['a list in brackets', 'spec:\n  containers:\n    - name: a\n  initContainers: []\n', /one item a line/],
    ['a container of that name', SMALL.replace('name: app', 'name: adapter'), /adapter already/],
    ['what is no YAML', 'a: [', /small.yaml: /],
  ];
  for (const [what, manifest, message] of refusals) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => added(manifest, 'adapter'),
        (error) => isPodwrightError(error, 'InvalidInput') && message.test(error.message),
      );
    });
  }
});

describe('podwright add', () => {
  const cliWith = (stdin: string) => {
    const stdout = new PassThrough();
    const parts: Pick<Cli, 'stdin' | 'stdout' | 'colors'> = {
      stdin: Readable.from([stdin]),
      stdout,
      colors: pc.createColors(false),
    };
    return { cli: parts as Cli, stdout };
  };

  it('reads a file or standard input and prints the manifest', async () => {
    const { cli, stdout } = cliWith(SMALL);
    assert.equal(await add(cli, { pattern: 'adapter', file: '-' }), 0);
    stdout.end();
    assert.equal(podsOf(await text(stdout))[0]?.spec?.initContainers?.[0]?.name, 'adapter');
  });

  it('names the patterns there are, and the file that is not', async () => {
    const { cli } = cliWith('');
    const asked = (name: string, file: string) => () => add(cli, { pattern: name, file });
    await assert.rejects(asked('cache', '-'), /there are adapter, log-collector, monitor, proxy/);
    await assert.rejects(asked('proxy', '/none.yaml'), /read manifest \/none.yaml: .*ENOENT/);
  });
});
