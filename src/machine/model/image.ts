// Images and the store that holds them.

export type Image = {
  /** "sha256:..." of the image's config. */
  readonly id: string;
  /** Normalised names with tag: "docker.io/library/busybox:1". */
  readonly tags: readonly string[];
  /** "name@sha256:..." where known. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  readonly createdAtMs?: number | undefined;
  /** The image config's User, for runAsNonRoot. */
  readonly user: string;
  /** The image config's StopSignal. */
  readonly stopSignal?: string | undefined;
};

export type RegistryAuth = { readonly username: string; readonly password: string };

export type PullOptions = {
  /** Tried in order; none means anonymous. */
  readonly auths?: readonly RegistryAuth[] | undefined;
  readonly signal: AbortSignal;
};

export type ImageStore = {
  /** The image a reference means, if it is in the local store. Throws InvalidImageName. */
  resolve(reference: string): Promise<Image | undefined>;
  /** Fetches it even if it is present (only what changed is transferred). Throws ImagePullFailed, InvalidImageName. */
  pull(reference: string, options: PullOptions): Promise<Image>;
  /** An OCI or Docker archive, or an OCI layout directory; returns what it held. */
  load(
    path: string,
    options: { readonly signal: AbortSignal; readonly name?: string | undefined },
  ): Promise<readonly Image[]>;
  list(): Promise<readonly Image[]>;
  /** By reference or id; throws ImageNotFound. The caller has made sure that no container uses it. */
  remove(reference: string): Promise<void>;
};
