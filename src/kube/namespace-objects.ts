// What every namespace has from its first moment and gets again when it is deleted.
// https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/ (serviceaccount-controller,
// root-ca-certificate-publisher-controller)
import type { ConfigMap, ServiceAccount } from './api-types.ts';

export const ROOT_CA_CONFIG_MAP = 'kube-root-ca.crt';
export const DEFAULT_SERVICE_ACCOUNT = 'default';

export const defaultServiceAccount = (namespace: string): ServiceAccount => ({
  metadata: { namespace, name: DEFAULT_SERVICE_ACCOUNT },
});

/** @param ca the certificate by which pods know the API, in PEM. */
export const rootCaConfigMap = (namespace: string, ca: string): ConfigMap => ({
  metadata: {
    namespace,
    name: ROOT_CA_CONFIG_MAP,
    annotations: {
      'kubernetes.io/description':
        'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
    },
  },
  data: { 'ca.crt': ca },
});
