// What a node offers to the API server beside objects: the kubelet's own HTTP API (containerLogs, exec) as an interface.
// The agent implements it, main/ hands it to the API server; neither imports the other.
import type { Duplex, Readable, Writable } from 'node:stream';

export type LogOptions = {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number | undefined;
  readonly sinceMs?: number | undefined;
  readonly limitBytes?: number | undefined;
};

export type ContainerTarget = {
  readonly namespace: string;
  readonly pod: string;
  /** Absent: the pod's only container, or the one kubectl.kubernetes.io/default-container names. */
  readonly container?: string | undefined;
};

export type PortRequest = {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  readonly signal: AbortSignal;
};

export type ExecRequest = ContainerTarget & {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  /** Absent with a tty: both come over stdout. */
  readonly stderr?: Writable | undefined;
  readonly signal: AbortSignal;
};

/** Input and output of the container's own process instead of a command's. */
export type AttachRequest = Omit<ExecRequest, 'command'>;

export type ExecSession = {
  /** The command's exit code, once it ended and all output was written; 0 when an attached container has ended. */
  readonly exitCode: Promise<number>;
  resize(size: { readonly columns: number; readonly rows: number }): void;
};

/** Failures are PodwrightErrors with an API reason (NotFound, BadRequest ...), worded as the kubelet words them. */
export type ContainerApi = {
  /** Raw log bytes as `kubectl logs` shows them; ends when the container did, unless it was aborted before. */
  logs(target: ContainerTarget, options: LogOptions, signal: AbortSignal): Promise<Readable>;
  exec(request: ExecRequest): Promise<ExecSession>;
  attach(request: AttachRequest): Promise<ExecSession>;
};

export type NodeAnswer = { readonly contentType: string; readonly body: string };

/** What a container or a node used of its processors over the window, and holds of memory at its end. */
export type ResourceUsage = { readonly cpuNanoCores: number; readonly memoryBytes: number };

export type NodeUsageReport = {
  readonly nodeName: string;
  readonly atMs: number;
  readonly windowMs: number;
  readonly node: ResourceUsage;
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly containers: readonly (ResourceUsage & { readonly name: string })[];
  }[];
};

export type NodeApi = ContainerApi & {
  /** What the kubelet answers to GET at a path ("/stats/summary"); undefined where it has nothing. */
  get(path: string): Promise<NodeAnswer | undefined>;
  /** Waits until there is a window to measure over: a second at most. */
  usage(): Promise<NodeUsageReport>;
  /** A TCP connection to a port on the loopback address inside the pod's network. */
  connectPort(request: PortRequest): Promise<Duplex>;
};

/** By the Node's name; undefined for one that does not run here. */
export type NodeLookup = (nodeName: string) => NodeApi | undefined;
