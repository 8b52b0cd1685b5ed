// Makes sure that an image is in the local store, as the container's pull policy wants it. Few pulls run at a time, and
// two containers that want the same image wait for one pull. It keeps no memory of failures: back-off is the plan's.
import { BOUNDS } from '../base/bounds.ts';
import { PodwrightError } from '../base/errors.ts';
import type { Secret } from '../kube/api-types.ts';
import { parseImageReference } from '../kube/image-reference.ts';
import type { Image, ImageStore, RegistryAuth } from '../machine/model/image.ts';

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

/** Always for the tag latest, else IfNotPresent: what the API server's defaulting writes, for pods that bypassed it. */
export function pullPolicyOf(reference: string, policy: string | undefined): PullPolicy {
  if (policy === 'Always' || policy === 'Never' || policy === 'IfNotPresent') return policy;
  return parseImageReference(reference).tag === 'latest' ? 'Always' : 'IfNotPresent';
}

export type ImageRequest = {
  readonly reference: string;
  readonly policy: PullPolicy;
  readonly auths: readonly RegistryAuth[];
  readonly signal: AbortSignal;
  /** Called when it has to be fetched and its turn has come. */
  readonly onPulling: () => void;
};

export type ImageResult = { readonly image: Image; readonly wasPresent: boolean };

export class ImagePuller {
  readonly #images: ImageStore;
  /** The end of the last request for each reference. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free: number = BOUNDS.parallelPulls;

  constructor(images: ImageStore) {
    this.#images = images;
  }

  /** Throws InvalidImageName, ImageNeverPull, ImagePullFailed. */
  async ensure(request: ImageRequest): Promise<ImageResult> {
    parseImageReference(request.reference);
    const before = this.#turns.get(request.reference) ?? Promise.resolve();
    const turn = before.then(() => this.#ensureInTurn(request));
    const settled = turn.catch(() => {});
    this.#turns.set(request.reference, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(request.reference) === settled) this.#turns.delete(request.reference);
    }
  }

  async #ensureInTurn(request: ImageRequest): Promise<ImageResult> {
    request.signal.throwIfAborted();
    const { reference, policy, auths, signal } = request;
    const present = policy === 'Always' ? undefined : await this.#images.resolve(reference);
    if (present !== undefined) return { image: present, wasPresent: true };
    if (policy === 'Never') {
      throw new PodwrightError(
        'ImageNeverPull',
        `Container image "${reference}" is not present with pull policy of Never`,
      );
    }
    await this.#acquire();
    try {
      signal.throwIfAborted();
      request.onPulling();
      return { image: await this.#images.pull(reference, { auths, signal }), wasPresent: false };
    } finally {
      this.#release();
    }
  }

  async #acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

type DockerConfig = {
  readonly auths?: Readonly<
    Record<string, { readonly auth?: string; readonly username?: string; readonly password?: string }>
  >;
};

/** The logins that imagePullSecrets hold for the registry of an image. https://kubernetes.io/docs/concepts/containers/images/ */
export function registryAuths(secrets: readonly Secret[], reference: string): readonly RegistryAuth[] {
  const { registry } = parseImageReference(reference);
  return secrets.flatMap((secret) => {
    const auths = dockerAuths(secret);
    return Object.entries(auths).flatMap(([server, login]): RegistryAuth[] => {
      if (registryOf(server) !== registry) return [];
      const [username = '', ...rest] = Buffer.from(login.auth ?? '', 'base64')
        .toString('utf8')
        .split(':');
      const password = login.password ?? rest.join(':');
      const name = login.username ?? username;
      return name === '' ? [] : [{ username: name, password }];
    });
  });
}

/** A secret that does not parse is as good as none: the pull then fails and says why. */
function dockerAuths(secret: Secret): NonNullable<DockerConfig['auths']> {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  try {
    if (secret.type === 'kubernetes.io/dockerconfigjson')
      return (JSON.parse(text('.dockerconfigjson')) as DockerConfig).auths ?? {};
    if (secret.type === 'kubernetes.io/dockercfg')
      return JSON.parse(text('.dockercfg')) as NonNullable<DockerConfig['auths']>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return {};
}

/** "https://index.docker.io/v1/" is docker.io; a path below the registry is not told apart. */
function registryOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}
