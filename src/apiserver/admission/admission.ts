// What stands between a valid object and the store: plug-ins that complete new objects or refuse writes by the cluster's
// rules, in Kubernetes' order (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/). Whether
// the user may write at all was decided before.
import type { KubeObject } from '../../client/resource-api.ts';
import type { User } from '../access/user.ts';
import type { AdmissionContext, Kind, WritablePart } from '../kind.ts';
import { limitRangeAdmission } from './limit-range.ts';
import { podSecurity } from './pod-security.ts';
import { priorityAdmission } from './priority.ts';
import { quotaAdmission } from './quota.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';

export type AdmissionWrite = {
  readonly kind: Kind;
  readonly part: WritablePart;
  readonly object: KubeObject;
  /** Absent: the object is new. */
  readonly old?: KubeObject | undefined;
  readonly user: User;
  /** Receives texts for the client. */
  readonly warn: (text: string) => void;
  /** Notes something about the request for the audit log. */
  readonly annotate: (key: string, value: string) => void;
};

export type AdmissionPlugin = {
  /** Completes a new, valid object by what is valid, too. @throws Forbidden */
  readonly mutate?: (write: AdmissionWrite, context: AdmissionContext) => KubeObject;
  /** Every write but that of a status. @throws Forbidden */
  readonly validate?: (write: AdmissionWrite, context: AdmissionContext) => void;
};

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
