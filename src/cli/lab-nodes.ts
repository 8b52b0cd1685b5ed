// The nodes of a lab in a line of text. Pure.
//
//   a=1250Mi,b=2Gi
//   a=1250Mi cpu=1 pods=20 label:zone=east, b=2Gi nvidia.com/gpu=2 taint:dedicated=db:NoSchedule
//
// A comma ends a node, a blank a word. The first word is the name and the memory, which may be left out; the others are a
// resource and its amount, a label, or a taint as kubectl writes it.
import { PodwrightError } from '../base/errors.ts';
import type { Quantity, Taint } from '../kube/api-types.ts';
import { canonicalQuantity } from '../kube/canonical-quantity.ts';
import { dnsLabel, labelValue, qualifiedName, type Rule } from '../kube/validation/names.ts';

export type LabNode = {
  readonly name: string;
  readonly capacity: Readonly<Record<string, Quantity>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
};

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
/** What a node has of its own; everything else has a domain: nvidia.com/gpu. */
const RESOURCES = ['cpu', 'memory', 'pods', 'ephemeral-storage'];

function refuse(node: string, why: string): never {
  throw new PodwrightError('InvalidInput', `--nodes: ${JSON.stringify(node)}: ${why}`);
}

/** Two parts around the first occurrence; the second is undefined where there is none. */
function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function check(node: string, rule: Rule, value: string): void {
  const [problem] = rule(value);
  if (problem !== undefined) refuse(node, `${JSON.stringify(value)}: ${problem}`);
}

function amountOf(node: string, resource: string, text: string | undefined): string {
  const amount = text === undefined ? undefined : canonicalQuantity(text);
  if (amount !== undefined && !amount.startsWith('-')) return amount;
  return refuse(node, `${resource}=${text ?? ''}: want an amount such as 2, 500m or 1250Mi`);
}

function labelOf(node: string, text: string): readonly [string, string] {
  const [key, value = ''] = cut(text, '=');
  check(node, qualifiedName, key);
  check(node, labelValue, value);
  return [key, value];
}

function taintOf(node: string, text: string): Taint {
  const at = text.lastIndexOf(':');
  const effect = text.slice(at + 1);
  if (at < 0 || !EFFECTS.includes(effect))
    return refuse(node, `taint:${text}: want taint:KEY[=VALUE]:${EFFECTS.join('|')}`);
  const [key, value] = cut(text.slice(0, at), '=');
  labelOf(node, text.slice(0, at));
  return { key, effect, ...(value === undefined ? {} : { value }) };
}

function resourceOf(node: string, word: string): readonly [string, string] {
  const [resource, amount] = cut(word, '=');
  if (!RESOURCES.includes(resource)) {
    if (!resource.includes('/'))
      refuse(node, `${word}: want ${RESOURCES.join(', ')}, DOMAIN/NAME, label:KEY=VALUE or taint:KEY:EFFECT`);
    check(node, qualifiedName, resource);
  }
  return [resource, amountOf(node, resource, amount)];
}

function parseNode(text: string): LabNode {
  const [first = '', ...words] = text.split(/\s+/);
  const [name, memory] = cut(first, '=');
  check(text, dnsLabel, name);
  const given = (prefix: string): readonly string[] =>
    words.filter((word) => word.startsWith(prefix)).map((word) => word.slice(prefix.length));
  const resources = words.filter((word) => !/^(label|taint):/.test(word));
  return {
    name,
    capacity: {
      ...(memory === undefined ? {} : { memory: amountOf(text, 'memory', memory) }),
      ...Object.fromEntries(resources.map((word) => resourceOf(text, word))),
    },
    labels: Object.fromEntries(given('label:').map((word) => labelOf(text, word))),
    taints: given('taint:').map((word) => taintOf(text, word)),
  };
}

/** Throws InvalidInput, which names the node and the word. */
export function parseLabNodes(text: string): readonly LabNode[] {
  const nodes = text.split(',').map((one) => parseNode(one.trim()));
  const seen = new Set<string>();
  for (const { name } of nodes) {
    if (seen.has(name)) refuse(name, 'two nodes have this name');
    seen.add(name);
  }
  return nodes;
}
