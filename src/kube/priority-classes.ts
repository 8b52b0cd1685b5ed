// The PriorityClasses that every cluster has (pkg/apis/scheduling/v1/helpers.go).
import type { PriorityClass } from './api-types.ts';

export const USER_PRIORITY_MAX = 1_000_000_000;

const system = (name: string, value: number, description: string): PriorityClass => ({
  metadata: { name },
  value,
  description,
});

export const SYSTEM_PRIORITY_CLASSES: readonly PriorityClass[] = [
  system(
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ),
  system(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
];
