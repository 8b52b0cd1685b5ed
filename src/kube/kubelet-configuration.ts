// What can be set about how the node is kept in order: names, meaning and defaults are those of Kubernetes'
// KubeletConfiguration (https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/). One table makes the flags
// of `podwright serve`, their help, and the values.
import { PodwrightError } from '../base/errors.ts';
import { parseDurationMs } from './age.ts';
import { parseGracePeriods, parseThresholds, SIGNALS, type Threshold } from './eviction-thresholds.ts';
import { isQuantity, quantityValue } from './quantity.ts';
import { parseSysctls } from './sysctls.ts';

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

const duration = (text: string, what: string): Setting<number> => ({
  text,
  what,
  parse: parseDurationMs,
  want: 'a duration like 90s, 2m or 1h30m',
});

const percent = (text: string, what: string): Setting<number> => ({
  text,
  what,
  parse: (given) => (/^\d{1,3}$/.test(given) && Number(given) <= 100 ? Number(given) : undefined),
  want: 'a whole number from 0 to 100',
});

const thresholds = (text: string, what: string): Setting<readonly Threshold[]> => ({
  text,
  what,
  parse: parseThresholds,
  want: `a list like memory.available<100Mi,nodefs.available<10%, of ${Object.keys(SIGNALS).join(', ')}`,
});

const HARD = [
  'memory.available<100Mi',
  'nodefs.available<10%',
  'nodefs.inodesFree<5%',
  'imagefs.available<15%',
  'imagefs.inodesFree<5%',
];

const SETTINGS = {
  containerLogMaxSize: bytes('10Mi', 'size from which a container log is put aside'),
  containerLogMaxFiles: count('5', 'files of one container log', 2),
  imageGcHighThresholdPercent: percent('85', 'how full the disk is when unused images go'),
  imageGcLowThresholdPercent: percent('80', 'how full it is when no more of them go'),
  imageMinimumGcAge: duration('2m', 'how long an image stays at least'),
  imageMaximumGcAge: duration('0s', 'how long an unused image stays at most; 0s: for ever'),
  evictionHard: thresholds(HARD.join(','), 'what must be left of memory, disk and process ids'),
  evictionSoft: thresholds('', 'what must be left but for a while'),
  evictionSoftGracePeriod: {
    text: '',
    what: 'how long each of evictionSoft may be missed, as memory.available=90s',
    parse: parseGracePeriods,
    want: 'a list like memory.available=90s',
  },
  evictionMaxPodGracePeriod: duration('0s', 'longest grace of a pod evicted for evictionSoft'),
  allowedUnsafeSysctls: {
    text: '',
    what: 'sysctls pods may set beside the safe ones, as kernel.msg*,net.core.somaxconn',
    parse: parseSysctls,
    want: 'a list like kernel.msg*,net.core.somaxconn, of what is the pod’s own',
  },
  evictionPressureTransitionPeriod: duration(
    '5m',
    'how long a node condition stays after its cause has gone',
  ),
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
  const configuration = Object.fromEntries(values) as KubeletConfiguration;
  evictionThresholds(configuration);
  if (configuration.imageGcLowThresholdPercent > configuration.imageGcHighThresholdPercent) {
    const why = 'the low threshold of image garbage collection is above the high one';
    throw new PodwrightError('InvalidInput', `--image-gc-low-threshold-percent: ${why}`);
  }
  return configuration;
}

/** Hard and soft ones. Throws InvalidInput where a soft one has no grace period. */
export function evictionThresholds(
  configuration: Pick<KubeletConfiguration, 'evictionHard' | 'evictionSoft' | 'evictionSoftGracePeriod'>,
): readonly Threshold[] {
  const { evictionHard, evictionSoft, evictionSoftGracePeriod } = configuration;
  const soft = evictionSoft.map((threshold): Threshold => {
    const graceMs = evictionSoftGracePeriod.get(threshold.signal);
    if (graceMs !== undefined) return { ...threshold, graceMs };
    throw new PodwrightError(
      'InvalidInput',
      `--eviction-soft: grace period must be specified for the soft eviction threshold ${threshold.signal}`,
    );
  });
  return [...evictionHard, ...soft];
}

export function settingValue(name: SettingName, given: string | undefined): unknown {
  const { parse, text, want } = SETTINGS[name];
  const value = parse(given ?? text);
  if (value !== undefined) return value;
  throw new PodwrightError('InvalidInput', `--${flagOf(name).flag} ${given}: want ${want}`);
}
