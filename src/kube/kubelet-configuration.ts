// What can be set about how the node is kept in order: names, meaning and defaults are those of Kubernetes'
// KubeletConfiguration (https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/). One table makes the flags
// of `podwright serve`, their help, and the values.
import { PodwrightError } from '../base/errors.ts';
import { isQuantity, quantityValue } from './quantity.ts';

type Setting<Value> = {
  readonly text: string;
  readonly what: string;
  /** Undefined: it does not parse. */
  readonly parse: (text: string) => Value | undefined;
  /** What would have parsed. */
  readonly want: string;
};

const bytes = (text: string, what: string): Setting<number> => ({
  text,
  what,
  parse: (given) => (isQuantity(given) ? quantityValue(given) : undefined),
  want: 'a quantity like 10Mi',
});

const count = (text: string, what: string, least: number): Setting<number> => ({
  text,
  what,
  parse: (given) => (/^\d{1,9}$/.test(given) && Number(given) >= least ? Number(given) : undefined),
  want: `a whole number from ${least} up`,
});

const SETTINGS = {
  containerLogMaxSize: bytes('10Mi', 'size from which a container log is put aside'),
  containerLogMaxFiles: count('5', 'files of one container log', 2),
};

export type SettingName = keyof typeof SETTINGS;
export type KubeletSettings = { readonly [Name in SettingName]?: string | undefined };
export type KubeletConfiguration = {
  readonly [Name in SettingName]: NonNullable<ReturnType<(typeof SETTINGS)[Name]['parse']>>;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** "containerLogMaxSize" is --container-log-max-size. */
export function flagOf(name: SettingName): {
  readonly flag: string;
  readonly what: string;
  readonly text: string;
} {
  const { what, text } = SETTINGS[name];
  return { flag: name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), what, text };
}

/** Throws InvalidInput, naming the setting and what it wants. */
export function kubeletConfiguration(settings: KubeletSettings): KubeletConfiguration {
  const values = SETTING_NAMES.map((name) => [name, settingValue(name, settings[name])]);
  return Object.fromEntries(values) as KubeletConfiguration;
}

export function settingValue(name: SettingName, given: string | undefined): unknown {
  const { parse, text, want } = SETTINGS[name];
  const value = parse(given ?? text);
  if (value !== undefined) return value;
  throw new PodwrightError('InvalidInput', `--${flagOf(name).flag} ${given}: want ${want}`);
}
