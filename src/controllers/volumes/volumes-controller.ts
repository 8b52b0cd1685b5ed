// The controller of PersistentVolumes and claims: follows four kinds, plans (plan-volumes.ts) and carries out. Every write
// names the version it was planned on, so a stale plan changes nothing.
import { isPodwrightError } from '../../base/errors.ts';
import { createEventRecorder, referenceTo } from '../../client/event-recorder.ts';
import type { ResourceApi } from '../../client/resource-api.ts';
import {
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STORAGE_CLASSES,
} from '../../client/resources.ts';
import type { StorageClass } from '../../kube/api-types.ts';
import { DEFAULT_CLASS_ANNOTATION } from '../../kube/storage.ts';
import { type ControllerOptions, createController } from '../controller.ts';
import { type ClusterVolumes, claimKeysOf } from './cluster-volumes.ts';
import type { LocalProvisioner } from './local-provisioner.ts';
import { PROVISIONER, planVolumes, type VolumeStep } from './plan-volumes.ts';

export type VolumesControllerOptions = ControllerOptions & {
  readonly provisioner: LocalProvisioner;
};

/** What every engine has; a user may delete it or mark another one as default. */
const LOCAL_CLASS: StorageClass = {
  metadata: { name: 'local', annotations: { [DEFAULT_CLASS_ANNOTATION]: 'true' } },
  provisioner: PROVISIONER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
};

/** Runs until the signal aborts. */
export async function runVolumesController(
  options: VolumesControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  await ensureClass(options.api);
  const { follow, run } = createController(options, signal);
  const cluster: ClusterVolumes = {
    claims: follow(PERSISTENT_VOLUME_CLAIMS),
    volumes: follow(PERSISTENT_VOLUMES),
    classes: follow(STORAGE_CLASSES),
    pods: follow(PODS, { isRelevant: (pod) => claimKeysOf(pod).length > 0 }),
    nodes: follow(NODES),
  };
  await run({
    name: 'the volumes',
    plan: () => ({ steps: planVolumes(cluster) }),
    perform: createPerformer(options),
  });
}

async function ensureClass(api: ResourceApi): Promise<void> {
  try {
    await api.create(STORAGE_CLASSES, LOCAL_CLASS);
  } catch (error) {
    if (!isPodwrightError(error, 'AlreadyExists')) throw error;
  }
}

function createPerformer({ api, clock, log, provisioner }: VolumesControllerOptions) {
  const events = createEventRecorder({ api, clock, log, component: 'persistentvolume-controller' });
  /** The last thing told of each waiting claim: a pass that finds it waiting still is no news. */
  const told = new Map<string, string>();

  const provision = async ({
    claim,
    storageClass,
    node,
  }: Extract<VolumeStep, { kind: 'provision' }>): Promise<void> => {
    const volume = await provisioner.provision(claim, storageClass, node);
    await api.create(PERSISTENT_VOLUMES, volume);
    const message = `Successfully provisioned volume ${volume.metadata?.name}`;
    events.record({
      regarding: referenceTo(claim),
      type: 'Normal',
      reason: 'ProvisioningSucceeded',
      message,
    });
  };

  const tell = ({ claim, type, reason, message }: Extract<VolumeStep, { kind: 'tell' }>): void => {
    const uid = claim.metadata?.uid ?? '';
    if (told.get(uid) === message) return;
    told.set(uid, message);
    events.record({ regarding: referenceTo(claim), type, reason, message });
  };

  return async (step: VolumeStep): Promise<void> => {
    if (step.kind !== 'tell' && 'claim' in step) told.delete(step.claim.metadata?.uid ?? '');
    switch (step.kind) {
      case 'createClaim':
        await api.create(PERSISTENT_VOLUME_CLAIMS, step.claim);
        return;
      case 'deleteClaim': {
        const { namespace, name = '', uid } = step.claim.metadata ?? {};
        await api.delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, { preconditions: { uid } });
        return;
      }
      case 'updateClaim':
        await api.update(PERSISTENT_VOLUME_CLAIMS, step.claim);
        return;
      case 'updateClaimStatus':
        await api.update(PERSISTENT_VOLUME_CLAIMS, step.claim, { subresource: 'status' });
        return;
      case 'updateVolume':
        await api.update(PERSISTENT_VOLUMES, step.volume);
        return;
      case 'updateVolumeStatus':
        await api.update(PERSISTENT_VOLUMES, step.volume, { subresource: 'status' });
        return;
      case 'provision':
        return provision(step);
      case 'deleteVolume': {
        const { name = '', uid } = step.volume.metadata ?? {};
        await api.delete(PERSISTENT_VOLUMES, { name }, { preconditions: { uid } });
        return;
      }
      case 'finalizeVolume':
        if (step.data === 'delete') await provisioner.deleteData(step.volume);
        await api.update(PERSISTENT_VOLUMES, step.volume);
        return;
      case 'tell':
        return tell(step);
    }
  };
}
