// How a container finds the API: the variables of the service "kubernetes", as the kubelet sets them, and its names in
// /etc/hosts, where there is no cluster DNS to ask.
// https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
import type { Pod } from '../kube/api-types.ts';

export type Endpoint = { readonly host: string; readonly port: number };

/** Absent `pod`: pods on a network of their own do not reach it. */
export type ApiEndpoints = { readonly pod?: Endpoint | undefined; readonly node: Endpoint };

/** On the node's network the API is where it is for everybody there. */
export function apiEndpointOf(pod: Pod, api: ApiEndpoints | undefined): Endpoint | undefined {
  return pod.spec?.hostNetwork === true ? api?.node : api?.pod;
}

export function serviceEnv({ host, port }: Endpoint): readonly (readonly [name: string, value: string])[] {
  const url = `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const ofPort = `KUBERNETES_PORT_${port}_TCP`;
  return [
    ['KUBERNETES_SERVICE_HOST', host],
    ['KUBERNETES_SERVICE_PORT', String(port)],
    ['KUBERNETES_SERVICE_PORT_HTTPS', String(port)],
    ['KUBERNETES_PORT', url],
    [ofPort, url],
    [`${ofPort}_PROTO`, 'tcp'],
    [`${ofPort}_PORT`, String(port)],
    [`${ofPort}_ADDR`, host],
  ];
}

/** What a cluster's DNS would answer to; its short name only in its own namespace. */
export function serviceNames(pod: Pod): readonly string[] {
  const names = ['kubernetes.default.svc.cluster.local', 'kubernetes.default.svc', 'kubernetes.default'];
  return pod.metadata?.namespace === 'default' ? [...names, 'kubernetes'] : names;
}
