// The table of kinds. Adding a kind is one entry here, its file in kinds/ and its model in scripts/generate-kube-types.ts;
// routes, discovery, defaults, validation, selectors and Table output follow.
import type { Kind } from './kind.ts';
import { ACCESS_KINDS } from './kinds/access.ts';
import { CLUSTER_KINDS } from './kinds/cluster.ts';
import { configMapKind, secretKind, serviceAccountKind } from './kinds/config.ts';
import { customResourceDefinitionKind } from './kinds/custom-resource-definitions.ts';
import { eventKind } from './kinds/events.ts';
import { newEventKind } from './kinds/events-v1.ts';
import { namespaceKind } from './kinds/namespaces.ts';
import { nodeKind } from './kinds/nodes.ts';
import { podKind } from './kinds/pods.ts';
import { REVIEW_KINDS } from './kinds/reviews.ts';
import { SCHEDULING_KINDS } from './kinds/scheduling.ts';
import {
  csiDriverKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  storageClassKind,
} from './kinds/storage.ts';
import { WORKLOAD_KINDS } from './kinds/workloads.ts';

export const KINDS: readonly Kind[] = [
  configMapKind,
  csiDriverKind,
  customResourceDefinitionKind,
  eventKind,
  newEventKind,
  namespaceKind,
  nodeKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  podKind,
  secretKind,
  serviceAccountKind,
  storageClassKind,
  ...WORKLOAD_KINDS,
  ...CLUSTER_KINDS,
  ...ACCESS_KINDS,
  ...REVIEW_KINDS,
  ...SCHEDULING_KINDS,
];
