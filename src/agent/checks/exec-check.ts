// A command inside the container (pkg/probe/exec): exit code 0 is a success, any other a failure.
import { Writable } from 'node:stream';
import { BOUNDS } from '../../base/bounds.ts';
import { errorText } from '../../base/errors.ts';
import type { Machine } from '../../machine/machine.ts';
import type { CheckOptions, CheckResult, ExecCheck } from './check.ts';

export async function execCheck(
  { id, command }: ExecCheck,
  { signal, timeoutMs, machine }: CheckOptions & { readonly machine: Pick<Machine, 'exec'> },
): Promise<CheckResult> {
  const output = new CutOutput();
  try {
    const { exitCode } = await machine.exec(id, { command, tty: false, stdout: output, signal });
    const code = await exitCode;
    return { kind: code === 0 ? 'success' : 'failure', output: output.text() };
  } catch (error) {
    if (!signal.aborted) return { kind: 'unknown', output: errorText(error) };
    const text = `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutMs / 1000}s`;
    return { kind: 'failure', output: text };
  }
}

/** Keeps the first 10 KiB and takes the rest away. */
class CutOutput extends Writable {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#size < BOUNDS.probeOutputBytes) this.#chunks.push(chunk);
    this.#size += chunk.length;
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(0, BOUNDS.probeOutputBytes).toString('utf8');
  }
}
