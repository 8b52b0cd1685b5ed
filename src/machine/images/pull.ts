// Pulls one image from a registry into the store, with each of the given credentials in turn. Not who pulls when, nor
// back-off: that is the agent's.
//
// A registry on this machine (localhost, 127.0.0.0/8, ::1) may speak plain HTTP; every other one must speak TLS unless
// /etc/containers/registries.conf calls it insecure. TLS is always tried first, and a certificate that does not verify
// is an error on loopback too.
import { PodwrightError } from '../../base/errors.ts';
import { type ImageReference, normalImageName } from '../../kube/image-reference.ts';
import type { PullOptions, RegistryAuth } from '../model/image.ts';
import { quotedMessage } from '../system/go-quoted.ts';
import { type Skopeo, writeAuthFile } from './skopeo.ts';

/** Why a pull failed: reason of the first entry in the error's details.causes. */
export type PullFailureReason = 'NotFound' | 'Unauthorized' | 'RegistryUnavailable' | 'Failed';

const FAILURES: readonly { readonly reason: PullFailureReason; readonly pattern: RegExp }[] = [
  {
    reason: 'Unauthorized',
    pattern: /unauthorized|authentication required|access .*denied|denied:|\b40[13]\b|invalid username/i,
  },
  {
    reason: 'NotFound',
    pattern: /manifest unknown|name unknown|repository name not known|\b404\b|not found/i,
  },
  {
    reason: 'RegistryUnavailable',
    pattern:
      /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|connection reset|EOF$|TLS handshake|x509:|tls:|server gave HTTP response|pinging container registry|\b50[0234]\b/,
  },
];

/** Throws ImagePullFailed with the registry's words, or the signal's reason. */
export async function pullImage(
  skopeo: Skopeo,
  reference: ImageReference,
  options: PullOptions,
): Promise<void> {
  const { auths = [], signal } = options;
  const attempts: readonly (RegistryAuth | undefined)[] = auths.length === 0 ? [undefined] : auths;
  let failure = '';
  for (const auth of attempts) {
    const words = await tryPull(skopeo, reference, { auth, signal });
    if (words === undefined) return;
    failure = words;
    // Another password does not help where the registry does not answer.
    if (classifyPullFailure(reference, words) === 'RegistryUnavailable') break;
  }
  const reason = classifyPullFailure(reference, failure);
  throw new PodwrightError('ImagePullFailed', `pull image ${normalImageName(reference)}: ${failure}`, {
    details: { causes: [{ reason, message: failure }] },
  });
}

type Attempt = { readonly auth: RegistryAuth | undefined; readonly signal: AbortSignal };

/** What went wrong, or undefined when the image is there. */
async function tryPull(
  skopeo: Skopeo,
  reference: ImageReference,
  attempt: Attempt,
): Promise<string | undefined> {
  return skopeo.withScratch(async (scratch) => {
    const name = normalImageName(reference);
    const { auth, signal } = attempt;
    const authArgs =
      auth === undefined ? [] : ['--src-authfile', await writeAuthFile(scratch, reference.registry, auth)];
    const copy = (args: readonly string[]) =>
      skopeo.copy({ source: `docker://${name}`, name, scratch, args: [...authArgs, ...args], signal });
    let result = await copy([]);
    if (
      result.exitCode !== 0 &&
      isLoopback(reference.registry) &&
      /server gave HTTP response/.test(result.stderr)
    ) {
      result = await copy(['--src-tls-verify=false']);
    }
    return result.exitCode === 0 ? undefined : skopeoWords(result.stderr);
  });
}

/** By what follows the image's name in skopeo's words: a repository may be called "unauthorized", a tag "404". */
export function classifyPullFailure(reference: ImageReference, words: string): PullFailureReason {
  const name = `${reference.registry}/${reference.repository}`;
  const at = words.lastIndexOf(name);
  const rest = at < 0 ? words : words.slice(at + name.length).replace(/^[:@][\w.:-]*?(?=:? )/, '');
  return FAILURES.find(({ pattern }) => pattern.test(rest))?.reason ?? 'Failed';
}

export function isLoopback(registry: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(registry);
}

/** The message of skopeo's last log line (`time=... level=fatal msg="..."`), without the escapes. */
export function skopeoWords(stderr: string): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return quotedMessage(last) ?? last;
}
