// What the server offers, from the table of kinds: /version, /api, /apis, the resource lists and their aggregated form.
import { byPriority } from '../custom/custom-kind.ts';
import type { Kind, Subresource } from '../kind.ts';
import { groupVersion } from '../request.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** What each subresource is called by, and the kind it speaks. */
type Own = { readonly group: string; readonly version: string; readonly kind: string };
const core = (kind: string): Own => ({ group: '', version: 'v1', kind });

type Offer = { readonly verbs: readonly string[]; readonly own?: Own };
const SUBRESOURCES: Readonly<Record<Exclude<Subresource, 'proxy'>, Offer>> = {
  ephemeralcontainers: { verbs: ['get', 'patch', 'update'] },
  resize: { verbs: ['get', 'patch', 'update'] },
  status: { verbs: ['get', 'patch', 'update'] },
  finalize: { verbs: ['update'] },
  scale: { verbs: ['get', 'patch', 'update'], own: { group: 'autoscaling', version: 'v1', kind: 'Scale' } },
  log: { verbs: ['get'] },
  exec: { verbs: ['create', 'get'], own: core('PodExecOptions') },
  attach: { verbs: ['create', 'get'], own: core('PodAttachOptions') },
  portforward: { verbs: ['create', 'get'], own: core('PodPortForwardOptions') },
  binding: { verbs: ['create'], own: core('Binding') },
  token: {
    verbs: ['create'],
    own: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  },
  eviction: { verbs: ['create'], own: { group: 'policy', version: 'v1', kind: 'Eviction' } },
};

/** The kubelet's pages are only read; to a pod, whatever comes is passed on. */
function offerOf({ kind }: Kind, subresource: Subresource): Offer {
  if (subresource !== 'proxy') return SUBRESOURCES[subresource];
  const verbs = kind === 'Node' ? ['get'] : ['create', 'delete', 'get', 'patch', 'update'];
  return { verbs, own: core(`${kind}ProxyOptions`) };
}

export const VERSION = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  gitVersion: 'v1.36.2+podwright',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: `node ${process.version}`,
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

type GroupVersion = { readonly group: string; readonly version: string; readonly kinds: readonly Kind[] };

/** The versions of each group, the preferred one first. */
function byGroup(versions: readonly GroupVersion[]): [string, GroupVersion[]][] {
  return [...Map.groupBy(versions, ({ group }) => group)].map(([group, members]) => [
    group,
    members.sort((a, b) => byPriority(a.version, b.version)),
  ]);
}

function groupVersions(kinds: readonly Kind[]): GroupVersion[] {
  const grouped = Map.groupBy(kinds, groupVersion);
  return [...grouped.values()].map((members) => {
    const { group = '', version = '' } = members[0] ?? {};
    return { group, version, kinds: members };
  });
}

function verbsOf({ verbs, deletesCollection }: Kind): readonly string[] {
  if (verbs !== undefined) return verbs;
  return deletesCollection === false ? VERBS.filter((verb) => verb !== 'deletecollection') : VERBS;
}

function apiResources(kind: Kind): unknown[] {
  const { plural, singular, namespaced, kind: name, shortNames, categories } = kind;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind: name,
      verbs: verbsOf(kind),
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(categories.length > 0 ? { categories } : {}),
    },
    ...kind.subresources.map((subresource) => {
      const { verbs, own } = offerOf(kind, subresource);
      const isForeign = own !== undefined && own.group !== '';
      return {
        name: `${plural}/${subresource}`,
        singularName: '',
        namespaced,
        ...(isForeign ? { group: own.group, version: own.version } : {}),
        kind: own?.kind ?? name,
        verbs,
      };
    }),
  ];
}

function resourceList({ group, version, kinds }: GroupVersion): unknown {
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: kinds.flatMap(apiResources),
  };
}

function aggregatedResource(kind: Kind): unknown {
  const { group, version, plural, singular, namespaced, shortNames, categories } = kind;
  const responseKind = (own?: Own): unknown => own ?? { group, version, kind: kind.kind };
  return {
    resource: plural,
    responseKind: responseKind(),
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(kind),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    subresources: kind.subresources.map((subresource) => {
      const { own, verbs } = offerOf(kind, subresource);
      return { subresource, responseKind: responseKind(own), verbs };
    }),
  };
}

function aggregated(versions: readonly GroupVersion[]): unknown {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: byGroup(versions).map(([group, members]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: members.map(({ version, kinds }) => ({
        version,
        freshness: 'Current',
        resources: kinds.map(aggregatedResource),
      })),
    })),
  };
}

function apiGroup(group: string, members: readonly GroupVersion[]): unknown {
  const versions = members.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

export type DiscoveryAnswer = { readonly body: unknown; readonly contentType: string };

/** Undefined for a path that is not discovery's. */
export function discovery(path: string, accept: string, kinds: readonly Kind[]): DiscoveryAnswer | undefined {
  const plain = (body: unknown): DiscoveryAnswer => ({ body, contentType: 'application/json' });
  const wantsAggregated = /as=APIGroupDiscoveryList/.test(accept) && /v=v2(;|,|$)/.test(accept);
  const all = groupVersions(kinds);
  const named = all.filter(({ group }) => group !== '');
  const [, root, group, version] = path.split('/');
  if (path === '/version') return plain(VERSION);
  if (path === '/api') {
    const core = all.filter((one) => one.group === '');
    if (wantsAggregated) return { body: aggregated(core), contentType: AGGREGATED_TYPE };
    return plain({
      kind: 'APIVersions',
      versions: core.map((one) => one.version),
      serverAddressByClientCIDRs: [],
    });
  }
  if (path === '/apis') {
    if (wantsAggregated) return { body: aggregated(named), contentType: AGGREGATED_TYPE };
    const groups = byGroup(named).map(([name, members]) => apiGroup(name, members));
    return plain({ kind: 'APIGroupList', apiVersion: 'v1', groups });
  }
  const wanted = root === 'api' ? { group: '', version: group } : { group, version };
  const found = all.find((one) => one.group === wanted.group && one.version === wanted.version);
  const depth = root === 'api' ? 3 : 4;
  return found !== undefined && path.split('/').length === depth ? plain(resourceList(found)) : undefined;
}
