// The command line's border for errors: what failed in a line, the causes field by field, and what to do.
import { type ErrorCode, errorText, isPodwrightError, type PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';

/** What helps against a kind of failure, where its message does not say so already. */
const REMEDIES: Partial<Record<ErrorCode, string>> = {
  EngineUnreachable: 'start one with: podwright serve',
  NotRoot: 'run it as root: sudo podwright ...',
  ProgramMissing: 'podwright doctor says what this machine lacks and how to get it',
  RuntimeRefused: 'podwright doctor says which runtime works here and why another does not',
  Unauthorized: 'the kubeconfig belongs to another engine; give --data-dir or --kubeconfig',
  PortInUse: 'choose another port, or end what listens there',
};

/** EACCES and EPERM anywhere in the chain mean that another user was asked for. */
function isPermission(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['EACCES', 'EPERM'].includes(errnoOf(error) ?? '') || isPermission(error.cause);
}

function podwrightLines(error: PodwrightError): string[] {
  const causes = error.details.causes ?? [];
  // kube-apiserver's message of an Invalid object repeats all causes in one line; one cause a line reads better.
  if (causes.length > 1) {
    const head = error.message.replace(/ is invalid: \[.*\](?=\n|$)/s, ' is invalid:');
    return [
      `error: ${head}`,
      ...causes.map(({ field, message }) => `  ${field === undefined ? '' : `${field}: `}${message}`),
    ];
  }
  // Where nothing answers, the errno below says nothing more.
  return [`error: ${error.code === 'EngineUnreachable' ? error.message : errorText(error)}`];
}

/** Without a line break at its end; the first line starts with "error: ". */
export function failureText(error: unknown): string {
  if (!isPodwrightError(error) && errnoOf(error) === undefined) {
    // A programmer error: the stack is what its reader needs.
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const lines = isPodwrightError(error) ? podwrightLines(error) : [`error: ${errorText(error)}`];
  const remedy = isPermission(error)
    ? REMEDIES.NotRoot
    : isPodwrightError(error)
      ? REMEDIES[error.code]
      : undefined;
  return [...lines, ...(remedy === undefined ? [] : [remedy])].join('\n');
}
