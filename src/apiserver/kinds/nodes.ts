// nodes, with the columns of `kubectl get nodes`.
import { NODES } from '../../client/resources.ts';
import type { Node } from '../../kube/api-types.ts';
import { type Column, defineKind } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function roles({ metadata }: Node): string {
  const names = Object.keys(metadata?.labels ?? {}).filter((label) => label.startsWith(ROLE_PREFIX));
  return names.length === 0
    ? '<none>'
    : names
        .map((name) => name.slice(ROLE_PREFIX.length))
        .sort()
        .join(',');
}

function address(wanted: string): (node: Node) => string {
  return ({ status }) => status?.addresses?.find(({ type }) => type === wanted)?.address ?? '<none>';
}

function info(field: 'osImage' | 'kernelVersion' | 'containerRuntimeVersion'): (node: Node) => string {
  return ({ status }) => status?.nodeInfo?.[field] || '<unknown>';
}

const columns: readonly Column<Node>[] = [
  nameColumn(),
  { name: 'Status', type: 'string', cell: nodeStatus },
  { name: 'Roles', type: 'string', cell: roles },
  ageColumn(),
  { name: 'Version', type: 'string', cell: ({ status }) => status?.nodeInfo?.kubeletVersion ?? '' },
  { name: 'Internal-IP', type: 'string', priority: 1, cell: address('InternalIP') },
  { name: 'External-IP', type: 'string', priority: 1, cell: address('ExternalIP') },
  { name: 'OS-Image', type: 'string', priority: 1, cell: info('osImage') },
  { name: 'Kernel-Version', type: 'string', priority: 1, cell: info('kernelVersion') },
  { name: 'Container-Runtime', type: 'string', priority: 1, cell: info('containerRuntimeVersion') },
];

export const nodeKind = defineKind<Node>({
  ...NODES,
  singular: 'node',
  shortNames: ['no'],
  categories: [],
  subresources: ['status', 'proxy'],
  schema: 'Node',
  nameRule: 'subdomain',
  selectableFields: ['spec.unschedulable'],
  hasGeneration: false,
  strategy: { validate: () => [] },
  columns,
});
