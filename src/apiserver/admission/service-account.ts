// ServiceAccount: a new pod gets its account, the account's pull secrets, and a volume with a token, the API's CA and the
// namespace in every container (plugin/pkg/admission/serviceaccount). Static pods have none: they speak for their node.
import { PODS } from '../../client/resources.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../kube/api-types.ts';
import { DEFAULT_SERVICE_ACCOUNT, ROOT_CA_CONFIG_MAP } from '../../kube/namespace-objects.ts';
import { isStaticPod } from '../../kube/pod.ts';
import { forbiddenError } from '../api-error.ts';
import { generatedName } from '../generated-name.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin } from './plugin.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
/** Seconds: an hour, and seven by which the tokens of this volume are told from others. */
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;

const apiAccessVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: FILE_MODE,
    sources: [
      { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
      { configMap: { name: ROOT_CA_CONFIG_MAP, items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});

const hasMount = ({ volumeMounts = [] }: Container): boolean =>
  volumeMounts.some(({ mountPath }) => mountPath === MOUNT_PATH);

function withApiAccess(spec: PodSpec): PodSpec {
  const { containers, initContainers = [], volumes = [] } = spec;
  if ([...containers, ...initContainers].every(hasMount)) return spec;
  const present = volumes.find(
    ({ name, projected }) => name.startsWith(VOLUME_PREFIX) && projected !== undefined,
  );
  const name = present?.name ?? generatedName(VOLUME_PREFIX);
  const mounted = (container: Container): Container => {
    if (hasMount(container)) return container;
    const mount = { name, readOnly: true, mountPath: MOUNT_PATH };
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  return {
    ...spec,
    containers: containers.map(mounted),
    ...(spec.initContainers && { initContainers: initContainers.map(mounted) }),
    volumes: present === undefined ? [...volumes, apiAccessVolume(name)] : volumes,
  };
}

function accountOf(pod: Pod, context: AdmissionContext): ServiceAccount {
  const { namespace = '', name = '' } = pod.metadata ?? {};
  const account = pod.spec?.serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT;
  const found = context.find('serviceaccounts', { namespace, name: account });
  if (found !== undefined) return found as ServiceAccount;
  const why = `error looking up service account ${namespace}/${account}: serviceaccount ${JSON.stringify(account)} not found`;
  throw forbiddenError(PODS, name, why);
}

/** A node's own pod must not be a way to another's rights. */
function refuseAccount(pod: Pod, spec: PodSpec): void {
  const { name = '' } = pod.metadata ?? {};
  if (spec.serviceAccountName)
    throw forbiddenError(PODS, name, 'a mirror pod may not reference service accounts');
  const projects = (volume: Volume): boolean =>
    (volume.projected?.sources ?? []).some((source) => source.serviceAccountToken !== undefined);
  if ((spec.volumes ?? []).some(projects))
    throw forbiddenError(PODS, name, 'a mirror pod may not use ServiceAccountToken volume projections');
}

export const serviceAccountAdmission: AdmissionPlugin = {
  mutate({ kind, object }, context) {
    if (kind.kind !== 'Pod') return object;
    const pod = object as Pod;
    const { spec } = pod;
    if (spec?.containers === undefined) return object;
    if (isStaticPod(pod)) {
      refuseAccount(pod, spec);
      return pod;
    }
    const account = accountOf(pod, context);
    const { imagePullSecrets = [] } = spec;
    const given = imagePullSecrets.length > 0 ? imagePullSecrets : (account.imagePullSecrets ?? []);
    const mounts = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
    const { name = DEFAULT_SERVICE_ACCOUNT } = account.metadata ?? {};
    return {
      ...pod,
      spec: {
        ...(mounts ? withApiAccess(spec) : spec),
        serviceAccountName: name,
        serviceAccount: name,
        ...(given.length > 0 ? { imagePullSecrets: given } : {}),
      },
    } as Pod;
  },
};
