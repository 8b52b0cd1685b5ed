// Which pod it is about.
import type { PodUid } from '../../base/brand.ts';

export type PodIdentity = { readonly uid: PodUid; readonly namespace: string; readonly name: string };
