// What a ResourceQuota counts (https://kubernetes.io/docs/concepts/policy/resource-quotas/): what one object uses, which
// quotas it falls under, and figures as text. Amounts are in thousandths, so that CPUs stay whole.
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from './api-types.ts';
import { canonicalQuantity } from './canonical-quantity.ts';
import { effectiveLimits, effectiveRequests, isTerminal, qosClassOf, type ResourceAmounts } from './pod.ts';
import { quantityMilli } from './quantity.ts';

export type Usage = { readonly [resource: string]: number };
export type Counted = { readonly group: string; readonly plural: string; readonly object: object };

const ONE = 1000;

/** Resources that are counted by the plural of their kind alone. */
const BY_PLURAL = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];

const milli = (amounts: ResourceAmounts): [string, number][] =>
  Object.entries(amounts).map(([name, amount]) => [name, name === 'cpu' ? amount : amount * ONE]);

function podUsage(pod: Pod): Usage {
  if (pod.spec === undefined || isTerminal(pod)) return {};
  const requests = milli(effectiveRequests(pod.spec));
  const limits = milli(effectiveLimits(pod.spec));
  return {
    pods: ONE,
    ...Object.fromEntries(requests.map(([name, amount]) => [`requests.${name}`, amount])),
    // The older names, which only what is requested has.
    ...Object.fromEntries(requests.filter(([name]) => !name.includes('/'))),
    ...Object.fromEntries(limits.map(([name, amount]) => [`limits.${name}`, amount])),
  };
}

export const countName = ({ group, plural }: Omit<Counted, 'object'>): string =>
  `count/${plural}${group === '' ? '' : `.${group}`}`;

export function usageOf(counted: Counted): Usage {
  const { group, plural, object } = counted;
  const count = { [countName(counted)]: ONE };
  if (group !== '') return count;
  if (plural === 'pods') return { ...count, ...podUsage(object as Pod) };
  if (!BY_PLURAL.includes(plural)) return count;
  const storage =
    plural === 'persistentvolumeclaims' &&
    (object as PersistentVolumeClaim).spec?.resources?.requests?.storage;
  return { ...count, [plural]: ONE, ...(storage ? { 'requests.storage': quantityMilli(storage) } : {}) };
}

/** The kinds that a quota's resource is counted of, as group and plural. */
export function kindOfResource(resource: string): { readonly group: string; readonly plural: string } {
  const [, plural, group = ''] = /^count\/([^.]+)(?:\.(.+))?$/.exec(resource) ?? [];
  if (plural !== undefined) return { group, plural };
  if (resource === 'requests.storage') return { group: '', plural: 'persistentvolumeclaims' };
  return { group: '', plural: BY_PLURAL.includes(resource) ? resource : 'pods' };
}

const COUNTED_SCOPES = ['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass'];

/** Resources and scopes that Kubernetes knows and that are not counted here: nothing ever uses them. */
export function uncountedResources({
  hard = {},
  scopes = [],
  scopeSelector,
}: ResourceQuotaSpec = {}): string[] {
  const named = [...scopes, ...(scopeSelector?.matchExpressions ?? []).map(({ scopeName }) => scopeName)];
  return [
    ...Object.keys(hard).filter((name) => /^services\.|\.(storageclass|volumeattributesclass)\./.test(name)),
    ...named.filter((scope) => !COUNTED_SCOPES.includes(scope)).map((scope) => `the scope ${scope}`),
  ];
}

function meets(pod: Pod, { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement): boolean {
  const isIn = (own: string | undefined): boolean => {
    if (operator === 'Exists') return Boolean(own);
    if (operator === 'DoesNotExist') return !own;
    return operator === 'In' ? values.includes(own ?? '') : !values.includes(own ?? '');
  };
  const isBestEffort = pod.spec !== undefined && qosClassOf(pod.spec) === 'BestEffort';
  const isTerminating = pod.spec?.activeDeadlineSeconds !== undefined;
  switch (scopeName) {
    case 'Terminating':
      return isTerminating;
    case 'NotTerminating':
      return !isTerminating;
    case 'BestEffort':
      return isBestEffort;
    case 'NotBestEffort':
      return !isBestEffort;
    case 'PriorityClass':
      return isIn(pod.spec?.priorityClassName);
    default:
      return false;
  }
}

/** A quota with scopes counts only the pods that meet all of them. */
export function fallsUnder({ spec }: ResourceQuota, { group, plural, object }: Counted): boolean {
  const scopes = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }));
  const all = [...scopes, ...(spec?.scopeSelector?.matchExpressions ?? [])];
  if (all.length === 0) return true;
  return group === '' && plural === 'pods' && all.every((one) => meets(object as Pod, one));
}

export function sumUsage(usages: readonly Usage[]): Usage {
  const sum: { [resource: string]: number } = {};
  for (const usage of usages) {
    for (const [name, amount] of Object.entries(usage)) sum[name] = (sum[name] ?? 0) + amount;
  }
  return sum;
}

/** As Kubernetes spells it: "500m", "1Gi", "3". */
export function amountText(amount: number): string {
  const units = amount / ONE;
  const text = units >= 1024 && units % 1024 === 0 ? `${units / 1024}Ki` : `${amount}m`;
  return canonicalQuantity(text) ?? text;
}
