// Carries out one action of a plan on the machine or the API, and tells its story as Events in the kubelet's words.
// Errors are not handled here but by the pod's worker; problemOf() says how the kubelet would call them.

import { errorText, isPodwrightError } from '../base/errors.ts';
import { PODS } from '../client/resources.ts';
import type { Container, Pod } from '../kube/api-types.ts';
import type { Action } from './action.ts';
import type { ActionContext, Learned } from './action-context.ts';
import { containerConfig } from './container-config.ts';
import { everyContainer, newestSandbox } from './container-instances.ts';
import type { NodeFacts } from './downward.ts';
import { pullPolicyOf } from './image-puller.ts';
import { hookKey, type Step } from './observed.ts';
import { tellStates } from './pod-events.ts';
import { pullForPod, pullVolumeImages } from './pull-image.ts';
import { containerResources, podResources } from './resource-config.ts';
import { runHook } from './run-hook.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { apiEndpointOf } from './service-env.ts';
import type { SourceCache } from './source-cache.ts';
import { volumeSetup } from './volume-config.ts';

type ActionOf<Kind extends Action['kind']> = Extract<Action, { kind: Kind }>;

export async function perform(action: Action, context: ActionContext): Promise<Learned | undefined> {
  const { parts, identity, events, signal } = context;
  const { machine } = parts;
  const { uid } = identity;
  switch (action.kind) {
    case 'loadSources':
      await parts.sources.load(uid, podOf(context), signal);
      return undefined;
    case 'setUpVolumes':
      await setUpVolumes(context);
      return { kind: 'volumes', version: action.version };
    case 'pullImage':
      return pullImage(action, context);
    case 'createSandbox':
      await createSandbox(action, context);
      return undefined;
    case 'stopSandbox':
      for (const name of action.kills) events.tell('Normal', 'Killing', `Stopping container ${name}`, name);
      await machine.stopSandbox(uid, action.attempt);
      return undefined;
    case 'removeSandbox':
      await machine.removeSandbox(uid, action.attempt);
      return undefined;
    case 'createContainer':
      await createContainer(action, context);
      return undefined;
    case 'startContainer':
      await machine.startContainer(action.id);
      events.tell('Normal', 'Started', `Started container ${action.container}`, action.container);
      return undefined;
    case 'signalContainer':
      if (action.why) events.tell('Normal', 'Killing', action.why, action.container);
      await machine.signalContainer(action.id, action.signal);
      return undefined;
    case 'resizePod':
      await machine.updatePodResources(uid, podResources(podOf(context)));
      events.tell('Normal', 'ResizeCompleted', 'Resized pod');
      return undefined;
    case 'resizeContainer':
      await resizeContainer(action, context);
      return undefined;
    case 'runHook':
      return performHook(action, context);
    case 'removeContainer':
      await machine.removeContainer(action.id, { log: 'remove' });
      return undefined;
    case 'patchStatus':
      return patchStatus(action, context);
    case 'removePod':
      await machine.removePod(uid);
      return undefined;
    case 'deletePod':
      await deletePod(context);
      return undefined;
  }
}

function podOf({ pod, identity }: ActionContext): Pod {
  if (pod === undefined)
    throw new Error(`an action for a pod the API does not have: ${identity.namespace}/${identity.name}`);
  return pod;
}

function containerOf(context: ActionContext, name: string): Container {
  const container = everyContainer(podOf(context)).find((one) => one.name === name);
  if (container === undefined) throw new Error(`an action for a container the pod does not have: ${name}`);
  return container;
}

function resolved({ parts, identity, observed }: ActionContext): {
  sources: ReturnType<SourceCache['sources']>;
  facts: NodeFacts;
} {
  const sandbox = newestSandbox(observed)?.state;
  const ofSandbox = sandbox?.kind === 'ready' ? sandbox.ips : [];
  const { ips, allocatable } = parts.node;
  return {
    sources: parts.sources.sources(identity.namespace),
    // On the node's network the pod's address is the node's.
    facts: { hostIps: ips, podIps: ofSandbox.length > 0 ? ofSandbox : ips, allocatable },
  };
}

async function setUpVolumes(context: ActionContext): Promise<void> {
  const images = await pullVolumeImages(context);
  const pod = podOf(context);
  const takeClaim = (name: string): boolean => context.parts.exclusiveClaims.take(pod, name);
  const setup = volumeSetup({ pod, ...resolved(context), images, takeClaim });
  await context.parts.machine.setUpVolumes(setup, context.signal);
}

async function pullImage(action: ActionOf<'pullImage'>, context: ActionContext): Promise<Learned> {
  const { container: name, image: reference, attempt } = action;
  const container = containerOf(context, name);
  const policy = pullPolicyOf(reference, container.imagePullPolicy);
  const image = await pullForPod({ reference, policy, container: name }, context);
  return {
    kind: 'image',
    container: name,
    image: { reference, attempt, imageId: image.id, user: image.user, stopSignal: image.stopSignal },
  };
}

async function createSandbox(
  { attempt, replaces }: ActionOf<'createSandbox'>,
  context: ActionContext,
): Promise<void> {
  const { parts, identity, events, signal } = context;
  if (replaces.length > 0) {
    events.tell('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
  }
  for (const old of replaces) await parts.machine.stopSandbox(identity.uid, old);
  signal.throwIfAborted();
  await parts.machine.createSandbox(sandboxConfig(podOf(context), attempt, parts.node), signal);
}

async function createContainer(action: ActionOf<'createContainer'>, context: ActionContext): Promise<void> {
  const { parts, events, observed, signal } = context;
  const { container: name, attempt, sandboxAttempt, imageId, annotations } = action;
  const imageUser = observed.notes.images.get(name)?.user ?? '';
  const config = containerConfig(containerOf(context, name), {
    pod: podOf(context),
    ...resolved(context),
    api: apiEndpointOf(podOf(context), parts.node.apiEndpoints),
    instance: { attempt, sandboxAttempt, imageId, imageUser, annotations },
  });
  await parts.machine.createContainer(config, signal);
  events.tell('Normal', 'Created', `Created container: ${name}`, name);
}

async function resizeContainer(action: ActionOf<'resizeContainer'>, context: ActionContext): Promise<void> {
  const { resources } = containerOf(context, action.container);
  const { machine } = context.parts;
  const ofPod = podResources(podOf(context));
  await machine.updateContainerResources(action.id, containerResources(resources), ofPod);
  context.events.tell('Normal', 'ResizeCompleted', `Resized container ${action.container}`, action.container);
}

/** A hook that fails is told as an Event and noted: what follows from it is the plan's. */
async function performHook(action: ActionOf<'runHook'>, context: ActionContext): Promise<Learned> {
  const { parts, events, observed, signal } = context;
  const { hook, container: name, id, why } = action;
  const container = containerOf(context, name);
  if (why) events.tell('Normal', 'Killing', why, name);
  const sandbox = newestSandbox(observed)?.state;
  const podIp = (sandbox?.kind === 'ready' ? sandbox.ips[0] : undefined) ?? parts.node.ips[0] ?? '127.0.0.1';
  const key = hookKey(hook, id);
  try {
    const { machine, clock } = parts;
    await runHook(container.lifecycle?.[hook] ?? {}, { container, id, podIp }, { machine, clock, signal });
    return { kind: 'hook', key, result: 'succeeded' };
  } catch (error) {
    if (signal.aborted || !isPodwrightError(error)) throw error;
    const [reason, text] =
      hook === 'postStart'
        ? ['FailedPostStartHook', 'PostStartHook failed']
        : ['FailedPreStopHook', 'PreStopHook failed'];
    events.tell('Warning', reason, text, name);
    return { kind: 'hook', key, result: 'failed' };
  }
}

async function patchStatus(
  { patch, status }: ActionOf<'patchStatus'>,
  context: ActionContext,
): Promise<Learned | undefined> {
  const { parts, identity, events } = context;
  const { uid, namespace, name } = identity;
  try {
    const pod = await parts.api.patch(
      PODS,
      { namespace, name },
      // The uid makes it fail on a successor of the same name.
      { type: 'application/merge-patch+json', body: { metadata: { uid }, status: patch } },
      { subresource: 'status' },
    );
    tellStates(events, podOf(context), status);
    return { kind: 'pod', pod };
  } catch (error) {
    // Gone: the watch tells, and then nothing is left to report.
    if (isPodwrightError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function deletePod({ parts, identity }: ActionContext): Promise<void> {
  const { uid, namespace, name } = identity;
  try {
    await parts.api.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isPodwrightError(error, 'NotFound', 'Conflict')) throw error;
  }
}

/** The kubelet's reason and message for an action that failed. */
export function problemOf(action: Action, error: unknown): NonNullable<Step['problem']> {
  const message = errorText(error);
  switch (action.kind) {
    case 'pullImage':
      if (isPodwrightError(error, 'InvalidImageName')) {
        const words = `Failed to apply default image tag "${action.image}": ${message}`;
        return { reason: 'InvalidImageName', message: words };
      }
      return {
        reason: isPodwrightError(error, 'ImageNeverPull') ? 'ErrImageNeverPull' : 'ErrImagePull',
        message,
      };
    case 'createContainer':
      return {
        reason: isPodwrightError(error, 'ConfigFailed')
          ? 'CreateContainerConfigError'
          : 'CreateContainerError',
        message,
      };
    case 'startContainer':
      return { reason: 'RunContainerError', message };
    case 'resizePod':
    case 'resizeContainer':
      return { reason: 'ResizeError', message };
    case 'createSandbox':
      return { reason: 'FailedCreatePodSandBox', message: `Failed to create pod sandbox: ${message}` };
    case 'setUpVolumes':
    case 'loadSources':
      return { reason: 'FailedMount', message };
    default:
      return { reason: 'FailedKillPod', message: `error killing pod: ${message}` };
  }
}
