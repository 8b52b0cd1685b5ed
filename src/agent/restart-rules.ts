// Whether an ended container is run again: policies, container restart rules (KEP-5307) and the restart of all containers
// in place (KEP-5532). Pure. A round of the pod's
// containers ends when one exits as a RestartAllContainers rule says: what was created before belongs to the former round,
// is killed without hooks or grace, and everything is run anew from the init containers on, in the same sandbox.
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import {
  allContainers,
  type Exited,
  initContainers,
  isDefinitionChanged,
  isExited,
  isOfFormerRound,
  isRunning,
} from './container-instances.ts';
import type { Observed, Round } from './observed.ts';
import { resizeOf } from './resize.ts';

type Rule = NonNullable<Container['restartPolicyRules']>[number];

/** The first rule that fits how it ended: Restart or RestartAllContainers. */
export function restartActionOf(container: Container, exitCode: number): string | undefined {
  return container.restartPolicyRules?.find((rule) => matches(rule, exitCode))?.action;
}

function matches({ exitCodes }: Rule, exitCode: number): boolean {
  if (exitCodes === undefined) return false;
  const isListed = (exitCodes.values ?? []).includes(exitCode);
  return exitCodes.operator === 'NotIn' ? !isListed : isListed;
}

/** KEP-753: sidecars always; init containers never after success. A container's own rules and policy win (KEP-5307). */
export function shouldRestart(pod: Pod, container: Container, instance: Exited): boolean {
  // The agent stopped it to put the changed definition in its place: no policy is asked.
  const isReplaced = isDefinitionChanged(container, instance) || resizeOf(container, instance) === 'restart';
  if (instance.stopSignalledAtMs !== undefined && isReplaced) return true;
  if (restartActionOf(container, instance.state.exitCode) !== undefined) return true;
  const isInit = initContainers(pod).includes(container);
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  if (policy === 'Always' && (!isInit || isSidecar(container))) return true;
  return instance.state.exitCode !== 0;
}

/** The newest round that an exit began; undefined: the first goes on. */
export function roundOf(pod: Pod, observed: Observed): Round | undefined {
  const names = new Set(allContainers(pod).map(({ name }) => name));
  const triggers = observed.containers.filter(isExited).flatMap((instance): Round[] => {
    const container = allContainers(pod).find(({ name }) => name === instance.name);
    const { exitCode, finishedAtMs } = instance.state;
    const action = container === undefined ? undefined : restartActionOf(container, exitCode);
    return action === 'RestartAllContainers'
      ? [{ beganAtMs: finishedAtMs, trigger: instance, exitCode, names }]
      : [];
  });
  return triggers.sort((a, b) => b.beganAtMs - a.beganAtMs)[0];
}

/** While it is true nothing of the new round starts. */
export function isRoundEnding(observed: Observed): boolean {
  return observed.containers.some((one) => isRunning(one) && isOfFormerRound(one, observed));
}
