// How others check the tokens of this engine's ServiceAccounts: OpenID Connect's discovery document and the keys.
import { KEYS_PATH, OPENID_CONFIGURATION, type TokenSigner } from '../access/token-signer.ts';
import type { DiscoveryAnswer } from './discovery.ts';

/** Undefined for a path that is none of the two. */
export function openIdDocument(path: string, { keys }: TokenSigner): DiscoveryAnswer | undefined {
  switch (path) {
    case '/.well-known/openid-configuration':
      return { body: OPENID_CONFIGURATION, contentType: 'application/json' };
    case KEYS_PATH:
      return { body: keys, contentType: 'application/jwk-set+json' };
    default:
      return undefined;
  }
}
