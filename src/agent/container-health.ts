// What the probes and the postStart hook say of a running container. Pure. Their results are notes of this engine's life;
// where a new engine has none yet, what the API was told of the very same instance holds on: a restarted engine makes no
// container unready.
import type { Container, ContainerStatus, Pod } from '../kube/api-types.ts';
import { type Instance, isRunning, statusesOf } from './container-instances.ts';
import { hookKey, type Observed, probeKey } from './observed.ts';

/** The container's status in the API, if it tells of this very instance and that it runs. */
function toldOf(pod: Pod, instance: Instance): ContainerStatus | undefined {
  const told = statusesOf(pod.status).find((one) => one.name === instance.name);
  const isSame = told?.containerID?.replace(/^.*:\/\//, '') === instance.id;
  return isSame && told?.state?.running !== undefined ? told : undefined;
}

export type ContainerOf = { readonly pod: Pod; readonly container: Container };

/** A container is not Running before its postStart hook has succeeded. */
export function isPostStartDone(
  { pod, container }: ContainerOf,
  instance: Instance,
  observed: Observed,
): boolean {
  if (container.lifecycle?.postStart === undefined) return true;
  const hook = observed.notes.hooks.get(hookKey('postStart', instance.id));
  return hook === undefined ? toldOf(pod, instance) !== undefined : hook.result === 'succeeded';
}

/** status.started: it runs, its postStart hook is done, its startup probe has succeeded once. */
export function isStarted(of: ContainerOf, instance: Instance | undefined, observed: Observed): boolean {
  if (instance === undefined || !isRunning(instance)) return false;
  if (!isPostStartDone(of, instance, observed)) return false;
  if (of.container.startupProbe === undefined) return true;
  const verdict = observed.notes.probes.get(probeKey('startup', instance.id));
  return verdict === undefined ? toldOf(of.pod, instance)?.started === true : verdict === 'success';
}

export function isReady(of: ContainerOf, instance: Instance | undefined, observed: Observed): boolean {
  if (instance === undefined || !isStarted(of, instance, observed)) return false;
  if (of.container.readinessProbe === undefined) return true;
  const verdict = observed.notes.probes.get(probeKey('readiness', instance.id));
  return verdict === undefined ? toldOf(of.pod, instance)?.ready === true : verdict === 'success';
}
