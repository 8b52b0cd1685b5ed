// The manifests a command line names: files, directories, standard input; and the kinds the engine has.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { errorText, PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import type { ObjectKey, ResourceRef } from '../client/resource-api.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../client/resources.ts';
import { inApplyOrder, type ManifestEntry, parseManifest } from '../kube/manifest.ts';
import type { Cli } from './cli.ts';

const MANIFEST_FILE = /\.(ya?ml|json)$/;
const KINDS: readonly ResourceRef[] = [PODS, NAMESPACES, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS];

export type ManifestObjectRef = ManifestEntry & { readonly ref: ResourceRef; readonly key: ObjectKey };

/** Whether an argument of `down` names a file and not a pod; a directory is told by its "./". */
export function isManifestArgument(argument: string): boolean {
  if (/^pods?\//.test(argument)) return false;
  return argument === '-' || MANIFEST_FILE.test(argument) || /^[./]/.test(argument);
}

async function readArgument(cli: Cli, argument: string): Promise<ManifestEntry[]> {
  if (argument === '-') return parseManifest(await text(cli.stdin), 'standard input');
  try {
    if (!(await stat(argument)).isDirectory())
      return parseManifest(await readFile(argument, 'utf8'), argument);
    const names = (await readdir(argument)).filter((name) => MANIFEST_FILE.test(name)).sort();
    if (names.length === 0)
      throw new PodwrightError(
        'InvalidInput',
        `read manifests of ${argument}: no *.yaml, *.yml or *.json in it`,
      );
    const paths = names.map((name) => join(argument, name));
    return (
      await Promise.all(paths.map(async (path) => parseManifest(await readFile(path, 'utf8'), path)))
    ).flat();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new PodwrightError('InvalidInput', `read manifest ${argument}: no such file`);
    if (errnoOf(error) === undefined) throw error;
    throw new PodwrightError('InvalidInput', `read manifest ${argument}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function resolve({ source, object }: ManifestEntry, defaultNamespace: string): ManifestObjectRef {
  const { apiVersion, kind, metadata } = object;
  const ref = KINDS.find((one) => one.kind === kind && one.version === apiVersion);
  if (ref === undefined) {
    const known = KINDS.map((one) => one.kind).join(', ');
    throw new PodwrightError(
      'Unsupported',
      `${source}: the engine has no kind ${kind} of ${apiVersion}; it has ${known} of v1`,
    );
  }
  const namespace = ref.namespaced ? (metadata.namespace ?? defaultNamespace) : undefined;
  const named = namespace === undefined ? object : { ...object, metadata: { ...metadata, namespace } };
  return { source, object: named, ref, key: { namespace, name: metadata.name ?? '' } };
}

/** In the order they must be applied. Throws InvalidInput or Unsupported, before anything was sent. */
export async function readManifests(
  cli: Cli,
  args: readonly string[],
): Promise<readonly ManifestObjectRef[]> {
  const entries: ManifestEntry[] = [];
  for (const argument of args) entries.push(...(await readArgument(cli, argument)));
  if (entries.length === 0)
    throw new PodwrightError('InvalidInput', `read manifests ${args.join(' ')}: nothing in them`);
  const resolved = inApplyOrder(entries).map((entry) => resolve(entry, cli.namespace));
  const seen = new Map<string, string>();
  for (const { ref, key, source } of resolved) {
    if (key.name === '') continue;
    const name = `${ref.kind} ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
    const before = seen.get(name);
    if (before !== undefined)
      throw new PodwrightError('InvalidInput', `${source}: ${name} is also in ${before}`);
    seen.set(name, source);
  }
  return resolved;
}
