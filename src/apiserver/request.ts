// What a verb needs beside its arguments: the server's parts, and how the caller wants the body to be read.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { KubeObject } from '../client/resource-api.ts';
import type { Store } from '../store/store.ts';
import type { TokenSigner } from './access/token-signer.ts';
import type { User } from './access/user.ts';
import { badRequest } from './api-error.ts';
import { decodeType } from './decode-type.ts';
import type { AdmissionContext, Kind, WritablePart } from './kind.ts';
import type { NodeLedger } from './node-ledger.ts';
import type { Turns } from './turns.ts';

export type ServerParts = {
  readonly store: Store<KubeObject>;
  readonly tokens: TokenSigner;
  readonly clock: Clock;
  readonly kinds: readonly Kind[];
  readonly admission: AdmissionContext;
  readonly turns: Turns;
  readonly ledger: NodeLedger;
  /** Makes what belongs to a new object before its creator hears that it is there. */
  onCreated(kind: Kind, object: KubeObject): Promise<void>;
};

/** One line of /readyz?verbose. */
export type HealthCheck = {
  readonly name: string;
  /** Whether it belongs to /livez, too: only what a restart of the engine would mend. */
  readonly of: 'livez' | 'readyz';
  /** Undefined when all is well; cheap: anybody may ask. */
  readonly whyNot: () => string | undefined;
};

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export type WriteRequest = {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  /** From the URL; absent for a create. */
  readonly name?: string | undefined;
  /** What of the object is written. */
  readonly part: WritablePart;
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  readonly user: User;
  /** Who writes, for managedFields. */
  readonly fieldManager: string;
  /** Receives texts for the client: Warning headers over HTTP. */
  readonly warn: (text: string) => void;
  /** Notes something about the request for the audit log. */
  readonly annotate: (key: string, value: string) => void;
};

export const newUid = (): string => randomUUID();

export function groupVersion({
  group,
  version,
}: {
  readonly group: string;
  readonly version: string;
}): string {
  return group === '' ? version : `${group}/${version}`;
}

function cannotBeHandled(kind: BodyType, why: string): Error {
  return badRequest(
    `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${why}`,
  );
}

/** Fields that a body should not have, or not twice: refused, told or passed over, as the request wants. @throws BadRequest */
export function tellFields(
  request: WriteRequest,
  {
    kind = request.kind,
    what,
    fields,
  }: { readonly kind?: BodyType; readonly what: 'unknown' | 'duplicate'; readonly fields: readonly string[] },
): void {
  const texts = fields.map((field) => `${what} field ${JSON.stringify(field)}`);
  if (texts.length > 0 && request.fieldValidation === 'Strict') {
    throw cannotBeHandled(kind, `strict decoding error: ${texts.join(', ')}`);
  }
  if (request.fieldValidation === 'Warn') texts.forEach(request.warn);
}

type BodyType = Pick<Kind, 'group' | 'version' | 'kind' | 'schema' | 'custom'>;

/** Untrusted body to object: structure checked, unknown fields treated as the request wants. @throws BadRequest */
export function decodeBody(request: WriteRequest, body: unknown): KubeObject {
  return decodeAs(request, request.kind, body);
}

/** A body of another type than the kind's own, as some subresources take. @throws BadRequest */
export function decodeAs(request: WriteRequest, kind: BodyType, body: unknown): KubeObject {
  if (body === undefined)
    throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): the body is empty`);
  const decoded = decodeType(kind, body);
  if (!decoded.ok) throw cannotBeHandled(kind, decoded.message);
  const { object, unknownFields } = decoded;
  const expected = groupVersion(kind);
  if (object.apiVersion !== undefined && object.apiVersion !== '' && object.apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (object.kind !== undefined && object.kind !== '' && object.kind !== kind.kind) {
    const { kind: given } = object;
    throw badRequest(
      `${given} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: it is another kind`,
    );
  }
  tellFields(request, { kind, what: 'unknown', fields: unknownFields });
  return { ...object, apiVersion: expected, kind: kind.kind };
}
