// The service "kubernetes" in the namespace default: by it pods, and whoever looks, find the API. The address answers on the
// pods' network; no Endpoints say where it leads, since the server may well listen on loopback alone.
import { isPodwrightError } from '../base/errors.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { SERVICES } from '../client/resources.ts';
import type { Service } from '../kube/api-types.ts';

export async function ensureKubernetesService(api: ResourceApi, address: string): Promise<void> {
  const service: Service = {
    metadata: {
      namespace: 'default',
      name: 'kubernetes',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 443 }],
    },
  };
  try {
    await api.create(SERVICES, service);
  } catch (error) {
    if (!isPodwrightError(error, 'AlreadyExists')) throw error;
    const found = await api.get(SERVICES, { namespace: 'default', name: 'kubernetes' });
    if (found.spec?.clusterIP !== address) await api.update(SERVICES, { ...found, spec: service.spec });
  }
}
