// The command line's border for errors: one line that says what failed, the causes field by field, and what to do.
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

function causeLines(error: PodwrightError): string[] {
  return (error.details.causes ?? []).map(
    ({ field, message }) => `  ${field === undefined ? '' : `${field}: `}${message}`,
  );
}

/** Several lines, the first "error: ...". */
export function failureText(error: unknown): string {
  if (isPodwrightError(error)) {
    // kube-apiserver's message of an Invalid object repeats all causes in one line; one cause a line reads better.
    const causes = causeLines(error);
    const message =
      causes.length > 1 ? error.message.replace(/ is invalid: \[.*$/s, ' is invalid:') : errorText(error);
    const remedy = REMEDIES[error.code];
    return [
      `error: ${message}`,
      ...(causes.length > 1 ? causes : []),
      ...(remedy === undefined ? [] : [remedy]),
    ].join('\n');
  }
  const errno = errnoOf(error);
  if (errno === 'EACCES' || errno === 'EPERM') return `error: ${errorText(error)}\n${REMEDIES.NotRoot}`;
  if (errno !== undefined) return `error: ${errorText(error)}`;
  // A programmer error: the stack is what its reader needs.
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
