// Calls of a CSI driver's node service over its Unix socket. The gRPC library is loaded with the first call: an engine
// without such a volume never does.
import { existsSync } from 'node:fs';
import { BOUNDS } from '../../../base/bounds.ts';
import { PodwrightError } from '../../../base/errors.ts';
import { CSI_PROTO } from './csi-proto.ts';

export type CsiMethod =
  | 'NodeGetCapabilities'
  | 'NodeStageVolume'
  | 'NodeUnstageVolume'
  | 'NodePublishVolume'
  | 'NodeUnpublishVolume';

/** Throws MountFailed in the words of Go's gRPC. */
export type CsiCall = (method: CsiMethod, request: object) => Promise<unknown>;

export type CsiDriver = { readonly name: string; readonly socket: string };

type UnaryCall = (
  request: object,
  options: { readonly deadline: number },
  done: (error: { readonly code: number; readonly details: string } | null, response: unknown) => void,
) => void;

/** Connects, calls with a function that makes calls, and disconnects. */
export async function withDriver<T>(driver: CsiDriver, use: (call: CsiCall) => Promise<T>): Promise<T> {
  if (!existsSync(driver.socket)) {
    const where = `no socket at ${driver.socket}`;
    throw new PodwrightError(
      'MountFailed',
      `driver name ${driver.name} not found in the list of registered CSI drivers (${where})`,
    );
  }
  const [grpc, { fromJSON }] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
  // Its type wants every message to have every part that protobuf.js may write.
  const definition = fromJSON(CSI_PROTO as never, { enums: String })['csi.v1.Node'];
  const Client = grpc.makeClientConstructor(definition as never, 'Node');
  const client = new Client(`unix:${driver.socket}`, grpc.credentials.createInsecure());
  const call: CsiCall = (method, request) =>
    new Promise((resolve, reject) => {
      const unary = (client[method] as unknown as UnaryCall).bind(client);
      unary(request, { deadline: Date.now() + BOUNDS.csiCallMs }, (error, response) => {
        if (error === null) return resolve(response);
        const code = grpc.status[error.code] ?? String(error.code);
        reject(new PodwrightError('MountFailed', `rpc error: code = ${code} desc = ${error.details}`));
      });
    });
  try {
    return await use(call);
  } finally {
    client.close();
  }
}
