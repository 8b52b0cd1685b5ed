// podwright add: prints a manifest with a sidecar of patterns/ in it. It writes no file and asks no engine.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { errorText, PodwrightError } from '../base/errors.ts';
import { addPattern } from '../kube/add-pattern.ts';
import type { Cli, ExitCode } from './cli.ts';

/** Beside src/ in a checkout, beside dist/ in the package. */
const PATTERNS_DIR = join(import.meta.dirname, '../../patterns');
const SUFFIX = '.yaml';

async function readPattern(name: string): Promise<string> {
  const names = (await readdir(PATTERNS_DIR))
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
  if (!names.includes(name)) {
    throw new PodwrightError('InvalidInput', `add ${name}: no such pattern; there are ${names.join(', ')}`);
  }
  return readFile(join(PATTERNS_DIR, `${name}${SUFFIX}`), 'utf8');
}

/** @param file "-" is standard input. Throws InvalidInput. */
export async function add(
  cli: Cli,
  {
    pattern,
    file,
    name,
  }: { readonly pattern: string; readonly file: string; readonly name?: string | undefined },
): Promise<ExitCode> {
  const patternText = await readPattern(pattern);
  const read = file === '-' ? text(cli.stdin) : readFile(file, 'utf8');
  const manifest = await read.catch((error: unknown) => {
    throw new PodwrightError('InvalidInput', `read manifest ${file}: ${errorText(error)}`, { cause: error });
  });
  const source = { text: manifest, fileName: file === '-' ? 'standard input' : file };
  cli.stdout.write(addPattern(source, { text: patternText, fileName: pattern }, { name }));
  return 0;
}
