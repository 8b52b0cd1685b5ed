// CNI configurations: the first one of a user's directory. Data only; cni-protocol.ts runs it.
// https://www.cni.dev/docs/spec/#section-1-network-configuration-format
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, PodwrightError } from '../../base/errors.ts';

/** One plug-in's part of a list; everything but `type` and `capabilities` is between the user and the plug-in. */
export type CniPlugin = {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>> | undefined;
  readonly [key: string]: unknown;
};

export type CniNetworkList = {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly CniPlugin[];
};

const CNI_VERSION = '1.0.0';

/** A pod's `lo`, which is a network of its own: it needs neither address nor state and runs beside the other. */
export const LOOPBACK: CniNetworkList = {
  cniVersion: CNI_VERSION,
  name: 'podwright-loopback',
  plugins: [{ type: 'loopback' }],
};

/** A .conflist, or a .conf of one plug-in made into a list. Throws InvalidInput with the reason. */
export function parseNetworkList(text: string, path: string): CniNetworkList {
  const refuse = (why: string, cause?: unknown): PodwrightError =>
    new PodwrightError('InvalidInput', `read CNI configuration ${path}: ${why}`, { cause });
  let parsed: Partial<CniNetworkList> & { readonly type?: unknown };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refuse('not JSON', error);
  }
  if (typeof parsed !== 'object' || parsed === null) throw refuse('not a JSON object');
  const { cniVersion = '0.2.0', name } = parsed;
  if (typeof name !== 'string' || name === '') throw refuse('"name" is missing');
  const plugins = typeof parsed.type === 'string' ? [parsed as CniPlugin] : parsed.plugins;
  if (!Array.isArray(plugins) || plugins.length === 0) throw refuse('"plugins" is missing or empty');
  if (!plugins.every((plugin) => typeof plugin?.type === 'string')) throw refuse('a plug-in without "type"');
  if (plugins.some(({ type }) => type.includes('/'))) throw refuse('a plug-in whose "type" is a path');
  return { cniVersion, name, plugins };
}

/** First by name wins, as with the kubelet's runtimes. Throws NetworkFailed when there is none. */
export async function readNetworkDirectory(directory: string): Promise<CniNetworkList> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    throw new PodwrightError('NetworkFailed', `read CNI configuration directory: ${errorText(error)}`);
  }
  const [first] = names.filter((name) => /\.(conflist|conf|json)$/.test(name)).sort();
  if (first === undefined) {
    throw new PodwrightError(
      'NetworkFailed',
      `no CNI configuration (*.conflist, *.conf, *.json) in ${directory}`,
    );
  }
  const path = join(directory, first);
  return parseNetworkList(await readFile(path, 'utf8'), path);
}

/** The path of a plug-in's program, in the first directory that has it; undefined when none has. */
export async function findPlugin(type: string, pluginDirs: readonly string[]): Promise<string | undefined> {
  for (const directory of pluginDirs) {
    const path = join(directory, type);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next directory.
    }
  }
  return undefined;
}
