// The service "kubernetes" in the namespace default, and the endpoints behind it: by them pods, and whoever looks, find the API.
// The endpoints name the service's own address: it is the one that answers on the pods' network, since the server itself may
// well listen on loopback alone, which is nobody's endpoint.
import type { KubeObject, ResourceApi, ResourceRef } from '../client/resource-api.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../client/resources.ts';
import type { EndpointSlice, Endpoints, Service } from '../kube/api-types.ts';
import { APPLY_PATCH } from './apply.ts';

const KEY = { namespace: 'default', name: 'kubernetes' };
const PORT = { name: 'https', port: 443, protocol: 'TCP' };

function serviceAt(address: string): Service {
  return {
    metadata: { ...KEY, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: [{ ...PORT, targetPort: 443 }],
    },
  };
}

function endpointsAt(address: string): Endpoints {
  return {
    // The slice is made here, too: no one needs to copy it.
    metadata: { ...KEY, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports: [PORT] }],
  };
}

function sliceAt(address: string): EndpointSlice {
  return {
    metadata: { ...KEY, labels: { 'kubernetes.io/service-name': KEY.name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [PORT],
  };
}

export async function ensureKubernetesService(api: ResourceApi, address: string): Promise<void> {
  const apply = async <T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<void> => {
    const apiVersion = ref.group === '' ? ref.version : `${ref.group}/${ref.version}`;
    const body = { apiVersion, kind: ref.kind, ...object };
    await api.patch(ref, KEY, { type: APPLY_PATCH, body }, { force: true });
  };
  await apply(SERVICES, serviceAt(address));
  await apply(ENDPOINTS, endpointsAt(address));
  await apply(ENDPOINT_SLICES, sliceAt(address));
}
