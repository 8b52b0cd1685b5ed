// One instance of a container: what is wanted of it and what is seen of it, in CRI's and OCI's words.
import type { ContainerId } from '../../base/brand.ts';
import type { PodIdentity } from './pod-identity.ts';
import type { CgroupResources } from './sandbox.ts';

export type ContainerMount = {
  readonly containerPath: string;
  readonly source:
    | { readonly kind: 'volume'; readonly name: string; readonly subPath?: string | undefined }
    | { readonly kind: 'hostPath'; readonly path: string };
  readonly readOnly: boolean;
  /** Of a read-only mount: what is mounted below it is read-only, too. */
  readonly recursiveReadOnly?: 'IfPossible' | 'Enabled' | undefined;
  /** Kubernetes' names: None, HostToContainer, Bidirectional. */
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
};

export type ContainerSecurity = {
  /** Absent: what the image says. A name is looked up in the image's /etc/passwd. */
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly runAsNonRoot: boolean;
  readonly supplementalGroups: readonly number[];
  /** Strict: those the image's /etc/group puts the user in are not added (KEP-3619). Absent: Merge. */
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict' | undefined;
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp:
    | { readonly kind: 'RuntimeDefault' | 'Unconfined' }
    | { readonly kind: 'Localhost'; readonly path: string };
  /** Unmasked leaves /proc as the kernel shows it. */
  readonly procMount: 'Default' | 'Unmasked';
};

export type ContainerConfig = {
  readonly pod: PodIdentity;
  readonly sandboxAttempt: number;
  readonly name: string;
  /** 0 for the first instance; equals restartCount. (pod uid, name, attempt) names one instance for ever. */
  readonly attempt: number;
  readonly image: string;
  readonly imageId: string;
  /** Absent: the image's ENTRYPOINT. Already expanded ($(VAR)). */
  readonly command?: readonly string[] | undefined;
  /** Absent: the image's CMD, unless command is given. */
  readonly args?: readonly string[] | undefined;
  /** Added over the image's own. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly workingDir?: string | undefined;
  readonly mounts: readonly ContainerMount[];
  readonly resources: CgroupResources;
  readonly oomScoreAdj: number;
  readonly security: ContainerSecurity;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: 'File' | 'FallbackToLogsOnError';
  /** Process id namespace of this container instead of the sandbox's rule (ephemeral containers). */
  readonly targetContainer?: string | undefined;
  /** A RuntimeClass's: "crun", "runc". Absent: the machine's own runtime. */
  readonly runtimeHandler?: string | undefined;
  /** The agent's own notes, echoed by observe(): what a restarted engine must still know. */
  readonly annotations: Readonly<Record<string, string>>;
};

export type ContainerState =
  /** createContainer began and did not finish; only removeContainer makes sense. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'created' }
  | { readonly kind: 'running'; readonly startedAtMs: number; readonly pid: number }
  | {
      readonly kind: 'exited';
      /** Absent when it never started. */
      readonly startedAtMs?: number | undefined;
      readonly finishedAtMs: number;
      /** 128 + signal number when a signal ended it; 137 with ContainerStatusUnknown when nobody saw it end. */
      readonly exitCode: number;
      readonly reason: 'Completed' | 'Error' | 'OOMKilled' | 'ContainerStatusUnknown' | 'StartError';
      /** The termination message, at most 4096 bytes. */
      readonly message: string;
    };

export type ObservedContainer = {
  readonly id: ContainerId;
  readonly name: string;
  readonly attempt: number;
  readonly sandboxAttempt: number;
  readonly image: string;
  readonly imageId: string;
  readonly createdAtMs: number;
  readonly state: ContainerState;
  /** Set once signalContainer was called: when the first signal of a stop was sent. Survives the engine. */
  readonly stopSignalledAtMs?: number | undefined;
  /** What its cgroup is set to. Absent: it was made by an engine that did not note it. */
  readonly resources?: CgroupResources | undefined;
  readonly annotations: Readonly<Record<string, string>>;
};
