// ImageLocality: nodes that have the pod's images, scaled by how many nodes have each, so that one node with a common
// image does not draw everything (pkg/scheduler/framework/plugins/imagelocality).
import type { Node } from '../../kube/api-types.ts';
import type { Plugin } from '../framework.ts';

const MB = 1024 * 1024;
const MIN_BYTES = 23 * MB;
const MAX_BYTES_PER_CONTAINER = 1000 * MB;

/** A name without tag or digest means the tag latest. */
function normalizedName(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}

const sizeOn = (node: Node | undefined, image: string): number =>
  node?.status?.images?.find(({ names = [] }) => names.includes(image))?.sizeBytes ?? 0;

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  prepare({ images }, { cluster: { nodes } }) {
    const present = nodes.filter((node) => node !== undefined);
    const names = images.map(normalizedName);
    const spread = names.map(
      (image) => present.filter((node) => sizeOn(node, image) > 0).length / present.length,
    );
    if (spread.every((share) => !(share > 0))) return undefined;
    const maxBytes = MAX_BYTES_PER_CONTAINER * names.length;
    return {
      scope: 'node',
      score: {
        score(node) {
          const bytes = names.reduce(
            (sum, image, i) => sum + Math.floor(sizeOn(nodes[node], image) * (spread[i] ?? 0)),
            0,
          );
          const within = Math.min(maxBytes, Math.max(MIN_BYTES, bytes));
          return Math.floor((100 * (within - MIN_BYTES)) / (maxBytes - MIN_BYTES));
        },
      },
    };
  },
};
