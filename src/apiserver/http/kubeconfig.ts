// The kubeconfig the engine writes: one cluster, the administrator, one context, certificates embedded.
import type { Pki } from './pki.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** JSON, which is YAML too. */
export function kubeconfigText(server: string, pki: Pki): string {
  const name = 'podwright';
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(pki.ca) } }],
    users: [
      {
        name: 'podwright-admin',
        user: {
          'client-certificate-data': base64(pki.admin.certificate),
          'client-key-data': base64(pki.admin.key),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: 'podwright-admin', namespace: 'default' } }],
    'current-context': name,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
