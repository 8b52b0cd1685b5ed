// A container's root file system: the image's layers below, the instance's own layer above, one overlay mount.

/** The parts of the OCI image config that a container inherits. https://github.com/opencontainers/image-spec config.md */
export type OciImageConfig = {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly StopSignal?: string;
};

export type RootfsSource = {
  /** Throws ImageNotFound. */
  config(imageId: string): Promise<OciImageConfig>;
  /** Read-only layer directories, topmost first. */
  layers(imageId: string): Promise<readonly string[]>;
};
