// Kubeconfig files: what the command line and tests need of them. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';

/** Where the API is and who asks. PEM texts; a client certificate or a token or neither. */
export type ClientConfig = {
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
};

type Named<Key extends string, T> = { readonly name: string } & { readonly [key in Key]?: T };
type Fields = { readonly [field: string]: string | undefined };
type Kubeconfig = {
  readonly 'current-context'?: string;
  readonly contexts?: readonly Named<'context', Fields>[];
  readonly clusters?: readonly Named<'cluster', Fields>[];
  readonly users?: readonly Named<'user', Fields>[];
};

function pemOf(fields: Fields, name: string): string | undefined {
  const data = fields[`${name}-data`];
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const file = fields[name];
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}

/** The current context's cluster and user. Throws EngineUnreachable when there is no file, InvalidInput when it is wrong. */
export function readKubeconfig(path: string): ClientConfig {
  const config = parseFile(path);
  const named = <T extends { readonly name: string }>(
    list: readonly T[] | undefined,
    name: string | undefined,
  ) => list?.find((one) => one.name === name);
  const context = named(config.contexts, config['current-context'])?.context;
  const cluster = named(config.clusters, context?.cluster)?.cluster;
  const user = named(config.users, context?.user)?.user ?? {};
  if (cluster?.server === undefined) {
    throw new PodwrightError(
      'InvalidInput',
      `kubeconfig ${path}: current-context names no cluster with a server`,
    );
  }
  return {
    server: cluster.server,
    ca: pemOf(cluster, 'certificate-authority'),
    cert: pemOf(user, 'client-certificate'),
    key: pemOf(user, 'client-key'),
    token: user.token,
  };
}

function parseFile(path: string): Kubeconfig {
  try {
    return (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new PodwrightError('EngineUnreachable', `no kubeconfig at ${path}: no engine has run there`, {
        cause: error,
      });
    }
    throw new PodwrightError('InvalidInput', `read kubeconfig ${path}`, { cause: error });
  }
}
