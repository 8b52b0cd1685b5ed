// Kinds of the cluster's configuration, networking and access, stored and served faithfully.
import type {
  CSINode,
  CSIStorageCapacity,
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  Lease,
  LimitRange,
  NetworkPolicy,
  ResourceQuota,
  RuntimeClass,
  Service,
  VolumeAttachment,
} from '../../kube/api-types.ts';
import { uncountedResources } from '../../kube/quota.ts';
import { defaultLimitRange } from '../admission/limit-range.ts';
import { ageColumn } from './columns.ts';
import { createdAt, number, selectorText, storedKind, text, wide } from './stored-kind.ts';

const list = (texts: readonly (string | number | undefined)[]): string =>
  texts.length === 0 ? '<none>' : texts.join(',');

const quantities = (
  of: { readonly [name: string]: unknown } | undefined,
  used: typeof of,
  prefix: RegExp,
): string =>
  Object.entries(of ?? {})
    .filter(([name]) => prefix.test(name))
    .map(([name, hard]) => `${name}: ${used?.[name] ?? 0}/${hard}`)
    .join(', ');

function portText(service: Service): string {
  const ports = service.spec?.ports ?? [];
  return list(
    ports.map(
      ({ port, nodePort, protocol = 'TCP' }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
    ),
  );
}

const NETWORKING_KINDS = [
  storedKind<Service>({
    group: '',
    kind: 'Service',
    plural: 'services',
    scope: 'Namespaced',
    createsOnUpdate: true,
    status: true,
    shortNames: ['svc'],
    categories: ['all'],
    selectableFields: ['spec.clusterIP', 'spec.type'],
    warning: 'Service is stored, but Podwright routes no traffic by it yet: it gets no cluster IP',
    defaults: (object) => ({
      ...object,
      spec: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ...object.spec,
        ...(object.spec?.ports && {
          ports: object.spec.ports.map((one) => ({ protocol: 'TCP', targetPort: one.port, ...one })),
        }),
      },
    }),
    columns: [
      text('Type', ({ spec }) => spec?.type ?? ''),
      text('Cluster-IP', ({ spec }) => spec?.clusterIP || '<none>'),
      text('External-IP', ({ spec }) => spec?.externalName || list(spec?.externalIPs ?? [])),
      text('Port(s)', portText),
    ],
    lastColumns: [ageColumn(), wide(text<Service>('Selector', ({ spec }) => selectorText(spec?.selector)))],
  }),
  storedKind<Endpoints>({
    group: '',
    kind: 'Endpoints',
    plural: 'endpoints',
    scope: 'Namespaced',
    createsOnUpdate: true,
    shortNames: ['ep'],
    columns: [
      text('Endpoints', ({ subsets = [] }) =>
        list(
          subsets.flatMap(({ addresses = [], ports = [] }) =>
            addresses.flatMap(({ ip }) =>
              ports.length === 0 ? [ip] : ports.map(({ port }) => `${ip}:${port}`),
            ),
          ),
        ),
      ),
    ],
  }),
  storedKind<EndpointSlice>({
    group: 'discovery.k8s.io',
    kind: 'EndpointSlice',
    plural: 'endpointslices',
    scope: 'Namespaced',
    immutable: ['addressType'],
    columns: [
      text('AddressType', ({ addressType }) => addressType),
      text('Ports', ({ ports = [] }) =>
        ports.length === 0 ? '<unset>' : list(ports.map(({ port }) => port)),
      ),
      text('Endpoints', ({ endpoints = [] }) =>
        endpoints.length === 0 ? '<unset>' : list(endpoints.flatMap(({ addresses }) => addresses)),
      ),
    ],
  }),
  storedKind<Ingress>({
    group: 'networking.k8s.io',
    kind: 'Ingress',
    plural: 'ingresses',
    scope: 'Namespaced',
    status: true,
    shortNames: ['ing'],
    warning: 'Ingress is stored, but Podwright routes no traffic by it',
    columns: [
      text('Class', ({ spec }) => spec?.ingressClassName ?? '<none>'),
      text('Hosts', ({ spec }) => (spec?.rules ?? []).map(({ host }) => host || '*').join(',') || '*'),
      text('Address', ({ status }) =>
        (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname).join(','),
      ),
      text('Ports', ({ spec }) => ((spec?.tls ?? []).length > 0 ? '80, 443' : '80')),
    ],
  }),
  storedKind<IngressClass>({
    group: 'networking.k8s.io',
    kind: 'IngressClass',
    plural: 'ingressclasses',
    scope: 'Cluster',
    immutable: ['spec.controller'],
    columns: [
      text('Controller', ({ spec }) => spec?.controller ?? ''),
      text('Parameters', ({ spec }) =>
        spec?.parameters === undefined ? '<none>' : `${spec.parameters.kind}/${spec.parameters.name}`,
      ),
    ],
  }),
  storedKind<NetworkPolicy>({
    group: 'networking.k8s.io',
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    scope: 'Namespaced',
    shortNames: ['netpol'],
    warning: 'NetworkPolicy is stored, but Podwright does not filter traffic by it',
    defaults: (object) => ({
      ...object,
      ...(object.spec && {
        spec: { policyTypes: object.spec.egress ? ['Ingress', 'Egress'] : ['Ingress'], ...object.spec },
      }),
    }),
    columns: [text('Pod-Selector', ({ spec }) => selectorText(spec?.podSelector?.matchLabels))],
  }),
];

const POLICY_KINDS = [
  storedKind<LimitRange>({
    group: '',
    kind: 'LimitRange',
    plural: 'limitranges',
    scope: 'Namespaced',
    createsOnUpdate: true,
    shortNames: ['limits'],
    defaults: defaultLimitRange,
    columns: [],
    lastColumns: [createdAt()],
  }),
  storedKind<ResourceQuota>({
    group: '',
    kind: 'ResourceQuota',
    warnings: ({ spec }) =>
      uncountedResources(spec).map((what) => `ResourceQuota: Podwright does not count ${what}`),
    plural: 'resourcequotas',
    scope: 'Namespaced',
    status: true,
    shortNames: ['quota'],
    columns: [
      text('Request', ({ spec, status }) => quantities(spec?.hard, status?.used, /^(?!limits\.)/)),
      text('Limit', ({ spec, status }) => quantities(spec?.hard, status?.used, /^limits\./)),
    ],
  }),
  storedKind<RuntimeClass>({
    group: 'node.k8s.io',
    kind: 'RuntimeClass',
    plural: 'runtimeclasses',
    scope: 'Cluster',
    createsOnUpdate: true,
    immutable: ['handler'],
    columns: [text('Handler', ({ handler }) => handler)],
  }),
  storedKind<Lease>({
    group: 'coordination.k8s.io',
    kind: 'Lease',
    plural: 'leases',
    scope: 'Namespaced',
    createsOnUpdate: true,
    columns: [text('Holder', ({ spec }) => spec?.holderIdentity ?? '')],
  }),
];

const CSI_KINDS = [
  storedKind<CSINode>({
    group: 'storage.k8s.io',
    kind: 'CSINode',
    plural: 'csinodes',
    scope: 'Cluster',
    columns: [number('Drivers', ({ spec }) => spec?.drivers?.length)],
  }),
  storedKind<CSIStorageCapacity>({
    group: 'storage.k8s.io',
    kind: 'CSIStorageCapacity',
    plural: 'csistoragecapacities',
    scope: 'Namespaced',
    immutable: ['storageClassName', 'nodeTopology'],
    columns: [
      text('StorageClassName', ({ storageClassName }) => storageClassName),
      text('Capacity', ({ capacity }) => String(capacity ?? '<unset>')),
    ],
  }),
  storedKind<VolumeAttachment>({
    group: 'storage.k8s.io',
    kind: 'VolumeAttachment',
    plural: 'volumeattachments',
    scope: 'Cluster',
    status: true,
    immutable: ['spec'],
    columns: [
      text('Attacher', ({ spec }) => spec?.attacher ?? ''),
      text('PV', ({ spec }) => spec?.source?.persistentVolumeName ?? ''),
      text('Node', ({ spec }) => spec?.nodeName ?? ''),
      text('Attached', ({ status }) => String(status?.attached ?? false)),
    ],
  }),
];

export const CLUSTER_KINDS = [...NETWORKING_KINDS, ...POLICY_KINDS, ...CSI_KINDS];
