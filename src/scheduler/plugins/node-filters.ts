// The plug-ins that look at the node object alone: NodeUnschedulable, NodeName, TaintToleration, NodeAffinity.
import type { Node, Taint } from '../../kube/api-types.ts';
import { labelsWanting, matchesNodeAffinity, matchesNodeTerm } from '../../kube/node-selector.ts';
import { filterOf, normalizeByMax, type Plugin } from '../framework.ts';
import { isTolerated, untoleratedTaint, untoleratedTaints } from '../tolerations.ts';

const UNSCHEDULABLE_TAINT: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const ABSENT: Node = {};

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  prepare({ spec }, { cluster: { nodes } }) {
    if (!nodes.some((node) => node?.spec?.unschedulable)) return undefined;
    if (isTolerated(spec.tolerations ?? [], UNSCHEDULABLE_TAINT)) return undefined;
    const reason = { text: 'node(s) were unschedulable', isResolvable: false };
    return {
      scope: 'node',
      filter: filterOf((node) => nodes[node]?.spec?.unschedulable !== true, {
        reason: () => reason,
        remedies: () => [{ kind: 'uncordon' }],
      }),
    };
  },
};

export const nodeName: Plugin = {
  name: 'NodeName',
  prepare({ spec }, { cluster: { nodes } }) {
    if (!spec.nodeName) return undefined;
    const reason = { text: "node(s) didn't match the requested node name", isResolvable: false };
    return {
      scope: 'node',
      filter: filterOf((node) => nodes[node]?.metadata?.name === spec.nodeName, {
        reason: () => reason,
        remedies: () => [],
      }),
    };
  },
};

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  prepare({ spec: { tolerations = [] } }, { cluster: { nodes } }) {
    if (!nodes.some((node) => node?.spec?.taints?.length)) return undefined;
    const nodeOf = (node: number): Node => nodes[node] ?? ABSENT;
    const soft = tolerations.filter(({ effect }) => !effect || effect === 'PreferNoSchedule');
    return {
      scope: 'node',
      filter: filterOf((node) => untoleratedTaint(tolerations, nodeOf(node)) === undefined, {
        reason(node) {
          const { key = '', value = '' } = untoleratedTaint(tolerations, nodeOf(node)) ?? {};
          return { text: `node(s) had untolerated taint {${key}: ${value}}`, isResolvable: false };
        },
        remedies: (node) =>
          untoleratedTaints(tolerations, nodeOf(node)).map((taint) => ({ kind: 'tolerate', taint })),
      }),
      score: {
        score: (node) =>
          (nodeOf(node).spec?.taints ?? []).filter(
            (taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(soft, taint),
          ).length,
        normalize: normalizeByMax('lowest-first'),
      },
    };
  },
};

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  prepare({ spec }, { cluster: { nodes } }) {
    const { requiredDuringSchedulingIgnoredDuringExecution: required } = spec.affinity?.nodeAffinity ?? {};
    const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const nodeOf = (node: number): Node => nodes[node] ?? ABSENT;
    const reason = { text: "node(s) didn't match Pod's node affinity/selector", isResolvable: false };
    const scoreOf = (node: number): number =>
      preferred.reduce(
        (sum, { preference, weight }) => sum + (matchesNodeTerm(nodeOf(node), preference) ? weight : 0),
        0,
      );
    if (spec.nodeSelector === undefined && required === undefined && preferred.length === 0) return undefined;
    return {
      scope: 'node',
      filter: filterOf((node) => matchesNodeAffinity(nodeOf(node), spec), {
        reason: () => reason,
        remedies(node) {
          const labels = labelsWanting(nodeOf(node), spec);
          return labels === undefined ? [] : [{ kind: 'label', labels }];
        },
      }),
      score:
        preferred.length === 0 ? undefined : { score: scoreOf, normalize: normalizeByMax('highest-first') },
    };
  },
};
