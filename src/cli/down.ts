// podwright down and rm: objects go, gracefully or at once, and the command ends when they are gone.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import { PODS } from '../client/resources.ts';
import { type Cli, type ExitCode, interruptSignal, print, printNote } from './cli.ts';
import { podName } from './logs.ts';
import { isManifestArgument, readManifests } from './manifests.ts';
import { type RemovalTarget, removeObject, targetText } from './remove.ts';

export type DownOptions = {
  readonly gracePeriodSeconds?: number | undefined;
  readonly timeoutMs: number;
};

/** Pods first: what they stand on goes after them. */
async function targetsOf(cli: Cli, args: readonly string[]): Promise<readonly (readonly RemovalTarget[])[]> {
  const files = args.filter(isManifestArgument);
  const names = args.filter((argument) => !isManifestArgument(argument));
  const fromFiles = files.length === 0 ? [] : await readManifests(cli, files);
  const named = names.map((name) => ({ ref: PODS, key: { namespace: cli.namespace, name: podName(name) } }));
  const pods = [...fromFiles.filter(({ ref }) => ref.kind === 'Pod'), ...named];
  return [pods, fromFiles.filter(({ ref }) => ref.kind !== 'Pod').reverse()];
}

/** 1 when a pod given by name does not exist; absent objects of a file are as they should be. */
export async function down(cli: Cli, args: readonly string[], options: DownOptions): Promise<ExitCode> {
  const groups = await targetsOf(cli, args);
  const { api } = await cli.connect();
  using interrupt = interruptSignal(cli);
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(options.timeoutMs)]);
  const missing: string[] = [];
  try {
    for (const group of groups) {
      await Promise.all(
        group.map(async (target) => {
          const existed = await removeObject(api, target, {
            gracePeriodSeconds: options.gracePeriodSeconds,
            signal,
          });
          if (existed) print(cli, `${targetText(target)} removed`);
          else missing.push(targetText(target));
        }),
      );
    }
  } catch (error) {
    if (!interrupt.signal.aborted || isPodwrightError(error)) throw error;
    printNote(cli, 'the removal goes on without this command');
    return 130;
  }
  for (const name of missing) printNote(cli, `${name}: not found in namespace ${cli.namespace}`);
  const named = args
    .filter((argument) => !isManifestArgument(argument))
    .map((name) => `pod/${podName(name)}`);
  return missing.some((name) => named.includes(name)) ? 1 : 0;
}

/** All pods of the namespace, or those named; without grace. */
export async function rm(
  cli: Cli,
  names: readonly string[],
  options: { readonly all: boolean; readonly timeoutMs: number },
): Promise<ExitCode> {
  if (options.all === names.length > 0)
    throw new PodwrightError('InvalidInput', 'rm: name pods, or give --all');
  const { api } = await cli.connect();
  const listed = options.all ? (await api.list(PODS, { namespace: cli.namespace })).items : [];
  const pods = options.all ? listed.map(({ metadata }) => metadata?.name ?? '') : names;
  return down(
    cli,
    pods.map((name) => `pod/${podName(name)}`),
    { gracePeriodSeconds: 0, timeoutMs: options.timeoutMs },
  );
}
