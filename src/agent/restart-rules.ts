// Container restart rules (KEP-5307) and the restart of all containers in place (KEP-5532). Pure. A round of the pod's
// containers ends when one exits as a RestartAllContainers rule says: what was created before belongs to the former round,
// is killed without hooks or grace, and everything is run anew from the init containers on, in the same sandbox.
import type { Container, Pod } from '../kube/api-types.ts';
import { allContainers, type Instance, isExited, isRunning } from './container-instances.ts';
import type { Observed } from './observed.ts';

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

export type Round = {
  readonly beganAtMs: number;
  /** The instance whose exit began it. */
  readonly trigger: Instance;
  readonly exitCode: number;
  /** Of the containers that restart: all but ephemeral ones. */
  readonly names: ReadonlySet<string>;
};

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

export function isOfFormerRound(instance: Instance, { round }: Pick<Observed, 'round'>): boolean {
  return round?.names.has(instance.name) === true && instance.createdAtMs < round.beganAtMs;
}

/** While it is true nothing of the new round starts. */
export function isRoundEnding(observed: Observed): boolean {
  return observed.containers.some((one) => isRunning(one) && isOfFormerRound(one, observed));
}
