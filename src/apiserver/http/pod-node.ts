// The node to ask for a pod's logs and streams: the one the pod is bound to.
import { PodwrightError } from '../../base/errors.ts';
import type { NodeApi, NodeLookup } from '../../client/node-api.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import type { Pod } from '../../kube/api-types.ts';
import { badRequest } from '../api-error.ts';

/** Throws BadRequest, in kube-apiserver's words, while the pod has no node; ServiceUnavailable when its node is not here. */
export function nodeOf(object: KubeObject, nodeApi: NodeLookup): NodeApi {
  const { metadata, spec }: Pod = object;
  const nodeName = spec?.nodeName ?? '';
  const node = nodeApi(nodeName);
  if (node !== undefined) return node;
  if (nodeName === '') throw badRequest(`pod ${metadata?.name} does not have a host assigned`);
  throw new PodwrightError('ServiceUnavailable', `node ${nodeName} is not there to be asked`);
}
