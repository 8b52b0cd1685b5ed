// What an admission plug-in is and what it is asked about. Which there are, and in what order, says admission.ts.
import type { KubeObject } from '../../client/resource-api.ts';
import type { User } from '../access/user.ts';
import type { AdmissionContext, Kind, WritablePart } from '../kind.ts';

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
