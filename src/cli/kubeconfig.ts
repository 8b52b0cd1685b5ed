// podwright kubeconfig: the file that lets kubectl and every client library in.
import { readFile } from 'node:fs/promises';
import { PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import { type Cli, type ExitCode, print } from './cli.ts';

/** Throws EngineUnreachable when no engine has written it yet. */
export async function readKubeconfigText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new PodwrightError('EngineUnreachable', `no engine has run here: there is no ${path}`, {
      cause: error,
    });
  }
}

export async function kubeconfig(
  cli: Cli,
  options: { readonly show: 'path' | 'content' },
): Promise<ExitCode> {
  const content = await readKubeconfigText(cli.kubeconfigPath);
  print(cli, options.show === 'path' ? cli.kubeconfigPath : content.trimEnd());
  return 0;
}
