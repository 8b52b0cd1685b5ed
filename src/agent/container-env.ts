// A container's environment: the service's variables, envFrom over them, then env, each value able to use those before it.
// Pure. Errors are ConfigFailed in the kubelet's words; they become CreateContainerConfigError.
import type { Container, EnvVar, EnvVarSource, Pod } from '../kube/api-types.ts';
import { fieldValue, type NodeFacts, resourceFieldValue } from './downward.ts';
import { expand } from './expansion.ts';
import { type Endpoint, serviceEnv } from './service-env.ts';
import { configFailed, requireConfigMap, requireSecret, type Sources } from './sources.ts';

export type EnvContext = {
  readonly pod: Pod;
  readonly sources: Sources;
  readonly facts: NodeFacts;
  /** Where this pod reaches the API. */
  readonly api?: Endpoint | undefined;
};

/** By name, in the order of first appearance. */
export function containerEnv(container: Container, context: EnvContext): ReadonlyMap<string, string> {
  const env = new Map<string, string>(context.api === undefined ? [] : serviceEnv(context.api));
  for (const [name, value] of entriesFrom(container, context.sources)) env.set(name, value);
  for (const variable of container.env ?? []) {
    const value = envValue(variable, container, { ...context, env });
    if (value !== undefined) env.set(variable.name, value);
  }
  return env;
}

function entriesFrom(container: Container, sources: Sources): readonly (readonly [string, string])[] {
  return (container.envFrom ?? []).flatMap(({ prefix = '', configMapRef, secretRef }) => {
    const plain =
      configMapRef?.name === undefined
        ? undefined
        : requireConfigMap(sources, configMapRef.name, configMapRef.optional)?.data;
    const secret =
      secretRef?.name === undefined
        ? undefined
        : requireSecret(sources, secretRef.name, secretRef.optional)?.data;
    return [
      ...Object.entries(plain ?? {}),
      ...Object.entries(secret ?? {}).map(([key, value]) => [key, decode(value)] as const),
    ].map(([key, value]) => [prefix + key, value] as const);
  });
}

/** Undefined: an optional source that is not there; the variable is left out. */
function envValue(
  variable: EnvVar,
  container: Container,
  context: EnvContext & { readonly env: ReadonlyMap<string, string> },
): string | undefined {
  if (variable.valueFrom === undefined) return expand(variable.value ?? '', context.env);
  return valueFrom(variable.valueFrom, container, context);
}

function valueFrom(
  source: EnvVarSource,
  container: Container,
  { pod, sources, facts }: EnvContext,
): string | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = source;
  if (fieldRef !== undefined) return fieldValue(pod, fieldRef.fieldPath, facts);
  if (resourceFieldRef !== undefined)
    return resourceFieldValue(pod, resourceFieldRef, { own: container, facts });
  if (configMapKeyRef !== undefined) {
    const { name = '', key, optional } = configMapKeyRef;
    const found = requireConfigMap(sources, name, optional);
    if (found === undefined) return undefined;
    return keyOf(found.data, { key, optional, what: `ConfigMap ${sources.namespace}/${name}` });
  }
  if (secretKeyRef !== undefined) {
    const { name = '', key, optional } = secretKeyRef;
    const found = requireSecret(sources, name, optional);
    if (found === undefined) return undefined;
    const value = keyOf(found.data, { key, optional, what: `Secret ${sources.namespace}/${name}` });
    return value === undefined ? undefined : decode(value);
  }
  throw configFailed(
    'environment variable source is not supported: only fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef are',
  );
}

function keyOf(
  data: { readonly [key: string]: string } | undefined,
  {
    key,
    optional,
    what,
  }: { readonly key: string; readonly optional: boolean | undefined; readonly what: string },
): string | undefined {
  const value = data?.[key];
  if (value === undefined && optional !== true) throw configFailed(`couldn't find key ${key} in ${what}`);
  return value;
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
