// What stands between a valid object and the store: plug-ins that complete new objects or refuse writes by the cluster's
// rules, in Kubernetes' order (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/). Whether
// the user may write at all was decided before.
import type { KubeObject } from '../../client/resource-api.ts';
import type { AdmissionContext } from '../kind.ts';
import { limitRangeAdmission } from './limit-range.ts';
import type { AdmissionPlugin, AdmissionWrite } from './plugin.ts';
import { podSecurity } from './pod-security.ts';
import { priorityAdmission } from './priority.ts';
import { quotaAdmission } from './quota.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';

const PLUGINS: readonly AdmissionPlugin[] = [
  limitRangeAdmission,
  serviceAccountAdmission,
  runtimeClassAdmission,
  priorityAdmission,
  rbacEscalation,
  podSecurity,
  // Last: what was refused is not counted.
  quotaAdmission,
];

export function mutateNew(context: AdmissionContext, write: AdmissionWrite): KubeObject {
  return PLUGINS.reduce(
    (object, { mutate }) => mutate?.({ ...write, object }, context) ?? object,
    write.object,
  );
}

export function validateWrite(context: AdmissionContext, write: AdmissionWrite): void {
  for (const { validate } of PLUGINS) validate?.(write, context);
}
