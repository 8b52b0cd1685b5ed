// The kernel's side of the engine's own network: the bridge, and a pod's pair of virtual interfaces with its address and
// route, by netlink in this process. Who has which address is bridge-network.ts's.
//
// Invariant: the name of the host's end is made of the pod's address, so the kernel itself cannot give one address to two
// pods. An end that is there although nobody holds the address is what a dead namespace has not let go of yet.
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { isPodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import type { AddressRange } from './address-range.ts';
import {
  addressesIn,
  defaultRoute,
  deleteAddress,
  deleteLink,
  getLink,
  hairpin,
  ipv4Bytes,
  linkIndexOf,
  listAddresses,
  type Mac,
  newAddress,
  newBridge,
  newPodVeth,
  type PodVeth,
  upLink,
} from './netlink/links.ts';
import { mustAsk, NETLINK, type NetlinkSocket, openNetlink } from './netlink/socket.ts';

export const POD_INTERFACE = 'eth0';
const LOOPBACK_INDEX = 1;
/** Of IFNAMSIZ 16, without the NUL: "pw", these, and eight digits of the address. */
const INSTANCE_DIGITS = 5;

export type Bridge = { readonly name: string; readonly instance: string; readonly range: AddressRange };

/** Made of the address: who asks for the address again is answered with the same, however old the answer is. */
const macOf = (address: string): Mac => Buffer.concat([Buffer.from([0x0a, 0x58]), ipv4Bytes(address)]);

const hostNameOf = ({ instance }: Bridge, address: string): string =>
  `pw${instance.slice(0, INSTANCE_DIGITS)}${ipv4Bytes(address).toString('hex')}`;

async function withSocket<T>(socket: NetlinkSocket, use: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  try {
    return await use(socket);
  } finally {
    socket.close();
  }
}

async function linkIndex(socket: NetlinkSocket, name: string): Promise<number | undefined> {
  const [answer] = await socket.ask([getLink(name)]);
  return answer?.kind === 'ok' ? linkIndexOf(answer.replies) : undefined;
}

/** The bridge with the range's gateway address and no other; what is there already stays. */
export function ensureBridge({ name, range }: Bridge): Promise<void> {
  const { gateway, prefixLength, broadcast } = range;
  return withSocket(openNetlink(NETLINK.ROUTE), async (socket) => {
    if ((await linkIndex(socket, name)) === undefined) {
      await mustAsk(socket, [[`make bridge ${name}`, newBridge(name, macOf(gateway))]]);
    }
    const [found = [], listed = []] = await mustAsk(socket, [
      [`find bridge ${name}`, getLink(name)],
      [`list addresses of ${name}`, listAddresses()],
    ]);
    const index = linkIndexOf(found);
    // Of an earlier --pod-cidr.
    const old = addressesIn(listed, index).filter(
      (one) => one.address !== gateway || one.prefixLength !== prefixLength,
    );
    await mustAsk(socket, [
      ...old.map(
        (one) =>
          [`take ${one.address} off ${name}`, deleteAddress(index, one.address, one.prefixLength)] as const,
      ),
      [`give ${name} its address`, newAddress({ index, address: gateway, prefixLength, broadcast })],
      [`turn ${name} on`, upLink(index)],
    ]);
    // Host ports answer at 127.0.0.1, too; host-rules.ts keeps pods from reaching anything else there.
    await writeFile(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
  });
}

async function bridgeIndex(socket: NetlinkSocket, bridge: Bridge): Promise<number> {
  const present = await linkIndex(socket, bridge.name);
  if (present !== undefined) return present;
  // Somebody removed it: that costs the pods that were on it their network, but not the next ones.
  await ensureBridge(bridge);
  const [found = []] = await mustAsk(socket, [[`find bridge ${bridge.name}`, getLink(bridge.name)]]);
  return linkIndexOf(found);
}

async function makeVeth(socket: NetlinkSocket, veth: PodVeth): Promise<void> {
  const make = [`make interface ${veth.hostName}`, newPodVeth(veth)] as const;
  try {
    await mustAsk(socket, [make]);
  } catch (error) {
    if (!isPodwrightError(error, 'NetworkFailed') || errnoOf(error) !== 'EEXIST') throw error;
    await mustAsk(socket, [[`take away the former ${veth.hostName}`, deleteLink(veth.hostName)], make]);
  }
}

async function connectHost(bridge: Bridge, address: string, netns: number): Promise<void> {
  await withSocket(openNetlink(NETLINK.ROUTE), async (socket) => {
    const hostName = hostNameOf(bridge, address);
    const index = await bridgeIndex(socket, bridge);
    const podMac = macOf(address);
    await makeVeth(socket, { hostName, bridgeIndex: index, podName: POD_INTERFACE, podMac, netns });
    const [found = []] = await mustAsk(socket, [[`find ${hostName}`, getLink(hostName)]]);
    await mustAsk(socket, [[`set up bridge port ${hostName}`, hairpin(linkIndexOf(found))]]);
  });
}

async function configurePod({ range }: Bridge, address: string, netns: number): Promise<void> {
  const { prefixLength, broadcast, gateway } = range;
  await withSocket(openNetlink(NETLINK.ROUTE, netns), async (socket) => {
    const [found = []] = await mustAsk(socket, [[`find ${POD_INTERFACE}`, getLink(POD_INTERFACE)]]);
    const index = linkIndexOf(found);
    await mustAsk(socket, [
      ['turn lo on', upLink(LOOPBACK_INDEX)],
      [`turn ${POD_INTERFACE} on`, upLink(index)],
      [`give ${POD_INTERFACE} its address`, newAddress({ index, address, prefixLength, broadcast })],
      ['set the default route', defaultRoute(index, gateway)],
    ]);
  });
}

/** lo, one interface, its address and the default route through the bridge. Throws NetworkFailed. */
export async function connectPod(bridge: Bridge, address: string, netnsPath: string): Promise<void> {
  const netns = openSync(netnsPath, 'r');
  try {
    await connectHost(bridge, address, netns);
    await configurePod(bridge, address, netns);
  } finally {
    closeSync(netns);
  }
}

/** Harmless where it is gone already. */
export async function removeBridge({ name }: Bridge): Promise<void> {
  await withSocket(openNetlink(NETLINK.ROUTE), (socket) => socket.ask([deleteLink(name)]));
}
