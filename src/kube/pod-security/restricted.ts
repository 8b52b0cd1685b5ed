// The level "restricted": what a hardened pod has to say of itself, beside the baseline. In the order in which Kubernetes
// tells of it; rules and words as of v1.36.
import type { Container, Volume } from '../api-types.ts';
import {
  type Check,
  containers,
  containersOf,
  counted,
  namesOf,
  quoted,
  settersOf,
  sorted,
} from './check.ts';

const allowPrivilegeEscalation: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containers(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: Check = (pod) => {
  const capabilitiesOf = ({ securityContext }: Container) => securityContext?.capabilities ?? {};
  const keeping = namesOf(pod, (container) => !(capabilitiesOf(container).drop ?? []).includes('ALL'));
  const added = (container: Container): readonly string[] =>
    (capabilitiesOf(container).add ?? []).filter((one) => one !== 'NET_BIND_SERVICE');
  const adding = namesOf(pod, (container) => added(container).length > 0);
  const values = sorted(containersOf(pod).flatMap(added));
  const words = [
    ...(keeping.length > 0
      ? [`${containers(keeping)} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(adding.length > 0
      ? [`${containers(adding)} must not include ${quoted(values)} in securityContext.capabilities.add`]
      : []),
  ];
  return words.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: words.join('; ') };
};

const VOLUME_TYPES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const typeOf = (volume: Volume): string => Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';

const restrictedVolumes: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter((volume) => !VOLUME_TYPES.includes(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map(typeOf));
  const use = bad.length === 1 ? 'uses' : 'use';
  const names = `${counted('volume', bad)} ${quoted(bad.map(({ name }) => name))}`;
  return {
    reason: 'restricted volume types',
    detail: `${names} ${use} ${counted('restricted volume type', types)} ${quoted(types)}`,
  };
};

const runAsNonRoot: Check = (pod) => {
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const setters = settersOf(
    ofPod === false,
    namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  const reason = 'runAsNonRoot != true';
  if (setters !== '') return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  const silent = namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (ofPod === true || silent.length === 0) return undefined;
  return { reason, detail: `pod or ${containers(silent)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.runAsUser === 0);
  const setters = settersOf(pod.spec.securityContext?.runAsUser === 0, names);
  return setters === ''
    ? undefined
    : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
};

const SECCOMP_TYPES: readonly (string | undefined)[] = ['RuntimeDefault', 'Localhost'];

const seccompProfile: Check = (pod) => {
  const ofPod = pod.spec.securityContext?.seccompProfile?.type;
  const ofContainer = ({ securityContext }: Container) => securityContext?.seccompProfile?.type;
  const isBad = (type: string | undefined): boolean => type !== undefined && !SECCOMP_TYPES.includes(type);
  const reason = 'seccompProfile';
  const setters = settersOf(
    isBad(ofPod),
    namesOf(pod, (container) => isBad(ofContainer(container))),
  );
  if (setters !== '') {
    const values = sorted(
      [ofPod, ...containersOf(pod).map(ofContainer)].flatMap((one) => (isBad(one) && one) || []),
    );
    return {
      reason,
      detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
    };
  }
  const silent = namesOf(pod, (container) => ofContainer(container) === undefined);
  if (ofPod !== undefined || silent.length === 0) return undefined;
  const must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  return { reason, detail: `pod or ${containers(silent)} ${must}` };
};

export const RESTRICTED = {
  allowPrivilegeEscalation,
  capabilities,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompProfile,
} as const;
