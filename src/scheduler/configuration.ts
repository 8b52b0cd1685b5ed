// KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) to profiles: what of it matters here, and a refusal by name of
// everything else, so that nothing in it is ignored. https://kubernetes.io/docs/reference/scheduling/config/
import { PodwrightError } from '../base/errors.ts';
import { isJsonObject } from '../kube/decode.ts';
import { PLUGIN_NAMES, type PluginName } from './plugin-name.ts';
import { DEFAULT_SCHEDULER_NAME, type Profile, type ScoringStrategy } from './profile.ts';

const API_VERSION = 'kubescheduler.config.k8s.io/v1';
const KIND = 'KubeSchedulerConfiguration';
const STRATEGIES = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'] as const;
/** Extension points at which a plug-in may be turned off, or on with a weight. */
const POINTS = ['multiPoint', 'score'];

type Fields = { readonly [field: string]: unknown };

function refuse(path: string, why: string): never {
  throw new PodwrightError('InvalidInput', `scheduler configuration: ${path}: ${why}`);
}

/** An object with no other fields than these. */
function fieldsOf(value: unknown, path: string, known: readonly string[]): Fields {
  if (!isJsonObject(value)) return refuse(path, 'want an object');
  for (const field of Object.keys(value))
    if (!known.includes(field))
      refuse(`${path === '' ? '' : `${path}.`}${field}`, 'Podwright does not have this');
  return value;
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : refuse(path, 'want a list');
}

function textOf(value: unknown, path: string): string {
  return typeof value === 'string' && value !== '' ? value : refuse(path, 'want a text');
}

function numberOf(value: unknown, path: string, [least, most]: readonly [number, number]): number {
  const isWithin = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
  return isWithin ? value : refuse(path, `want a whole number, ${least} to ${most}`);
}

function pluginOf(value: unknown, path: string): PluginName {
  const found = PLUGIN_NAMES.find((name) => name === value);
  return found ?? refuse(path, `no plug-in ${JSON.stringify(value)}; there are ${PLUGIN_NAMES.join(', ')}`);
}

function namesOf(value: unknown, path: string): readonly PluginName[] {
  return listOf(value, path).flatMap((one, index) => {
    const at = `${path}[${index}]`;
    const { name } = fieldsOf(one, at, ['name']);
    return name === '*' ? PLUGIN_NAMES : [pluginOf(name, `${at}.name`)];
  });
}

function weightsOf(value: unknown, path: string): readonly (readonly [PluginName, number])[] {
  return listOf(value, path).map((one, index) => {
    const at = `${path}[${index}]`;
    const { name, weight = 1 } = fieldsOf(one, at, ['name', 'weight']);
    return [pluginOf(name, `${at}.name`), numberOf(weight, `${at}.weight`, [0, 100])];
  });
}

/** Turned off at multiPoint: not asked at all; at score: its weight is 0. */
function pluginsOf(value: unknown, path: string): Pick<Profile, 'disabled' | 'weights'> {
  if (value === undefined) return {};
  const points = fieldsOf(value, path, POINTS);
  const at = (point: string): Fields =>
    points[point] === undefined ? {} : fieldsOf(points[point], `${path}.${point}`, ['enabled', 'disabled']);
  const [everywhere, score] = [at('multiPoint'), at('score')];
  const weights = [
    ...namesOf(score.disabled, `${path}.score.disabled`).map((name) => [name, 0] as const),
    ...weightsOf(everywhere.enabled, `${path}.multiPoint.enabled`),
    ...weightsOf(score.enabled, `${path}.score.enabled`),
  ];
  const enabled = new Set(weightsOf(everywhere.enabled, `${path}.multiPoint.enabled`).map(([name]) => name));
  const disabled = namesOf(everywhere.disabled, `${path}.multiPoint.disabled`);
  return {
    weights: Object.fromEntries(weights) as Partial<Record<PluginName, number>>,
    disabled: disabled.filter((name) => !enabled.has(name)),
  };
}

function strategyOf(value: unknown, path: string): ScoringStrategy {
  const fields = fieldsOf(value, path, ['type', 'resources', 'requestedToCapacityRatio']);
  const type = STRATEGIES.find((one) => one === fields.type);
  if (type === undefined) return refuse(`${path}.type`, `want ${STRATEGIES.join(', ')}`);
  const defaults = [{ name: 'cpu' }, { name: 'memory' }];
  const resources = listOf(fields.resources ?? defaults, `${path}.resources`).map((one, index) => {
    const at = `${path}.resources[${index}]`;
    const { name, weight = 1 } = fieldsOf(one, at, ['name', 'weight']);
    return { name: textOf(name, `${at}.name`), weight: numberOf(weight, `${at}.weight`, [1, 100]) };
  });
  const ratio = fields.requestedToCapacityRatio;
  if (ratio === undefined) return { type, resources };
  const shapePath = `${path}.requestedToCapacityRatio`;
  const shape = listOf(fieldsOf(ratio, shapePath, ['shape']).shape, `${shapePath}.shape`).map(
    (one, index) => {
      const at = `${shapePath}.shape[${index}]`;
      const point = fieldsOf(one, at, ['utilization', 'score']);
      return {
        utilization: numberOf(point.utilization, `${at}.utilization`, [0, 100]),
        score: numberOf(point.score, `${at}.score`, [0, 10]),
      };
    },
  );
  return { type, resources, shape };
}

function argsOf(value: unknown, path: string): Pick<Profile, 'scoringStrategy' | 'hardPodAffinityWeight'> {
  const parts = listOf(value, path).map((one, index) => {
    const at = `${path}[${index}]`;
    const { name, args } = fieldsOf(one, at, ['name', 'args']);
    const typeMeta = ['apiVersion', 'kind'];
    if (name === 'NodeResourcesFit') {
      const { scoringStrategy } = fieldsOf(args, `${at}.args`, [...typeMeta, 'scoringStrategy']);
      return { scoringStrategy: strategyOf(scoringStrategy, `${at}.args.scoringStrategy`) };
    }
    if (name !== 'InterPodAffinity')
      return refuse(`${at}.name`, 'only NodeResourcesFit and InterPodAffinity take arguments');
    const { hardPodAffinityWeight } = fieldsOf(args, `${at}.args`, [...typeMeta, 'hardPodAffinityWeight']);
    return {
      hardPodAffinityWeight: numberOf(hardPodAffinityWeight, `${at}.args.hardPodAffinityWeight`, [0, 100]),
    };
  });
  return Object.assign({}, ...parts) as Pick<Profile, 'scoringStrategy' | 'hardPodAffinityWeight'>;
}

/** At least one profile, each with a name of its own. Throws InvalidInput, which names the field. */
export function profilesOf(configuration: unknown): readonly Profile[] {
  const { apiVersion, kind, profiles } = fieldsOf(configuration, '', ['apiVersion', 'kind', 'profiles']);
  if (apiVersion !== API_VERSION || kind !== KIND) refuse('apiVersion', `want ${KIND} of ${API_VERSION}`);
  const found = listOf(profiles, 'profiles').map((one, index): Profile => {
    const path = `profiles[${index}]`;
    const fields = fieldsOf(one, path, ['schedulerName', 'plugins', 'pluginConfig']);
    return {
      schedulerName: textOf(fields.schedulerName ?? DEFAULT_SCHEDULER_NAME, `${path}.schedulerName`),
      ...pluginsOf(fields.plugins, `${path}.plugins`),
      ...argsOf(fields.pluginConfig, `${path}.pluginConfig`),
    };
  });
  if (found.length === 0) refuse('profiles', 'want at least one');
  const names = found.map(({ schedulerName }) => schedulerName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? found : refuse('profiles', `${JSON.stringify(twice)} stands there twice`);
}
