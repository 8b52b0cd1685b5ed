// podwright doctor: what the machine has and lacks, each line with its remedy. 1 when something is missing.
import type { Finding } from '../machine/doctor.ts';
import { type Cli, type ExitCode, print } from './cli.ts';

const MARKS: Record<Finding['state'], { readonly mark: string; readonly color: 'green' | 'yellow' | 'red' }> =
  {
    ok: { mark: '✔', color: 'green' },
    warning: { mark: '!', color: 'yellow' },
    missing: { mark: '✖', color: 'red' },
  };

export function findingLines({ colors }: Pick<Cli, 'colors'>, findings: readonly Finding[]): string[] {
  const width = Math.max(0, ...findings.map(({ topic }) => topic.length));
  return findings.flatMap(({ topic, state, found, remedy }) => {
    const { mark, color } = MARKS[state];
    const line = `${colors[color](mark)} ${topic.padEnd(width)}  ${found}`;
    return remedy === undefined ? [line] : [line, `  ${' '.repeat(width)}  ${colors.dim(`→ ${remedy}`)}`];
  });
}

export type DoctorOptions = {
  readonly output: 'text' | 'json';
  readonly examine: () => Promise<readonly Finding[]>;
};

export async function doctor(cli: Cli, { output, examine }: DoctorOptions): Promise<ExitCode> {
  const findings = await examine();
  if (output === 'json') print(cli, JSON.stringify(findings, null, 2));
  else for (const line of findingLines(cli, findings)) print(cli, line);
  return findings.some(({ state }) => state === 'missing') ? 1 : 0;
}
