// docs/compatibility.md lists every published kind, and says truly how it is served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { discovery } from '../../src/apiserver/http/discovery.ts';
import { KINDS } from '../../src/apiserver/kinds.ts';

const ROOT = join(import.meta.dirname, '../..');
const DISCOVERY = join(ROOT, '../shared/data/kubernetes-1.36/discovery');

type ResponseKind = { readonly group: string; readonly version: string; readonly kind: string };
type Subresource = {
  readonly subresource: string;
  readonly verbs: readonly string[];
  readonly responseKind?: ResponseKind;
};
type Resource = {
  readonly resource: string;
  readonly scope: string;
  readonly singularResource: string;
  readonly verbs: readonly string[];
  readonly responseKind: ResponseKind;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly Subresource[];
};
type Groups = {
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly { readonly version: string; readonly resources: readonly Resource[] }[];
  }[];
};

const ALL = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

function byPath({ items }: Groups): Map<string, Resource> {
  return new Map(
    items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ version, resources }) =>
        resources.map((one): [string, Resource] => {
          const group = metadata.name ? `${metadata.name}/` : '';
          return [`${group}${version}/${one.resource}`, one];
        }),
      ),
    ),
  );
}

/** The core group is published in the older form only. */
function coreGroup(): Groups {
  type Old = {
    readonly name: string;
    readonly namespaced: boolean;
    readonly singularName: string;
    readonly kind: string;
    readonly group?: string;
    readonly version?: string;
    readonly verbs: readonly string[];
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  };
  const { resources } = JSON.parse(readFileSync(join(DISCOVERY, 'api__v1.json'), 'utf8')) as {
    resources: readonly Old[];
  };
  const responseKind = ({ group = '', version = 'v1', kind }: Old): ResponseKind => ({
    group,
    version,
    kind,
  });
  const newer = resources
    .filter(({ name }) => !name.includes('/'))
    .map((one) => ({
      ...one,
      resource: one.name,
      scope: one.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.singularName,
      responseKind: responseKind(one),
      subresources: resources
        .filter(({ name }) => name.startsWith(`${one.name}/`))
        .map((sub) => ({
          subresource: sub.name.split('/')[1] ?? '',
          verbs: sub.verbs,
          responseKind: responseKind(sub),
        })),
    }));
  return { items: [{ metadata: {}, versions: [{ version: 'v1', resources: newer }] }] };
}

const named = JSON.parse(readFileSync(join(DISCOVERY, 'aggregated_v2.json'), 'utf8')) as Groups;
const published = new Map([...byPath(coreGroup()), ...byPath(named)]);

const page = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');
const section = page.slice(page.indexOf('## Verbs and kinds')).split('\n## ')[0] ?? '';
type Row = {
  readonly verbs: readonly string[];
  readonly served: readonly string[];
  readonly absent: readonly string[];
  readonly effect: string;
};
const list = (text: string | undefined): string[] => (text ?? '').split(', ').filter((one) => one !== '');
const rows = new Map(
  [...section.matchAll(/^\| `([^`]+)` \| ([\w, ]+) \| ([\w, ]*?) ?(?:\(([\w, ]+)\) )?\| (.+) \|$/gm)].map(
    ([, path = '', verbs = '', served, absent, effect = '']): [string, Row] => [
      path,
      { verbs: verbs === 'all' ? ALL : list(verbs), served: list(served), absent: list(absent), effect },
    ],
  ),
);
const [, notServed = ''] = section.split('\nNot served:\n');
const absent = [...notServed.matchAll(/^\| (`.+`) \| .+ \|$/gm)].flatMap(([, paths = '']) =>
  [...paths.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
);
const isAbsent = (path: string): boolean =>
  absent.some((one) => (one.endsWith('*') ? path.startsWith(one.slice(0, -1)) : path === one));

test('every published kind is in one of the two tables, and nothing else is', () => {
  for (const path of published.keys()) {
    assert.notEqual(rows.has(path), isAbsent(path), `${path}: one table, and only one`);
  }
  for (const path of rows.keys()) assert.ok(published.has(path), `${path} is not published`);
  for (const one of absent) {
    assert.ok(
      [...published.keys()].some((path) =>
        one.endsWith('*') ? path.startsWith(one.slice(0, -1)) : path === one,
      ),
      one,
    );
  }
});

test('what is served is what the table says, in the published names, verbs and kinds', () => {
  const read = (path: string): Groups => {
    const found = discovery(
      path,
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      KINDS,
    );
    return found?.body as Groups;
  };
  const served = new Map([...byPath(read('/api')), ...byPath(read('/apis'))]);
  for (const [path, row] of rows) {
    const [own, theirs] = [served.get(path), published.get(path)];
    assert.ok(own !== undefined && theirs !== undefined, `${path} is not served`);
    const subresources = (own.subresources ?? []).map(({ subresource }) => subresource);
    assert.deepEqual(row.verbs.toSorted(), own.verbs.toSorted(), path);
    assert.deepEqual(own.verbs.toSorted(), theirs.verbs.toSorted(), path);
    assert.deepEqual(row.served.toSorted(), subresources.toSorted(), path);
    const missing = (theirs.subresources ?? [])
      .map(({ subresource }) => subresource)
      .filter((one) => !subresources.includes(one));
    assert.deepEqual(row.absent.toSorted(), missing.toSorted(), path);
    const { scope, singularResource, responseKind, shortNames = [], categories = [] } = own;
    const [version, group = ''] = path.split('/').toReversed().slice(1);
    // Where a kind is its own group's, it is published without saying so.
    const told = (one: ResponseKind | undefined) => (one?.version === '' ? { ...one, group, version } : one);
    assert.deepEqual(
      { scope, singularResource, kind: responseKind, shortNames, categories },
      {
        scope: theirs.scope,
        singularResource: theirs.singularResource,
        kind: told(theirs.responseKind),
        shortNames: theirs.shortNames ?? [],
        categories: theirs.categories ?? [],
      },
      path,
    );
    for (const sub of own.subresources ?? []) {
      const wanted: Subresource | undefined = theirs.subresources?.find(
        ({ subresource }) => subresource === sub.subresource,
      );
      assert.deepEqual(sub.responseKind, told(wanted?.responseKind), `${path}/${sub.subresource}`);
      for (const verb of sub.verbs)
        assert.ok(wanted?.verbs.includes(verb), `${path}/${sub.subresource}: ${verb}`);
    }
  }
  for (const path of served.keys()) {
    assert.ok(rows.has(path) || path.startsWith('metrics.k8s.io/'), `${path} is served and not in the table`);
  }
});

test('a PUT makes an object of the kinds that the page names, and of no other', () => {
  const [, told = ''] = /a PUT makes what is not there([^;]+);/.exec(section) ?? [];
  const makes = KINDS.filter(({ createsOnUpdate }) => createsOnUpdate === true).map(
    ({ group, version, plural }) => `${group === '' ? '' : `${group}/`}${version}/${plural}`,
  );
  const named = [...told.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
  assert.deepEqual(named.toSorted(), makes.toSorted());
});

test('a kind whose row says so warns whoever writes one, and no other does', () => {
  for (const { group, version, plural, strategy } of KINDS) {
    const path = `${group === '' ? '' : `${group}/`}${version}/${plural}`;
    const effect = rows.get(path)?.effect ?? '';
    if (effect.startsWith('acts')) continue;
    const warns = (strategy.warnings?.({ metadata: { name: 'x' } }) ?? []).length > 0;
    assert.equal(warns, effect.startsWith('stored, warned'), `${path}: ${effect}`);
  }
});
