// Brings an image of a pod into the local store, for a container or for an image volume, and tells of it in the kubelet's
// words. When it is due is the plan's business.

import type { Image } from '../machine/model/image.ts';
import type { ActionContext } from './action-context.ts';
import { goDuration } from './backoff.ts';
import { type PullPolicy, pullPolicyOf, registryAuths } from './image-puller.ts';

export type PullRequest = {
  readonly reference: string;
  readonly policy: PullPolicy;
  /** Absent: it is for a volume. */
  readonly container?: string | undefined;
};

/** Throws InvalidImageName, ImageNeverPull, ImagePullFailed. */
export async function pullForPod(request: PullRequest, context: ActionContext): Promise<Image> {
  const { parts, events, signal, identity, pod } = context;
  const { reference, policy, container } = request;
  const sources = parts.sources.sources(identity.namespace);
  const secrets = (pod?.spec?.imagePullSecrets ?? []).flatMap((ref) => sources.secret(ref.name ?? '') ?? []);
  const startMs = parts.clock.nowMs();
  const { image, wasPresent } = await parts.puller.ensure({
    reference,
    policy,
    auths: registryAuths(secrets, reference),
    signal,
    onPulling: () => events.tell('Normal', 'Pulling', `Pulling image "${reference}"`, container),
  });
  const tookText = goDuration(parts.clock.nowMs() - startMs);
  const text = wasPresent
    ? `Container image "${reference}" already present on machine`
    : `Successfully pulled image "${reference}" in ${tookText}. Image size: ${image.sizeBytes} bytes.`;
  events.tell('Normal', 'Pulled', text, container);
  return image;
}

/**
 * The images of the pod's image volumes that are not set up yet, by volume name. What is set up keeps its image for the
 * pod's life (KEP-4639), whatever its reference means by now.
 */
export async function pullVolumeImages(context: ActionContext): Promise<ReadonlyMap<string, Image>> {
  const { pod, observed } = context;
  const missing = (pod?.spec?.volumes ?? []).flatMap(({ name, image }) =>
    image === undefined || observed.volumes.includes(name) ? [] : [{ name, image }],
  );
  const pulled = missing.map(async ({ name, image: { reference = '', pullPolicy } }) => {
    const policy = pullPolicyOf(reference, pullPolicy);
    return [name, await pullForPod({ reference, policy }, context)] as const;
  });
  return new Map(await Promise.all(pulled));
}
