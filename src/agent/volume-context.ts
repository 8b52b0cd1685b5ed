// What the volumes of a pod are worked out from. A type only.
import type { Pod } from '../kube/api-types.ts';
import type { Image } from '../machine/model/image.ts';
import type { NodeFacts } from './downward.ts';
import type { Sources } from './sources.ts';

export type VolumeContext = {
  readonly pod: Pod;
  readonly sources: Sources;
  readonly facts: NodeFacts;
  /** Of the image volumes to be set up, by volume name; one that is not here is set up already. */
  readonly images: ReadonlyMap<string, Image>;
  /** Takes a claim that one pod alone may have; false when another has it. */
  readonly takeClaim: (claimName: string) => boolean;
};
