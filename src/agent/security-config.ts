// securityContext of pod and container merged (the container's wins), with the kubelet's defaults and checks. Pure.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
import type { Container, Pod, SeccompProfile } from '../kube/api-types.ts';
import type { ContainerSecurity } from '../machine/model/container.ts';
import { configFailed } from './sources.ts';

/** @param imageUser the image config's User, for runAsNonRoot. Throws ConfigFailed. */
export function containerSecurity(pod: Pod, container: Container, imageUser: string): ContainerSecurity {
  const ofPod = pod.spec?.securityContext ?? {};
  const own = container.securityContext ?? {};
  const runAsUser = own.runAsUser ?? ofPod.runAsUser;
  const runAsNonRoot = own.runAsNonRoot ?? ofPod.runAsNonRoot ?? false;
  if (runAsNonRoot)
    checkNonRoot(runAsUser, imageUser, `(pod: "${podText(pod)}", container: ${container.name})`);
  const privileged = own.privileged ?? false;
  const added = own.capabilities?.add ?? [];
  return {
    runAsUser,
    runAsGroup: own.runAsGroup ?? ofPod.runAsGroup,
    runAsNonRoot,
    supplementalGroups: [
      ...(ofPod.supplementalGroups ?? []),
      ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]),
    ],
    supplementalGroupsPolicy: ofPod.supplementalGroupsPolicy === 'Strict' ? 'Strict' : 'Merge',
    privileged,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    // Privileged and CAP_SYS_ADMIN always may: the API refuses a contradiction.
    allowPrivilegeEscalation: own.allowPrivilegeEscalation ?? true,
    addCapabilities: added,
    dropCapabilities: own.capabilities?.drop ?? [],
    seccomp: seccompOf(own.seccompProfile ?? ofPod.seccompProfile, privileged),
    procMount: own.procMount === 'Unmasked' ? 'Unmasked' : 'Default',
  };
}

const podText = (pod: Pod): string =>
  `${pod.metadata?.name}_${pod.metadata?.namespace}(${pod.metadata?.uid})`;

/** An image's user that is a name cannot be checked: it might be root under another name. */
function checkNonRoot(runAsUser: number | undefined, imageUser: string, where: string): void {
  if (runAsUser === 0) throw configFailed(`container's runAsUser breaks non-root policy ${where}`);
  if (runAsUser !== undefined) return;
  const [user = ''] = imageUser.split(':');
  if (user === '' || user === '0') {
    throw configFailed(`container has runAsNonRoot and image will run as root ${where}`);
  }
  if (!/^\d+$/.test(user)) {
    throw configFailed(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`,
    );
  }
}

/** Without a profile: the runtime's default, as a kubelet with seccompDefault has it. */
function seccompOf(profile: SeccompProfile | undefined, privileged: boolean): ContainerSecurity['seccomp'] {
  if (privileged || profile?.type === 'Unconfined') return { kind: 'Unconfined' };
  if (profile?.type === 'Localhost') return { kind: 'Localhost', path: profile.localhostProfile ?? '' };
  return { kind: 'RuntimeDefault' };
}
