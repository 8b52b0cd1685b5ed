// Label and field selectors in their string form: "app=web,tier in (a,b),!old", "status.phase!=Failed".
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
import { PodwrightError } from '../base/errors.ts';

type Labels = { readonly [key: string]: string };
export type Selector = (values: Labels) => boolean;

const everything: Selector = () => true;

const KEY = '[^\\s=!,()<>]+';
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const COMPARISON = new RegExp(`^(${KEY})\\s*(==|!=|=|>|<)\\s*([^\\s=!,()<>]*)$`);
const EXISTENCE = new RegExp(`^(!?)\\s*(${KEY})$`);
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Splits at commas outside parentheses. */
function splitRequirements(text: string): string[] {
  return text.match(/(?:[^,(]|\([^)]*\)?)+/g)?.map((part) => part.trim()) ?? [];
}

function unparsable(text: string, why: string): PodwrightError {
  return new PodwrightError('BadRequest', `unable to parse requirement: ${JSON.stringify(text)}: ${why}`);
}

function labelValue(text: string): string {
  if (LABEL_VALUE.test(text)) return text;
  throw unparsable(text, 'a valid label must be an empty string or consist of alphanumeric characters');
}

function labelRequirement(text: string): Selector {
  const [, setKey, setOperator, list] = SET.exec(text) ?? [];
  if (setKey !== undefined && list !== undefined) {
    const wanted = new Set(list.split(',').map((value) => labelValue(value.trim())));
    if (setOperator === 'in') return (labels) => wanted.has(labels[setKey] ?? '\0');
    return (labels) => !wanted.has(labels[setKey] ?? '\0');
  }
  const [, key, operator, value] = COMPARISON.exec(text) ?? [];
  if (key !== undefined && value !== undefined) {
    const wanted = labelValue(value);
    if (operator === '!=') return (labels) => labels[key] !== wanted;
    if (operator === '=' || operator === '==') return (labels) => labels[key] === wanted;
    const bound = Number(wanted);
    if (wanted === '' || !Number.isInteger(bound))
      throw unparsable(text, 'for > and <, the value must be an integer');
    const isWithin = (own: number): boolean => (operator === '>' ? own > bound : own < bound);
    return (labels) => labels[key] !== undefined && isWithin(Number(labels[key]));
  }
  const [, not, existing] = EXISTENCE.exec(text) ?? [];
  if (existing === undefined) throw unparsable(text, 'found neither a key nor an operator');
  return (labels) => (labels[existing] === undefined) === (not === '!');
}

function all(selectors: readonly Selector[]): Selector {
  return (values) => selectors.every((selector) => selector(values));
}

/** @throws BadRequest */
export function parseLabelSelector(text: string | undefined): Selector {
  if (text === undefined || text.trim() === '') return everything;
  return all(splitRequirements(text).map(labelRequirement));
}

type FieldRequirement = { readonly field: string; readonly isEqual: boolean; readonly value: string };

/** @throws BadRequest */
function fieldRequirements(text: string): readonly FieldRequirement[] {
  const parts = text.split(/(?<!\\),/).filter((part) => part !== '');
  return parts.map((part) => {
    const [, field, operator, escaped] = /^([^=!]+)(==|!=|=)(.*)$/s.exec(part.trim()) ?? [];
    if (field === undefined || escaped === undefined) {
      throw new PodwrightError(
        'BadRequest',
        `invalid selector: ${JSON.stringify(text)}; can't understand ${JSON.stringify(part)}`,
      );
    }
    return { field, isEqual: operator !== '!=', value: escaped.replace(/\\([\\,=])/g, '$1') };
  });
}

/** What everything that is selected has in that field; undefined: the selector does not say. @throws BadRequest */
export function requiredValue(text: string | undefined, field: string): string | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  return fieldRequirements(text).find((one) => one.field === field && one.isEqual)?.value;
}

/**
 * @param selectable the fields the kind offers, beside metadata.name and metadata.namespace.
 * @throws BadRequest for a syntax error or a field that is not selectable.
 */
export function parseFieldSelector(text: string | undefined, selectable: readonly string[]): Selector {
  if (text === undefined || text.trim() === '') return everything;
  return all(
    fieldRequirements(text).map(({ field, isEqual, value }) => {
      if (!selectable.includes(field)) {
        throw new PodwrightError('BadRequest', `field label not supported: ${field}`);
      }
      return (values) => ((values[field] ?? '') === value) === isEqual;
    }),
  );
}
