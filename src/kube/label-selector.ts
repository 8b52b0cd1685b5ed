// meta/v1 LabelSelector, the structured form that affinity and topology spread use (selectors.ts has the string form).
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
import type { LabelSelector, LabelSelectorRequirement } from './api-types.ts';
import type { Selector } from './selectors.ts';

function requirement({ key, operator, values = [] }: LabelSelectorRequirement): Selector {
  switch (operator) {
    case 'In':
      return (labels) => labels[key] !== undefined && values.includes(labels[key]);
    case 'NotIn':
      return (labels) => labels[key] === undefined || !values.includes(labels[key]);
    case 'Exists':
      return (labels) => labels[key] !== undefined;
    case 'DoesNotExist':
      return (labels) => labels[key] === undefined;
    default:
      // Validation refuses other operators; one that came through matches nothing.
      return () => false;
  }
}

function requirementText({ key, operator, values = [] }: LabelSelectorRequirement): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator.toLowerCase()} (${[...values].sort().join(',')})`;
}

/** The selector in its string form, "app=web,tier in (a,b)", by key. */
export function labelSelectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equals = Object.entries(matchLabels).map(([key, value]) => [key, `${key}=${value}`] as const);
  const others = matchExpressions.map((one) => [one.key, requirementText(one)] as const);
  return [...equals, ...others]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join(',');
}

/** An absent selector matches nothing, an empty one everything. */
export function labelSelectorMatcher(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return () => false;
  const equals = Object.entries(selector.matchLabels ?? {});
  const requirements = (selector.matchExpressions ?? []).map(requirement);
  return (labels) =>
    equals.every(([key, value]) => labels[key] === value) && requirements.every((one) => one(labels));
}
