// One container's spec, with everything it refers to resolved, as the machine needs it. Pure; throws ConfigFailed in
// the kubelet's words.
import { podUid } from '../base/brand.ts';
import type { Container, EphemeralContainer, Pod, VolumeMount } from '../kube/api-types.ts';
import type { ContainerConfig, ContainerMount } from '../machine/model/container.ts';
import type { PodIdentity } from '../machine/model/pod-identity.ts';
import { containerEnv } from './container-env.ts';
import type { NodeFacts } from './downward.ts';
import { expand } from './expansion.ts';
import { containerResources, oomScoreAdj } from './resource-config.ts';
import { containerSecurity } from './security-config.ts';
import type { Endpoint } from './service-env.ts';
import { configFailed, type Sources } from './sources.ts';

export type InstancePlan = {
  readonly attempt: number;
  readonly sandboxAttempt: number;
  readonly imageId: string;
  /** The image config's User. */
  readonly imageUser: string;
  readonly annotations: Readonly<Record<string, string>>;
};

export type ConfigContext = {
  readonly pod: Pod;
  readonly sources: Sources;
  readonly facts: NodeFacts;
  /** Where this pod reaches the API. */
  readonly api?: Endpoint | undefined;
  readonly instance: InstancePlan;
};

export function podIdentity(pod: Pod): PodIdentity {
  const { uid = '', namespace = 'default', name = '' } = pod.metadata ?? {};
  return { uid: podUid(uid), namespace, name };
}

export function containerConfig(container: Container, context: ConfigContext): ContainerConfig {
  const { pod, facts, instance } = context;
  const env = containerEnv(container, context);
  const expandAll = (words: readonly string[] | undefined): readonly string[] | undefined =>
    words === undefined || words.length === 0 ? undefined : words.map((word) => expand(word, env));
  return {
    pod: podIdentity(pod),
    sandboxAttempt: instance.sandboxAttempt,
    name: container.name,
    attempt: instance.attempt,
    image: container.image ?? '',
    imageId: instance.imageId,
    command: expandAll(container.command),
    args: expandAll(container.args),
    env: [...env].map(([name, value]) => ({ name, value })),
    workingDir: container.workingDir === '' ? undefined : container.workingDir,
    mounts: (container.volumeMounts ?? []).map((mount) => mountOf(mount, env)),
    resources: containerResources(container.resources),
    oomScoreAdj: oomScoreAdj(pod, container, facts.allocatable.memoryBytes),
    security: containerSecurity(pod, container, instance.imageUser),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
    terminationMessagePolicy:
      container.terminationMessagePolicy === 'FallbackToLogsOnError' ? 'FallbackToLogsOnError' : 'File',
    targetContainer: (container as EphemeralContainer).targetContainerName || undefined,
    runtimeHandler: runtimeHandlerOf(context),
    annotations: instance.annotations,
  };
}

/** The kubelet's LookupRuntimeHandler. */
function runtimeHandlerOf({ pod, sources }: ConfigContext): string | undefined {
  const name = pod.spec?.runtimeClassName;
  if (name === undefined || name === '') return undefined;
  const found = sources.runtimeClass(name);
  if (found === undefined) throw configFailed(`runtimeclass.node.k8s.io "${name}" not found`);
  return found.handler;
}

function mountOf(mount: VolumeMount, env: ReadonlyMap<string, string>): ContainerMount {
  const subPath = mount.subPathExpr === undefined ? mount.subPath : expandedSubPath(mount.subPathExpr, env);
  const { mountPropagation: propagation, recursiveReadOnly: recursive } = mount;
  return {
    containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
    source: { kind: 'volume', name: mount.name, subPath: subPath === '' ? undefined : subPath },
    readOnly: mount.readOnly ?? false,
    recursiveReadOnly: recursive === 'Enabled' || recursive === 'IfPossible' ? recursive : undefined,
    propagation: propagation === 'HostToContainer' || propagation === 'Bidirectional' ? propagation : 'None',
  };
}

/** Unlike elsewhere, a variable that is not known is an error: it would name another directory. */
function expandedSubPath(expression: string, env: ReadonlyMap<string, string>): string {
  const path = expand(expression, env);
  const missing = /\$\(([^)]*)\)/.exec(path);
  if (missing !== null) throw configFailed(`missing value for "${missing[1]}"`);
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw configFailed(`subPath "${path}" must stay within the volume`);
  return path;
}
