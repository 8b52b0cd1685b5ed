// A CSI driver of one file: it downloads a WAR before the pod starts, checks it, and puts it into the volume. It mounts
// nothing, so it needs no rights but to its own directories.
//
//   node examples/csi-war/war-driver.ts --socket <data-dir>/plugins/war.podwright.dev/csi.sock --cache /var/cache/war
//
// Attributes of a volume: url, sha256 (hex), and name, which is the file's ("app.war"). A file is downloaded once for its
// checksum, however many pods want it, and what does not match its checksum is never seen by a container.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { CSI_PROTO } from '../../src/machine/volumes/csi/csi-proto.ts';

const DOWNLOAD_MS = 60_000;

type Request = {
  readonly volumeId: string;
  readonly targetPath: string;
  readonly stagingTargetPath: string;
  readonly volumeContext: Readonly<Record<string, string>>;
};

class CallError extends Error {
  readonly code: number;
  constructor(code: number, details: string) {
    super(details);
    this.code = code;
  }
}

type War = { readonly url: string; readonly sha256: string; readonly name: string };

function warOf({ url = '', sha256 = '', name = 'app.war' }: Request['volumeContext']): War {
  const wrong = (what: string): CallError => new CallError(status.INVALID_ARGUMENT, what);
  if (!/^https?:/.test(url)) throw wrong(`attribute url must be a URL: ${JSON.stringify(url)}`);
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw wrong(`attribute sha256 must be 64 hex digits: ${JSON.stringify(sha256)}`);
  if (name !== basename(name) || name.startsWith('.'))
    throw wrong(`attribute name must be a file name: ${JSON.stringify(name)}`);
  return { url, sha256, name };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The downloads under way, by checksum. */
const downloads = new Map<string, Promise<string>>();

/** The cached file. */
function cached(cache: string, war: War): Promise<string> {
  const running =
    downloads.get(war.sha256) ?? download(cache, war).finally(() => downloads.delete(war.sha256));
  downloads.set(war.sha256, running);
  return running;
}

async function download(cache: string, { url, sha256 }: War): Promise<string> {
  const path = join(cache, sha256);
  if (await exists(path)) return path;
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) }).catch((error: unknown) => {
    throw new CallError(
      status.UNAVAILABLE,
      `download ${url}: ${error instanceof Error ? error.message : error}`,
    );
  });
  if (!response.ok) throw new CallError(status.UNAVAILABLE, `download ${url}: HTTP ${response.status}`);
  const content = new Uint8Array(await response.arrayBuffer());
  const found = createHash('sha256').update(content).digest('hex');
  if (found !== sha256)
    throw new CallError(status.DATA_LOSS, `${url} has the checksum ${found}, not ${sha256}`);
  await writeFile(`${path}.part`, content, { mode: 0o644 });
  await rename(`${path}.part`, path);
  return path;
}

function handlers(cache: string) {
  return {
    NodeGetCapabilities: async () => ({ capabilities: [{ rpc: { type: 'STAGE_UNSTAGE_VOLUME' } }] }),
    NodeStageVolume: async ({ volumeContext, stagingTargetPath }: Request) => {
      const war = warOf(volumeContext);
      await copyFile(await cached(cache, war), join(stagingTargetPath, war.name));
      return {};
    },
    NodeUnstageVolume: async ({ stagingTargetPath }: Request) => {
      await rm(stagingTargetPath, { recursive: true, force: true });
      return {};
    },
    NodePublishVolume: async ({ volumeContext, stagingTargetPath, targetPath }: Request) => {
      const war = warOf(volumeContext);
      const source = stagingTargetPath === '' ? await cached(cache, war) : join(stagingTargetPath, war.name);
      await mkdir(targetPath, { recursive: true });
      await copyFile(source, join(targetPath, war.name));
      return {};
    },
    NodeUnpublishVolume: async ({ targetPath }: Request) => {
      await rm(targetPath, { recursive: true, force: true });
      return {};
    },
  };
}

/** A handler as gRPC calls it; each call is a line on standard output. */
function answering(method: string, handle: (request: Request) => Promise<object>) {
  return async (
    { request }: ServerUnaryCall<Request, object>,
    done: sendUnaryData<object>,
  ): Promise<void> => {
    try {
      const response = await handle(request);
      process.stdout.write(`${method} ${request.volumeId ?? ''}\n`);
      done(null, response);
    } catch (error) {
      const code = error instanceof CallError ? error.code : status.INTERNAL;
      const details = error instanceof Error ? error.message : String(error);
      process.stdout.write(`${method} ${request.volumeId ?? ''}: ${details}\n`);
      done({ code, details });
    }
  };
}

const { values } = parseArgs({ options: { socket: { type: 'string' }, cache: { type: 'string' } } });
const { socket, cache } = values;
if (socket === undefined || cache === undefined)
  throw new Error('usage: war-driver.ts --socket PATH --cache DIRECTORY');
await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
await mkdir(cache, { recursive: true, mode: 0o700 });
// A driver that was killed left it.
await rm(socket, { force: true });

const definition = loadPackageDefinition(fromJSON(CSI_PROTO as never, { enums: String, defaults: true }));
const { Node } = (definition.csi as { v1: { Node: ServiceClientConstructor } }).v1;
const server = new Server();
server.addService(
  Node.service,
  Object.fromEntries(
    Object.entries(handlers(cache)).map(([method, handle]) => [method, answering(method, handle)]),
  ),
);
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write(`listening ${socket}\n`);
});
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => server.tryShutdown(() => process.exit(0)));
