// Whether a host port is free, asked before a pod gets it: portmap itself would silently take it away from whoever has it.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import type { PodIdentity } from '../model/pod-identity.ts';
import type { PortMapping } from '../model/sandbox.ts';

export type PortHolder = { readonly pod: PodIdentity; readonly portMappings: readonly PortMapping[] };

const ANY = '0.0.0.0';
const textOf = ({ hostPort, protocol, hostIP }: PortMapping): string =>
  `host port ${hostIP === undefined ? '' : `${hostIP}:`}${hostPort}/${protocol}`;

function collides(a: PortMapping, b: PortMapping): boolean {
  const [ipA, ipB] = [a.hostIP ?? ANY, b.hostIP ?? ANY];
  return (
    a.hostPort === b.hostPort && a.protocol === b.protocol && (ipA === ipB || ipA === ANY || ipB === ANY)
  );
}

/** Throws PortInUse when another sandbox of this engine has the port. */
export function refuseHeldPorts(wanted: PortHolder, holders: Iterable<PortHolder>): void {
  for (const holder of holders) {
    for (const mapping of wanted.portMappings) {
      if (!holder.portMappings.some((held) => collides(held, mapping))) continue;
      const { namespace, name } = holder.pod;
      throw new PodwrightError('PortInUse', `${textOf(mapping)}: pod ${namespace}/${name} has it`);
    }
  }
}

/** Binds the port for a moment, as nothing else tells reliably. SCTP has no sockets here and goes unasked. */
async function tryBind({ protocol, hostPort, hostIP = ANY }: PortMapping): Promise<void> {
  if (protocol === 'TCP') {
    const server = createServer().listen({ port: hostPort, host: hostIP, exclusive: true });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  } else if (protocol === 'UDP') {
    const socket = createSocket('udp4').bind({ port: hostPort, address: hostIP, exclusive: true });
    await once(socket, 'listening');
    socket.close();
  }
}

/** Throws PortInUse when a process of the machine listens there, NetworkFailed when the address is not the machine's. */
export async function refuseBoundPorts(mappings: readonly PortMapping[]): Promise<void> {
  for (const mapping of mappings) {
    try {
      await tryBind(mapping);
    } catch (error) {
      if (errnoOf(error) === 'EADDRINUSE') {
        throw new PodwrightError('PortInUse', `${textOf(mapping)}: a process on this machine listens there`);
      }
      throw new PodwrightError('NetworkFailed', `${textOf(mapping)}: ${errorText(error)}`, { cause: error });
    }
  }
}
