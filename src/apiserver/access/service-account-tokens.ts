// The tokens of ServiceAccounts: asked for at serviceaccounts/<name>/token, shown as a bearer token, checked against what
// is still there: a token ends with its time, its account, and the object it is bound to.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
import { randomUUID } from 'node:crypto';
import { timeText } from '../../base/clock.ts';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { SERVICE_ACCOUNTS } from '../../client/resources.ts';
import type { BoundObjectReference, ObjectMeta, Pod, TokenRequest } from '../../kube/api-types.ts';
import { decode } from '../../kube/decode.ts';
import { invalidError } from '../../kube/field-error.ts';
import { tokenSeconds } from '../../kube/validation/file-volumes.ts';
import { badRequest, conflictError, notFoundError } from '../api-error.ts';
import type { ServerParts } from '../request.ts';
import { storageKey } from '../storage-key.ts';
import { ISSUER } from './token-signer.ts';
import { serviceAccountGroups, serviceAccountName, type User } from './user.ts';

export const DEFAULT_AUDIENCES: readonly string[] = [ISSUER];
const DEFAULT_SECONDS = 3600;
/** How long a token may be used after its account's or its object's deletion was asked for: kube-apiserver's leeway. */
const DELETION_LEEWAY_MS = 60_000;

type Reference = { readonly name: string; readonly uid: string };
/** The claim "kubernetes.io". */
type PrivateClaim = {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
};

type Found = { readonly metadata?: ObjectMeta | undefined };
type Place = { readonly plural: string; readonly namespace?: string; readonly name: string };

const CLAIM = 'kubernetes.io';
const BOUND_KINDS = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const;

function find({ store }: Pick<ServerParts, 'store'>, { plural, namespace, name }: Place): Found | undefined {
  return store.get(
    storageKey({ group: '', plural, namespaced: namespace !== undefined }, { namespace, name }),
  );
}

const referenceOf = ({ metadata }: Found): Reference => ({
  name: metadata?.name ?? '',
  uid: metadata?.uid ?? '',
});

/** What the token is bound to, as its claim has it. */
function boundClaim(
  parts: Pick<ServerParts, 'store'>,
  account: { readonly namespace: string; readonly name: string },
  ref: BoundObjectReference,
): Partial<PrivateClaim> {
  const { kind = '', apiVersion, name = '', uid } = ref;
  if (apiVersion !== 'v1' || !(kind in BOUND_KINDS))
    throw badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
  const plural = BOUND_KINDS[kind as keyof typeof BOUND_KINDS];
  const { namespace } = account;
  const found = find(parts, { plural, ...(kind === 'Node' ? {} : { namespace }), name });
  if (found === undefined) throw notFoundError({ group: '', plural }, name);
  if (uid && uid !== found.metadata?.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflictError({ group: '', plural }, name, why);
  }
  if (kind !== 'Pod') return { [kind.toLowerCase()]: referenceOf(found) };
  const { spec } = found as Pod;
  if ((spec?.serviceAccountName ?? '') !== account.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`,
    );
  }
  const nodeName = spec?.nodeName;
  const node = nodeName ? find(parts, { plural: 'nodes', name: nodeName }) : undefined;
  return { pod: referenceOf(found), ...(node === undefined ? {} : { node: referenceOf(node) }) };
}

export type TokenAccount = { readonly namespace: string; readonly name: string };

/** serviceaccounts/<name>/token. @throws NotFound, Invalid, BadRequest, Conflict */
export async function createToken(
  parts: Pick<ServerParts, 'store' | 'clock' | 'tokens'>,
  account: TokenAccount,
  body: unknown,
): Promise<TokenRequest> {
  const { namespace, name } = account;
  const found = find(parts, { plural: 'serviceaccounts', namespace, name });
  if (found === undefined) throw notFoundError(SERVICE_ACCOUNTS, name);
  const decoded = decode<TokenRequest>('TokenRequest', body);
  if (!decoded.ok)
    throw badRequest(`TokenRequest in version "v1" cannot be handled as a TokenRequest: ${decoded.message}`);
  const { metadata, spec = {} } = decoded.object;
  if (metadata?.name && metadata.name !== name)
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  const { expirationSeconds = DEFAULT_SECONDS, boundObjectRef } = spec;
  const audiences = spec.audiences?.length ? spec.audiences : DEFAULT_AUDIENCES;
  const errors = tokenSeconds(expirationSeconds, 'spec.expirationSeconds');
  if (errors.length > 0)
    throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: '' }, errors);
  const claim: PrivateClaim = {
    namespace,
    serviceaccount: referenceOf(found),
    ...(boundObjectRef === undefined ? {} : boundClaim(parts, account, boundObjectRef)),
  };
  const nowMs = parts.clock.nowMs();
  const nowSeconds = Math.floor(nowMs / 1000);
  const token = await parts.tokens.sign({
    iss: ISSUER,
    sub: serviceAccountName(namespace, name),
    aud: [...audiences],
    iat: nowSeconds,
    nbf: nowSeconds,
    exp: nowSeconds + expirationSeconds,
    jti: randomUUID(),
    [CLAIM]: claim,
  });
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace, creationTimestamp: timeText(nowMs) },
    spec: { audiences, expirationSeconds, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
    status: { token, expirationTimestamp: timeText((nowSeconds + expirationSeconds) * 1000) },
  };
}

/** Whether what the token was made for is still that very object, and not long on its way out. */
function checkAlive(parts: Pick<ServerParts, 'store' | 'clock'>, place: Place, { uid }: Reference): void {
  const found = find(parts, place);
  const { deletionTimestamp } = found?.metadata ?? {};
  const isLeaving =
    deletionTimestamp !== undefined &&
    Date.parse(deletionTimestamp) + DELETION_LEEWAY_MS < parts.clock.nowMs();
  if (found?.metadata?.uid !== uid || isLeaving)
    throw new Error(`service account token has been invalidated: ${place.plural} "${place.name}" is gone`);
}

function checkClaim(parts: Pick<ServerParts, 'store' | 'clock'>, claim: PrivateClaim): void {
  const { namespace, serviceaccount, pod, secret, node } = claim;
  checkAlive(parts, { plural: 'serviceaccounts', namespace, name: serviceaccount.name }, serviceaccount);
  if (pod !== undefined) checkAlive(parts, { plural: 'pods', namespace, name: pod.name }, pod);
  if (secret !== undefined) checkAlive(parts, { plural: 'secrets', namespace, name: secret.name }, secret);
  // A node that went and came again must not end its pods' tokens.
  if (node !== undefined && pod === undefined) checkAlive(parts, { plural: 'nodes', name: node.name }, node);
}

function userOf({ namespace, serviceaccount, pod, node }: PrivateClaim, jti: string | undefined): User {
  const extra = {
    ...(jti === undefined ? {} : { 'credential-id': [`JTI=${jti}`] }),
    ...(node === undefined ? {} : { 'node-name': [node.name], 'node-uid': [node.uid] }),
    ...(pod === undefined ? {} : { 'pod-name': [pod.name], 'pod-uid': [pod.uid] }),
  };
  return {
    username: serviceAccountName(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    extra: Object.fromEntries(
      Object.entries(extra).map(([key, value]) => [`authentication.kubernetes.io/${key}`, value]),
    ),
  };
}

export type TokenHolder = { readonly user: User; readonly audiences: readonly string[] };

/** @param audiences of these the token must be for one. @throws Unauthorized, with what is wrong with the token. */
export async function authenticateToken(
  parts: Pick<ServerParts, 'store' | 'clock' | 'tokens'>,
  token: string,
  audiences: readonly string[],
): Promise<TokenHolder> {
  try {
    const { aud, jti, [CLAIM]: claim } = await parts.tokens.verify(token, parts.clock.nowMs());
    const own = typeof aud === 'string' ? [aud] : (aud ?? []);
    const shared = own.filter((one) => audiences.includes(one));
    if (shared.length === 0) {
      throw new Error(
        `token audiences ${JSON.stringify(own)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      );
    }
    // Signed by us: it is what createToken wrote.
    const known = claim as PrivateClaim;
    checkClaim(parts, known);
    return { user: userOf(known, jti), audiences: shared };
  } catch (error) {
    throw new PodwrightError('Unauthorized', `invalid bearer token: ${errorText(error)}`);
  }
}
