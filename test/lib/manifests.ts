// Small pods for tests.
import type { Container, Pod, PodSpec } from '../../src/kube/api-types.ts';

export const BUSYBOX = 'localhost/podwright/busybox:1';

export function shell(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, image: BUSYBOX, command: ['sh', '-c', script], ...more };
}

/** In namespace "default", with a grace period of a second. */
export function podOf(name: string, containers: readonly Container[], more: Partial<PodSpec> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { terminationGracePeriodSeconds: 1, ...more, containers },
  };
}
