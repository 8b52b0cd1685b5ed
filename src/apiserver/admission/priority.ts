// Priority: a new pod's PriorityClass becomes its spec.priority and preemptionPolicy; a pod that names none gets the default
// class, where there is one (plugin/pkg/admission/priority).
import { PODS, PRIORITY_CLASSES } from '../../client/resources.ts';
import type { Pod, PriorityClass } from '../../kube/api-types.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** Two that are marked can come of a race; the lower one counts, as in Kubernetes. */
function defaultClass(context: AdmissionContext): PriorityClass | undefined {
  const classes = context.list('priorityclasses') as readonly PriorityClass[];
  return classes
    .filter(({ globalDefault }) => globalDefault === true)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}

function classOf(pod: Pod, context: AdmissionContext): PriorityClass | undefined {
  const { priorityClassName } = pod.spec ?? {};
  if (!priorityClassName) return defaultClass(context);
  const found = context.find('priorityclasses', { name: priorityClassName });
  if (found !== undefined) return found as PriorityClass;
  const why = `no PriorityClass with name ${priorityClassName} was found`;
  throw forbiddenError(PODS, pod.metadata?.name ?? '', why);
}

/** The figures are the class's: a pod that says another is refused. */
function checkGiven(pod: Pod, what: string, given: unknown, computed: unknown): void {
  if (given === undefined || given === computed) return;
  const why = `${what} (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`;
  throw forbiddenError(PODS, pod.metadata?.name ?? '', why);
}

export const priorityAdmission: AdmissionPlugin = {
  mutate({ kind, object }, context) {
    if (kind.kind !== 'Pod') return object;
    const pod = object as Pod;
    const { spec } = pod;
    if (spec === undefined) return object;
    const priorityClass = classOf(pod, context);
    const priority = priorityClass?.value ?? 0;
    const preemptionPolicy = priorityClass?.preemptionPolicy ?? 'PreemptLowerPriority';
    checkGiven(pod, 'the integer value of priority', spec.priority, priority);
    checkGiven(pod, 'the string value of PreemptionPolicy', spec.preemptionPolicy, preemptionPolicy);
    const name = priorityClass?.metadata?.name;
    return {
      ...pod,
      spec: {
        ...spec,
        ...(name === undefined ? {} : { priorityClassName: name }),
        priority,
        preemptionPolicy,
      },
    } as Pod;
  },
  validate({ kind, object, old }, context) {
    if (kind.kind !== 'PriorityClass' || (object as PriorityClass).globalDefault !== true) return;
    const { name = '' } = object.metadata ?? {};
    const other = defaultClass(context)?.metadata?.name;
    if (other === undefined || other === name || (old as PriorityClass | undefined)?.globalDefault === true)
      return;
    const why = `PriorityClass ${other} is already marked as default. Only one default can exist`;
    throw forbiddenError(PRIORITY_CLASSES, name, why);
  },
};
