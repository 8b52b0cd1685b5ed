// The address at which pods find the API: as in Kubernetes no machine's, and the same in every cluster.
import { addressNumber, parseRange } from './address-range.ts';

export const SERVICE_PORT = 443;
/** The first of kubeadm's range of services, and another where the pods are in that range. */
const [USUAL, OTHER] = ['10.96.0.1', '172.20.0.1'];

export function serviceAddressBeside(podCidr: string): string {
  const { gateway, broadcast } = parseRange(podCidr);
  const usual = addressNumber(USUAL);
  return usual < addressNumber(gateway) || usual > addressNumber(broadcast) ? USUAL : OTHER;
}
