// Pod Security levels of a namespace, as its labels say them, and what a pod breaks of one.
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
import type { Namespace } from '../api-types.ts';
import { type FieldError, invalid } from '../field-error.ts';
import { BASELINE } from './baseline.ts';
import type { Check, CheckedPod } from './check.ts';
import { RESTRICTED } from './restricted.ts';

const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
type Level = (typeof LEVELS)[number];
const MODES = ['enforce', 'audit', 'warn'] as const;
export type Mode = (typeof MODES)[number];
export type LevelVersion = { readonly level: Level; readonly version: string };

/** The newest rules there are, and those every version is checked by. */
const NEWEST_MINOR = 36;
const PREFIX = 'pod-security.kubernetes.io/';

/** Restricted has stricter rules in place of three of the baseline's. */
const { capabilities: _, hostPathVolumes: __, seccompProfile: ___, ...otherBaseline } = BASELINE;
const CHECKS: Readonly<Record<Level, readonly Check[]>> = {
  privileged: [],
  baseline: Object.values(BASELINE),
  restricted: [...Object.values(otherBaseline), ...Object.values(RESTRICTED)],
};

const isLevel = (text: string): text is Level => (LEVELS as readonly string[]).includes(text);
const minorOf = (version: string): number | undefined => {
  const minor = /^v1\.(0|[1-9]\d{0,3})$/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
};

/** What the namespace says for a mode; nothing said is privileged, what does not parse is restricted. */
export function policyOf(namespace: Namespace | undefined, mode: Mode): LevelVersion {
  const labels = namespace?.metadata?.labels ?? {};
  const level = labels[`${PREFIX}${mode}`] ?? 'privileged';
  return {
    level: isLevel(level) ? level : 'restricted',
    version: labels[`${PREFIX}${mode}-version`] ?? 'latest',
  };
}

export const policyText = ({ level, version }: LevelVersion): string => `${level}:${version}`;

export type Violations = { readonly reasons: readonly string[]; readonly details: readonly string[] };

/** `details` are the reasons with what exactly it is about. */
export function violationsOf(pod: CheckedPod, { level }: LevelVersion): Violations {
  const found = CHECKS[level].flatMap((check) => check(pod) ?? []);
  return {
    reasons: found.map(({ reason }) => reason),
    details: found.map(({ reason, detail }) => `${reason} (${detail})`),
  };
}

/** Labels that say no level or version. */
export function validatePolicyLabels({ metadata }: Namespace): FieldError[] {
  return MODES.flatMap((mode) => {
    const at = (label: string): string => `metadata.labels[${label}]`;
    const [ofLevel, ofVersion] = [`${PREFIX}${mode}`, `${PREFIX}${mode}-version`];
    const { [ofLevel]: level, [ofVersion]: version } = metadata?.labels ?? {};
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [invalid(at(ofLevel), level, `must be one of ${LEVELS.join(', ')}`)]),
      ...(version === undefined || version === 'latest' || minorOf(version) !== undefined
        ? []
        : [invalid(at(ofVersion), version, 'must be "latest" or "v1.x"')]),
    ];
  });
}

/** An older version's rules were fewer: nobody is to believe that they are what is checked. */
export function policyWarnings({ metadata }: Namespace): readonly string[] {
  return MODES.flatMap((mode) => {
    const label = `${PREFIX}${mode}-version`;
    const minor = minorOf(metadata?.labels?.[label] ?? 'latest');
    return minor === undefined || minor === NEWEST_MINOR
      ? []
      : [`metadata.labels[${label}]: Podwright checks every version by the rules of v1.${NEWEST_MINOR}`];
  });
}
