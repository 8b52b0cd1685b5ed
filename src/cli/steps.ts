// A pod coming up, as a list of steps told by its status alone: scheduled, images, infra container, network, each
// container, ready. Pure: what to print is the difference between the steps of two successive states of the pod.
import type { Container, ContainerStatus, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';

export type Step = {
  /** "scheduled", "image", "infra container", "network", "init container copy-war", "container web", "pod". */
  readonly name: string;
  readonly state: 'waiting' | 'doing' | 'done' | 'failed';
  readonly detail: string;
};

const PULL_FAILURES: readonly string[] = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
];
/** Waiting reasons of a container whose turn has not come. */
const NOT_YET: readonly string[] = ['ContainerCreating', 'PodInitializing'];

const conditionOf = (pod: Pod, type: string) =>
  pod.status?.conditions?.find((condition) => condition.type === type);

/** The kubelet repeats "back-off" in the message of its second reason; either is one line. */
const reasonText = (reason: string, message: string | undefined): string =>
  message ? `${reason}: ${message.replaceAll(/\s+/g, ' ')}` : reason;

function scheduledStep(pod: Pod): Step {
  const condition = conditionOf(pod, 'PodScheduled');
  const name = 'scheduled';
  if (condition?.status === 'True' || pod.spec?.nodeName)
    return { name, state: 'done', detail: `on ${pod.spec?.nodeName ?? ''}` };
  if (condition?.reason === undefined) return { name, state: 'waiting', detail: '' };
  return { name, state: 'failed', detail: reasonText(condition.reason, condition.message) };
}

function imageStep(image: string, statuses: readonly ContainerStatus[]): Step {
  const name = `image ${image}`;
  if (statuses.some(({ imageID, state }) => imageID !== '' || state?.running || state?.terminated)) {
    return { name, state: 'done', detail: 'present' };
  }
  const failure = statuses
    .map(({ state }) => state?.waiting)
    .find((waiting) => PULL_FAILURES.includes(waiting?.reason ?? ''));
  if (failure?.reason === undefined) return { name, state: 'waiting', detail: '' };
  return { name, state: 'failed', detail: reasonText(failure.reason, failure.message) };
}

function sandboxSteps(pod: Pod): Step[] {
  const isReady = conditionOf(pod, 'PodReadyToStartContainers')?.status === 'True';
  const ip = pod.status?.podIP;
  const network = pod.spec?.hostNetwork === true ? "the node's own" : (ip ?? '');
  return [
    { name: 'infra container', state: isReady ? 'done' : 'waiting', detail: isReady ? 'running' : '' },
    { name: 'network', state: isReady && ip !== undefined ? 'done' : 'waiting', detail: network },
  ];
}

/** "running", "running, restarted 2 times". */
function withRestarts(text: string, { restartCount }: ContainerStatus): string {
  if (restartCount === 0) return text;
  return `${text}, restarted ${restartCount === 1 ? 'once' : `${restartCount} times`}`;
}

function runningStep(name: string, container: Container, status: ContainerStatus): Step {
  const done = (text: string): Step => ({ name, state: 'done', detail: withRestarts(text, status) });
  const doing = (text: string): Step => ({ name, state: 'doing', detail: withRestarts(text, status) });
  if (status.ready) return done('ready');
  if (container.startupProbe !== undefined && status.started !== true) return doing('starting');
  return container.readinessProbe === undefined ? doing('running') : doing('running, not ready');
}

function containerStep(name: string, container: Container, status: ContainerStatus | undefined): Step {
  const { waiting, running, terminated } = status?.state ?? {};
  if (status !== undefined && running !== undefined) return runningStep(name, container, status);
  if (status !== undefined && terminated !== undefined) {
    const { exitCode, reason = 'Error', message } = terminated;
    if (exitCode === 0) return { name, state: 'done', detail: withRestarts('completed', status) };
    return {
      name,
      state: 'failed',
      detail: withRestarts(reasonText(`exit code ${exitCode} (${reason})`, message), status),
    };
  }
  const reason = waiting?.reason ?? '';
  if (reason === '' || NOT_YET.includes(reason) || PULL_FAILURES.includes(reason))
    return { name, state: 'waiting', detail: '' };
  return { name, state: 'failed', detail: reasonText(reason, waiting?.message) };
}

function podStep(pod: Pod): Step {
  const name = 'pod';
  const { phase = 'Pending', reason, message, podIP } = pod.status ?? {};
  if (phase === 'Failed') return { name, state: 'failed', detail: reasonText(reason ?? 'Failed', message) };
  if (phase === 'Succeeded') return { name, state: 'done', detail: 'completed' };
  if (pod.metadata?.deletionTimestamp !== undefined) return { name, state: 'doing', detail: 'terminating' };
  if (conditionOf(pod, 'Ready')?.status !== 'True') return { name, state: 'waiting', detail: '' };
  return { name, state: 'done', detail: podIP === undefined ? 'ready' : `ready at ${podIP}` };
}

/** What was asked to end is no failure, whatever it ended with. */
function asStopped(step: Step): Step {
  if (step.state !== 'failed') return step;
  return { ...step, state: 'done', detail: step.name === 'pod' ? 'stopped' : `stopped, ${step.detail}` };
}

/** In the order they usually happen. */
export function stepsOf(pod: Pod): readonly Step[] {
  const steps = allSteps(pod);
  return pod.metadata?.deletionTimestamp === undefined ? steps : steps.map(asStopped);
}

function allSteps(pod: Pod): readonly Step[] {
  const inits = pod.spec?.initContainers ?? [];
  const apps = pod.spec?.containers ?? [];
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const statusOf = (container: Container) => statuses.find(({ name }) => name === container.name);
  const images = Map.groupBy([...inits, ...apps], ({ image }) => image ?? '');
  return [
    scheduledStep(pod),
    ...[...images].map(([image, users]) =>
      imageStep(
        image,
        users.flatMap((one) => statusOf(one) ?? []),
      ),
    ),
    ...sandboxSteps(pod),
    ...inits.map((one) =>
      containerStep(`${isSidecar(one) ? 'sidecar' : 'init container'} ${one.name}`, one, statusOf(one)),
    ),
    ...apps.map((one) => containerStep(`container ${one.name}`, one, statusOf(one))),
    podStep(pod),
  ];
}

/** Steps that say something new since `before`; a step that fell back to waiting says nothing. */
export function newSteps(before: readonly Step[], after: readonly Step[]): readonly Step[] {
  const told = new Map(before.map((step) => [step.name, step]));
  return after.filter((step) => {
    const old = told.get(step.name);
    return step.state !== 'waiting' && (old?.state !== step.state || old.detail !== step.detail);
  });
}

export type Outcome =
  | { readonly kind: 'pending'; readonly reason: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'succeeded' }
  /** The container that failed first decides the exit code. */
  | { readonly kind: 'failed'; readonly reason: string; readonly exitCode: number };

function failureOf(pod: Pod): { readonly reason: string; readonly exitCode: number } {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const [first] = statuses
    .flatMap(({ name, state }) =>
      state?.terminated !== undefined && state.terminated.exitCode !== 0
        ? [{ name, ...state.terminated }]
        : [],
    )
    .sort((a, b) => (a.finishedAt ?? '').localeCompare(b.finishedAt ?? ''));
  const podReason = pod.status?.reason;
  if (podReason !== undefined)
    return { reason: reasonText(podReason, pod.status?.message), exitCode: first?.exitCode ?? 1 };
  if (first === undefined) return { reason: 'Failed', exitCode: 1 };
  return {
    reason: `container ${first.name}: exit code ${first.exitCode} (${first.reason ?? 'Error'})`,
    exitCode: first.exitCode,
  };
}

/** Whether a pod has come as far as it will: Ready and the terminal phases end the waiting of `up --detach`. */
export function outcomeOf(pod: Pod): Outcome {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded') return { kind: 'succeeded' };
  if (phase === 'Failed') return { kind: 'failed', ...failureOf(pod) };
  // A status that was written for an older spec says nothing about this one.
  const isStale =
    (pod.status?.observedGeneration ?? Number.POSITIVE_INFINITY) < (pod.metadata?.generation ?? 0);
  if (isStale) return { kind: 'pending', reason: 'the node has not seen the newest change yet' };
  if (conditionOf(pod, 'Ready')?.status === 'True') return { kind: 'ready' };
  const steps = stepsOf(pod);
  const telling =
    steps.find(({ state }) => state === 'failed') ??
    steps.find(({ name, state }) => state === 'doing' && name !== 'pod');
  const open = steps.find(({ state }) => state === 'waiting');
  return {
    kind: 'pending',
    reason:
      telling !== undefined
        ? `${telling.name}: ${telling.detail}`
        : `waiting for: ${open?.name ?? 'the pod to be ready'}`,
  };
}
