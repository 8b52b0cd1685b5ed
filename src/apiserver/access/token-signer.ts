// JSON Web Tokens signed by the engine's own key, and the two documents by which others can check them. What a token says
// is service-account-tokens.ts's.
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { JWTPayload } from 'jose';

/** What kubeadm's clusters have: --service-account-issuer, also the audience of tokens that name none. */
export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
export const KEYS_PATH = '/openid/v1/jwks';
const ALGORITHM = 'ES256';

export type TokenSigner = {
  /** Claims in seconds, as JWT has them. */
  sign(claims: JWTPayload): Promise<string>;
  /** The claims of a token of ours that holds now. Throws whatever is wrong with it. */
  verify(token: string, nowMs: number): Promise<JWTPayload>;
  /** The public keys, as RFC 7517 has them. */
  readonly keys: { readonly keys: readonly object[] };
};

/** OpenID Connect discovery: where the keys are. */
export const OPENID_CONFIGURATION = {
  issuer: ISSUER,
  jwks_uri: `${ISSUER}${KEYS_PATH}`,
  response_types_supported: ['id_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [ALGORITHM],
};

/** @param pem the private key, on the curve P-256. */
export function createTokenSigner(pem: string): TokenSigner {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const kid = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return {
    async sign(claims) {
      // Loaded by the first token: not every engine has one.
      const { SignJWT } = await import('jose');
      return new SignJWT(claims).setProtectedHeader({ alg: ALGORITHM, kid }).sign(privateKey);
    },
    async verify(token, nowMs) {
      const { jwtVerify } = await import('jose');
      const options = { issuer: ISSUER, algorithms: [ALGORITHM], currentDate: new Date(nowMs) };
      return (await jwtVerify(token, publicKey, options)).payload;
    },
    keys: { keys: [{ use: 'sig', kid, alg: ALGORITHM, ...publicKey.export({ format: 'jwk' }) }] },
  };
}
