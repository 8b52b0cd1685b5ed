// The one class of operating errors and the one table of their codes. An operating error says what was being done to
// what; it is caught at three borders only: a pod's worker, the HTTP server, the command line. Programmer errors are
// ordinary Errors and crash the process: the monitors keep the containers.

/** Codes that are Kubernetes API reasons (meta/v1 StatusReason) carry the HTTP status kube-apiserver gives them. */
const API_REASONS = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

/** Codes of the machine and the command line. The text says what kind of thing failed. */
const MACHINE_CODES = {
  ProgramMissing: 'a program that Podwright stands on is not installed',
  ProgramFailed: 'a program ended with an error',
  ProgramTimeout: 'a program did not end within its bound',
  NotRoot: 'this needs root',
  ImageNotFound: 'the image is not in the local store',
  ImagePullFailed: 'the image could not be pulled',
  InvalidImageName: 'the image reference does not parse',
  ImageNeverPull: 'the image is absent and its pull policy is Never',
  ImageInUse: 'a container uses the image',
  RuntimeRefused: 'the OCI runtime does not work on this machine',
  CreateFailed: 'the container could not be created',
  StartFailed: 'the container was created but its command could not be started',
  ResizeFailed: 'the resources of a running container could not be changed',
  HookFailed: 'a postStart or preStop hook failed',
  ConfigFailed: 'the container refers to something that is missing or wrong',
  NetworkFailed: 'the network of a sandbox could not be set up',
  PortInUse: 'a host port is taken',
  MountFailed: 'a volume or root file system could not be mounted',
  SystemCall: 'a system call failed',
  Unsupported: 'Podwright does not have this',
  StoreCorrupt: 'the store on disk is damaged',
  InvalidInput: 'what was given does not parse or is not allowed',
  EngineUnreachable: 'no engine answers',
  WaitTimeout: 'what was waited for did not happen in time',
} as const;

export type ApiReason = keyof typeof API_REASONS;
export type ErrorCode = ApiReason | keyof typeof MACHINE_CODES;

/** One cause of an Invalid or Conflict answer: meta/v1 StatusCause. */
export type ErrorCause = {
  readonly reason: string;
  readonly message: string;
  readonly field?: string | undefined;
};

export type ErrorOptions = {
  readonly cause?: unknown;
  /** What the error is about, as meta/v1 StatusDetails has it. */
  readonly details?: {
    readonly name?: string | undefined;
    readonly group?: string | undefined;
    readonly kind?: string | undefined;
    readonly causes?: readonly ErrorCause[] | undefined;
    readonly retryAfterSeconds?: number | undefined;
  };
};

export class PodwrightError extends Error {
  override readonly name = 'PodwrightError';
  readonly code: ErrorCode;
  readonly details: NonNullable<ErrorOptions['details']>;

  /** @param message what was being done to what, and why it failed: "pull image x: connection refused". */
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details ?? {};
  }
}

export function isPodwrightError(error: unknown, ...codes: ErrorCode[]): error is PodwrightError {
  return error instanceof PodwrightError && (codes.length === 0 || codes.includes(error.code));
}

function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && (text in API_REASONS || text in MACHINE_CODES);
}

/** A meta/v1 Status that came over the wire, as the error it was. */
export function errorOfStatus(status: {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly details?: object | undefined;
}): PodwrightError {
  const code = isErrorCode(status.reason) ? status.reason : 'InternalError';
  return new PodwrightError(code, status.message ?? code, { details: status.details ?? {} });
}

/** The HTTP status of a code: Kubernetes' own for API reasons, 500 for everything else. */
export function httpStatusOf(code: ErrorCode): number {
  return code in API_REASONS ? API_REASONS[code as ApiReason] : 500;
}

/** A one-line text of anything thrown, with the chain of causes. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${errorText(error.cause)}`;
  return error.message + cause;
}
