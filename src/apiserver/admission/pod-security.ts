// PodSecurity: pods must be what their namespace's labels demand (enforce); what they should be is a warning (warn), and
// what of it was broken is in the audit log (audit). Of workloads the template is looked at, and never refused.
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
import type { Namespace, ObjectMeta, Pod, PodSpec } from '../../kube/api-types.ts';
import type { CheckedPod } from '../../kube/pod-security/check.ts';
import {
  type LevelVersion,
  type Mode,
  policyOf,
  policyText,
  violationsOf,
} from '../../kube/pod-security/policy.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin, AdmissionWrite } from './plugin.ts';

type Template = { readonly metadata?: ObjectMeta; readonly spec?: PodSpec };
type Templated = {
  readonly template?: Template;
  readonly spec?: {
    readonly template?: Template;
    readonly jobTemplate?: { readonly spec?: Templated['spec'] };
  };
};

/** The pod in the object: itself, or a template of it. */
function podIn({ kind, object }: AdmissionWrite): CheckedPod | undefined {
  const { template, spec } = object as Templated;
  const found =
    kind.kind === 'Pod' ? (object as Pod) : (template ?? spec?.template ?? spec?.jobTemplate?.spec?.template);
  return found?.spec?.containers === undefined ? undefined : { metadata: found.metadata, spec: found.spec };
}

/** Of a pod that is there only containers can be added; whatever else may change is no matter of security. */
const isSignificant = ({ kind, old, part }: AdmissionWrite): boolean =>
  old === undefined || part === 'ephemeralcontainers' || (kind.kind !== 'Pod' && part === 'main');

function checkPod(write: AdmissionWrite, pod: CheckedPod, context: AdmissionContext): void {
  const { kind, object, warn, annotate } = write;
  const { namespace = '', name = '' } = object.metadata ?? {};
  const found = context.find('namespaces', { name: namespace }) as Namespace | undefined;
  const look = (mode: Mode): { readonly policy: LevelVersion; readonly details: string } => {
    const policy = policyOf(found, mode);
    return { policy, details: violationsOf(pod, policy).details.join(', ') };
  };
  const would = ({ policy, details }: ReturnType<typeof look>): string =>
    `would violate PodSecurity ${JSON.stringify(policyText(policy))}: ${details}`;
  if (kind.kind === 'Pod') {
    const { policy, details } = look('enforce');
    annotate('pod-security.kubernetes.io/enforce-policy', policyText(policy));
    if (details !== '')
      throw forbiddenError(
        kind,
        name,
        `violates PodSecurity ${JSON.stringify(policyText(policy))}: ${details}`,
      );
  }
  const audited = look('audit');
  if (audited.details !== '') annotate('pod-security.kubernetes.io/audit-violations', would(audited));
  const warned = look('warn');
  if (warned.details !== '') warn(would(warned));
}

/** A stricter level tells which pods that are there would not come again. */
function checkNamespace({ object, old, warn }: AdmissionWrite, context: AdmissionContext): void {
  const [policy, before] = [policyOf(object as Namespace, 'enforce'), policyOf(old as Namespace, 'enforce')];
  if (old === undefined || policyText(policy) === policyText(before)) return;
  const { name = '' } = object.metadata ?? {};
  const broken = new Map<string, string[]>();
  for (const pod of context.list('pods', name) as readonly Pod[]) {
    if (pod.spec === undefined) continue;
    const reasons = violationsOf({ metadata: pod.metadata, spec: pod.spec }, policy).reasons.join(', ');
    if (reasons !== '') broken.set(reasons, [...(broken.get(reasons) ?? []), pod.metadata?.name ?? '']);
  }
  if (broken.size === 0) return;
  warn(
    `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level ${JSON.stringify(policyText(policy))}`,
  );
  for (const [reasons, names] of broken) {
    const others = names.length - 1;
    const more = others === 0 ? '' : ` (and ${others} other ${others === 1 ? 'pod' : 'pods'})`;
    warn(`${names.sort()[0]}${more}: ${reasons}`);
  }
}

export const podSecurity: AdmissionPlugin = {
  validate(write, context) {
    if (write.kind.kind === 'Namespace') return checkNamespace(write, context);
    const pod = isSignificant(write) ? podIn(write) : undefined;
    if (pod !== undefined) checkPod(write, pod, context);
  },
};
