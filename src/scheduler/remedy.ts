// What would have to change so that a plug-in no longer objects to a node: data that each plug-in gives beside its
// reasons, and how it is said. Nothing here decides; `podwright why` shows it.
import type { Taint } from '../kube/api-types.ts';

export type Remedy =
  | { readonly kind: 'uncordon' }
  /** The pod tolerates it, or the node loses it. */
  | { readonly kind: 'tolerate'; readonly taint: Taint }
  /** Labels of the node; null takes one away. */
  | { readonly kind: 'label'; readonly labels: Readonly<Record<string, string | null>> }
  /** So much is missing of what the node has in all; cpu in milli. More than it has will never be there. */
  | {
      readonly kind: 'room';
      readonly resource: string;
      readonly missing: number;
      readonly wanted: number;
      readonly capacity: number;
    }
  /** All of these pods leave. */
  | { readonly kind: 'leave'; readonly uids: readonly string[] }
  /** The claim is there and bound, or a volume that fits it is free on the node. */
  | { readonly kind: 'claim'; readonly claim: string; readonly lacks: 'itself' | 'volume' }
  /** A pod with such labels is on a node with the same value of the topology key. */
  | { readonly kind: 'come'; readonly topologyKey: string; readonly pods: readonly string[] }
  /** So many pods of the kind more in the domains with the fewest, or fewer in this one. */
  | {
      readonly kind: 'spread';
      readonly topologyKey: string;
      readonly domain: string;
      readonly surplus: number;
    };

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti'];

/** cpu in milli, bytes in the largest unit that loses nothing, everything else as it is. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
  let mantissa = amount;
  let unit = 0;
  const isBytes = resource === 'memory' || resource.endsWith('storage');
  while (isBytes && mantissa !== 0 && mantissa % 1024 === 0 && unit < BINARY.length - 1) {
    mantissa /= 1024;
    unit += 1;
  }
  return `${mantissa}${BINARY[unit]}`;
}

function roomText({ resource, missing, wanted, capacity }: Extract<Remedy, { kind: 'room' }>): string {
  const text = (amount: number): string => amountText(resource, amount);
  if (resource === 'pods') return `${text(missing)} pod fewer on the node`;
  if (capacity === 0) return `a node that has ${resource} at all`;
  if (wanted > capacity) return `request at most ${text(capacity)} of ${resource}: the node has no more`;
  return `request ${text(missing)} less of ${resource} (${text(wanted - missing)} is free), or pods leave that hold as much`;
}

function labelText([key, value]: readonly [string, string | null]): string {
  return value === null ? `take the label ${key} off the node` : `label the node ${key}=${value}`;
}

function taintText({ key, value, effect }: Taint): string {
  return `${key}${value === undefined || value === '' ? '' : `=${value}`}:${effect}`;
}

/** @param nameOf a pod's name by its uid */
export function remedyText(remedy: Remedy, nameOf: (uid: string) => string): string {
  switch (remedy.kind) {
    case 'uncordon':
      return 'uncordon the node';
    case 'tolerate':
      return `tolerate ${taintText(remedy.taint)}`;
    case 'label':
      return Object.entries(remedy.labels).map(labelText).join(' and ');
    case 'room':
      return roomText(remedy);
    case 'leave':
      return `${remedy.uids.map(nameOf).join(', ')} ${remedy.uids.length === 1 ? 'leaves' : 'leave'}`;
    case 'claim':
      return remedy.lacks === 'itself'
        ? `the claim ${remedy.claim} is there and bound`
        : `a free PersistentVolume on the node that fits the claim ${remedy.claim}`;
    case 'come':
      return `a pod with ${remedy.pods.join(' and ')} comes to the same ${remedy.topologyKey}`;
    case 'spread': {
      const { topologyKey, domain, surplus } = remedy;
      return `${surplus} fewer of its kind in ${topologyKey}=${domain}, or as many more where there are fewest`;
    }
  }
}
