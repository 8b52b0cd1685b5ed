// RuntimeClass: a new pod's class must exist; its overhead and its scheduling become the pod's
// (plugin/pkg/admission/runtimeclass). What the handler is, the node asks when it starts a container.
// https://kubernetes.io/docs/concepts/containers/runtime-class/
import { isDeepStrictEqual } from 'node:util';
import { PODS } from '../../client/resources.ts';
import type { Pod, PodSpec, RuntimeClass, Toleration } from '../../kube/api-types.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionPlugin } from './plugin.ts';

function withScheduling(
  spec: PodSpec,
  { scheduling }: RuntimeClass,
  refuse: (why: string) => Error,
): PodSpec {
  if (scheduling === undefined) return spec;
  const before = spec.nodeSelector ?? {};
  const added = scheduling.nodeSelector ?? {};
  const conflict = Object.keys(added).find((key) => before[key] !== undefined && before[key] !== added[key]);
  if (conflict !== undefined) {
    const why = `conflict: runtimeClass.scheduling.nodeSelector[${conflict}] = ${added[conflict]}; pod.spec.nodeSelector[${conflict}] = ${before[conflict]}`;
    throw refuse(why);
  }
  const tolerations = spec.tolerations ?? [];
  const isNew = (one: Toleration): boolean => !tolerations.some((other) => isDeepStrictEqual(one, other));
  return {
    ...spec,
    nodeSelector: { ...before, ...added },
    tolerations: [...tolerations, ...(scheduling.tolerations ?? []).filter(isNew)],
  };
}

export const runtimeClassAdmission: AdmissionPlugin = {
  mutate({ kind, object }, context) {
    if (kind.kind !== 'Pod') return object;
    const pod = object as Pod;
    const { spec } = pod;
    const refuse = (why: string): Error =>
      forbiddenError(PODS, pod.metadata?.name ?? '', `pod rejected: ${why}`);
    if (spec === undefined) return object;
    const { runtimeClassName: name, overhead } = spec;
    const found = name === undefined ? undefined : context.find('runtimeclasses', { name });
    if (name !== undefined && found === undefined)
      throw refuse(`RuntimeClass ${JSON.stringify(name)} not found`);
    const runtimeClass = found as RuntimeClass | undefined;
    const fixed = runtimeClass?.overhead?.podFixed;
    if (overhead !== undefined && fixed === undefined)
      throw refuse('Pod Overhead set without corresponding RuntimeClass defined Overhead');
    if (overhead !== undefined && !isDeepStrictEqual(overhead, fixed))
      throw refuse("Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    if (runtimeClass === undefined) return object;
    const scheduled = withScheduling(spec, runtimeClass, refuse);
    return { ...pod, spec: fixed === undefined ? scheduled : { ...scheduled, overhead: fixed } };
  },
};
