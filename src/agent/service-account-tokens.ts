// The tokens that pods here have in their volumes: asked for once, shared by what asks the same, and renewed while the old
// one still holds (kubelet's token manager). They live in memory: a new agent asks anew.
//
// Invariant: a token that is handed out is the newest; when it is replaced, its pod is told.
import { BOUNDS } from '../base/bounds.ts';
import type { PodUid } from '../base/brand.ts';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { errorText, isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { TOKEN_REQUESTS } from '../client/resources.ts';
import type { Pod, ServiceAccountTokenProjection } from '../kube/api-types.ts';
import { configFailed } from './sources.ts';

export type TokensOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (uid: PodUid) => void;
};

type Entry = {
  readonly uid: PodUid;
  token: string;
  issuedAtMs: number;
  failuresInRow: number;
  cancel: CancelTimer;
};

/** kubelet: at 80 % of its life, or when it is a day old. */
const RENEW_AT_SHARE = 0.8;
const RENEW_MS_MAX = 24 * 3600_000;
const DEFAULT_SECONDS = 3600;

export const tokenProjections = (pod: Pod): readonly ServiceAccountTokenProjection[] =>
  (pod.spec?.volumes ?? []).flatMap(({ projected }) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
  );

const keyOf = (
  uid: string,
  { audience = '', expirationSeconds = DEFAULT_SECONDS }: ServiceAccountTokenProjection,
): string => `${uid}/${expirationSeconds}/${audience}`;

export class ServiceAccountTokens {
  readonly #options: TokensOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** Resolves when every token the pod's volumes need is there. Throws ConfigFailed. */
  async load(uid: PodUid, pod: Pod, signal: AbortSignal): Promise<void> {
    const missing = new Map(
      tokenProjections(pod)
        .map((projection) => [keyOf(uid, projection), projection] as const)
        .filter(([key]) => !this.#entries.has(key)),
    );
    await Promise.all(
      [...missing].map(async ([key, projection]) => {
        const token = await this.#request(uid, pod, projection);
        signal.throwIfAborted();
        const { clock } = this.#options;
        const entry = { uid, token, issuedAtMs: clock.nowMs(), failuresInRow: 0, cancel: () => {} };
        this.#entries.set(key, entry);
        this.#renewLater(entry, pod, projection);
      }),
    );
  }

  /** Changes with each renewal; undefined until all of them are there. */
  version(pod: Pod): string | undefined {
    const issued = tokenProjections(pod).map(
      (projection) => this.#entries.get(keyOf(pod.metadata?.uid ?? '', projection))?.issuedAtMs,
    );
    return issued.includes(undefined) ? undefined : issued.join(';');
  }

  token(pod: Pod, projection: ServiceAccountTokenProjection): string | undefined {
    return this.#entries.get(keyOf(pod.metadata?.uid ?? '', projection))?.token;
  }

  release(uid: PodUid): void {
    for (const [key, entry] of this.#entries) {
      if (entry.uid !== uid) continue;
      entry.cancel();
      this.#entries.delete(key);
    }
  }

  stop(): void {
    for (const { cancel } of this.#entries.values()) cancel();
    this.#entries.clear();
  }

  async #request(uid: PodUid, pod: Pod, projection: ServiceAccountTokenProjection): Promise<string> {
    const { namespace, name } = pod.metadata ?? {};
    const { audience, expirationSeconds = DEFAULT_SECONDS } = projection;
    const account = pod.spec?.serviceAccountName ?? '';
    const request = {
      metadata: { namespace, name: account },
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    try {
      const made = await this.#options.api.create(TOKEN_REQUESTS, request, { subresource: 'token' });
      return made.status?.token ?? '';
    } catch (error) {
      if (!(error instanceof PodwrightError)) throw error;
      throw configFailed(`failed to fetch token: ${error.message}`);
    }
  }

  #renewLater(entry: Entry, pod: Pod, projection: ServiceAccountTokenProjection): void {
    const { clock } = this.#options;
    const lifeMs = (projection.expirationSeconds ?? DEFAULT_SECONDS) * 1000;
    const retryMs = Math.min(BOUNDS.stepRetryMsMax, BOUNDS.stepRetryMsMin * 2 ** (entry.failuresInRow - 1));
    const atMs =
      entry.failuresInRow > 0
        ? clock.nowMs() + retryMs
        : entry.issuedAtMs + Math.min(lifeMs * RENEW_AT_SHARE, RENEW_MS_MAX);
    entry.cancel = clock.at(atMs, () => void this.#renew(entry, pod, projection));
  }

  async #renew(entry: Entry, pod: Pod, projection: ServiceAccountTokenProjection): Promise<void> {
    const { clock, log, onChange } = this.#options;
    try {
      entry.token = await this.#request(entry.uid, pod, projection);
      entry.issuedAtMs = clock.nowMs();
      entry.failuresInRow = 0;
    } catch (error) {
      if (!isPodwrightError(error)) throw error;
      entry.failuresInRow += 1;
      const { namespace, name } = pod.metadata ?? {};
      log.warn('a token was not renewed', { pod: `${namespace}/${name}`, error: errorText(error) });
    }
    const isHeld = this.#entries.get(keyOf(entry.uid, projection)) === entry;
    if (!isHeld) return;
    this.#renewLater(entry, pod, projection);
    if (entry.failuresInRow === 0) onChange(entry.uid);
  }
}
