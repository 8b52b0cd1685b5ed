// The ConfigMaps, Secrets and claims a pod refers to, as data: which ones (pure), and the ones that were found. Who fetches and
// follows them is source-cache.ts.

import { PodwrightError } from '../base/errors.ts';
import type {
  ConfigMap,
  Container,
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
  ServiceAccountTokenProjection,
} from '../kube/api-types.ts';
import { claimNameOf, isBound } from '../kube/storage.ts';
import { everyContainer } from './container-instances.ts';

export type SourceRef = {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'CSIDriver' | 'RuntimeClass';
  readonly name: string;
};

/** What was found in the pod's namespace; undefined: it does not exist. */
export type Sources = {
  readonly namespace: string;
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  claim(name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  driver(name: string): CSIDriver | undefined;
  runtimeClass(name: string): RuntimeClass | undefined;
  /** A token of the pod's ServiceAccount. */
  token(pod: Pod, projection: ServiceAccountTokenProjection): string | undefined;
};

/** Every object the pod's containers, volumes and pulls refer to, each once. */
export function sourceRefs(pod: Pod): readonly SourceRef[] {
  const refs = [
    ...everyContainer(pod).flatMap(refsOfEnv),
    ...(pod.spec?.volumes ?? []).flatMap((volume) => [
      ref('ConfigMap', volume.configMap?.name),
      ref('Secret', volume.secret?.secretName),
      ref('PersistentVolumeClaim', claimNameOf(pod, volume)),
      ref('CSIDriver', volume.csi?.driver),
      ref('Secret', volume.csi?.nodePublishSecretRef?.name),
      ...(volume.projected?.sources ?? []).flatMap((source) => [
        ref('ConfigMap', source.configMap?.name),
        ref('Secret', source.secret?.name),
      ]),
    ]),
    ref('RuntimeClass', pod.spec?.runtimeClassName),
    ...(pod.spec?.imagePullSecrets ?? []).map(({ name }) => ref('Secret', name)),
  ].flat();
  return [...new Map(refs.map((one) => [`${one.kind}/${one.name}`, one])).values()];
}

function refsOfEnv(container: Container): readonly SourceRef[] {
  return [
    ...(container.env ?? []).flatMap(({ valueFrom }) => [
      ref('ConfigMap', valueFrom?.configMapKeyRef?.name),
      ref('Secret', valueFrom?.secretKeyRef?.name),
    ]),
    ...(container.envFrom ?? []).flatMap(({ configMapRef, secretRef }) => [
      ref('ConfigMap', configMapRef?.name),
      ref('Secret', secretRef?.name),
    ]),
  ].flat();
}

function ref(kind: SourceRef['kind'], name: string | undefined): readonly SourceRef[] {
  return name === undefined || name === '' ? [] : [{ kind, name }];
}

/** Throws ConfigFailed in the kubelet's words, unless it is optional: then undefined. */
export function requireConfigMap(
  sources: Sources,
  name: string,
  optional: boolean | undefined,
): ConfigMap | undefined {
  const found = sources.configMap(name);
  if (found === undefined && optional !== true) throw configFailed(`configmap "${name}" not found`);
  return found;
}

export function requireSecret(
  sources: Sources,
  name: string,
  optional: boolean | undefined,
): Secret | undefined {
  const found = sources.secret(name);
  if (found === undefined && optional !== true) throw configFailed(`secret "${name}" not found`);
  return found;
}

/** The claim, once it has its volume. Throws ConfigFailed in the kubelet's words. */
export function requireBound(sources: Sources, name: string): PersistentVolumeClaim {
  const claim = sources.claim(name);
  if (claim === undefined) throw configFailed(`persistentvolumeclaim "${name}" not found`);
  if (isBound(claim)) return claim;
  throw configFailed(`error processing PVC ${sources.namespace}/${name}: PVC is not bound`);
}

export function configFailed(message: string): PodwrightError {
  return new PodwrightError('ConfigFailed', message);
}

/** Text and binary entries of a ConfigMap, as bytes. */
export function configMapEntries(configMap: ConfigMap): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ...Object.entries(configMap.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
    ...Object.entries(configMap.binaryData ?? {}).map(
      ([key, text]) => [key, Buffer.from(text, 'base64')] as const,
    ),
  ]);
}

export function secretEntries(secret: Secret): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(secret.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]));
}
