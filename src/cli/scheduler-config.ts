// --scheduler-config FILE: the scheduler's profiles, read where the command line is read.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { errorText, PodwrightError } from '../base/errors.ts';
import { profilesOf } from '../scheduler/configuration.ts';
import type { Profile } from '../scheduler/profile.ts';

/** Undefined without a file. Throws InvalidInput for one that cannot be read or is no KubeSchedulerConfiguration. */
export async function readProfiles(path: string | undefined): Promise<readonly Profile[] | undefined> {
  if (path === undefined) return undefined;
  let configuration: unknown;
  try {
    configuration = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new PodwrightError('InvalidInput', `read ${path}: ${errorText(error)}`, { cause: error });
  }
  return profilesOf(configuration);
}
