// Links, addresses and routes as rtnetlink messages (rtnetlink(7)): what `ip link`, `ip address` and `ip route` would send.
// Data only. Numbers are those of linux/rtnetlink.h, if_link.h, if_addr.h and if_bridge.h.
import {
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  type NetlinkReply,
  NLM_F,
  u8,
} from './message.ts';

const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
};
const IFLA = { ADDRESS: 1, IFNAME: 3, MASTER: 10, PROTINFO: 12, LINKINFO: 18, NET_NS_FD: 28 };
const IFLA_INFO = { KIND: 1, DATA: 2 };
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 };
const RTA = { OIF: 4, GATEWAY: 5 };
const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7 };
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

/** struct ifinfomsg: family, -, type, index, flags, mask of the flags that change. */
function ifinfo({
  family = AF.UNSPEC,
  index = 0,
  up = '',
}: {
  family?: number;
  index?: number;
  up?: 'up' | '';
}): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  const flags = up === 'up' ? IFF_UP : 0;
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(flags, 12);
  return bytes;
}

export type Mac = Buffer;

/** Four bytes of "10.88.0.1". */
export const ipv4Bytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

export const getLink = (name: string): NetlinkMessage => ({
  type: RTM.GETLINK,
  fixed: ifinfo({}),
  attributes: [[IFLA.IFNAME, name]],
});

/** Of the answer to getLink. */
export const linkIndexOf = (replies: readonly NetlinkReply[]): number => replies[0]?.body.readInt32LE(4) ?? 0;

export const deleteLink = (name: string): NetlinkMessage => ({
  type: RTM.DELLINK,
  fixed: ifinfo({}),
  attributes: [[IFLA.IFNAME, name]],
});

export const upLink = (index: number): NetlinkMessage => ({
  type: RTM.NEWLINK,
  fixed: ifinfo({ index, up: 'up' }),
});

/** Its address is given, as otherwise it would change whenever a port comes or goes. */
export const newBridge = (name: string, mac: Mac): NetlinkMessage => ({
  type: RTM.NEWLINK,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  fixed: ifinfo({ up: 'up' }),
  attributes: [
    [IFLA.IFNAME, name],
    [IFLA.ADDRESS, mac],
    [IFLA.LINKINFO, [[IFLA_INFO.KIND, 'bridge']]],
  ],
});

export type PodVeth = {
  /** The end in the host's namespace, a port of the bridge. */
  readonly hostName: string;
  readonly bridgeIndex: number;
  /** The end in the pod's namespace, made there; down, as the kernel ties the two ends together only afterwards. */
  readonly podName: string;
  readonly podMac: Mac;
  readonly netns: number;
};

/** EEXIST where the host's end is there already. */
export function newPodVeth({ hostName, bridgeIndex, podName, podMac, netns }: PodVeth): NetlinkMessage {
  // A whole description of a link of its own, fixed part and all, as one attribute's value.
  const peer = Buffer.concat([
    ifinfo({}),
    encodeAttributes([
      [IFLA.IFNAME, podName],
      [IFLA.ADDRESS, podMac],
      [IFLA.NET_NS_FD, netns],
    ]),
  ]);
  return {
    type: RTM.NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    fixed: ifinfo({ up: 'up' }),
    attributes: [
      [IFLA.IFNAME, hostName],
      [IFLA.MASTER, bridgeIndex],
      [
        IFLA.LINKINFO,
        [
          [IFLA_INFO.KIND, 'veth'],
          [IFLA_INFO.DATA, [[VETH_INFO_PEER, peer]]],
        ],
      ],
    ],
  };
}

/** What comes in by a port of a bridge may leave by it: a pod reaches itself through its own host port. */
export const hairpin = (index: number): NetlinkMessage => ({
  type: RTM.SETLINK,
  fixed: ifinfo({ family: AF.BRIDGE, index }),
  attributes: [[IFLA.PROTINFO, [[IFLA_BRPORT_MODE, u8(1)]]]],
});

export type InterfaceAddress = {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
  readonly broadcast: string;
};

/** struct ifaddrmsg: family, prefix length, flags, scope, index. */
function ifaddr(prefixLength: number, index: number): Buffer {
  const bytes = Buffer.from([AF.INET, prefixLength, 0, 0, 0, 0, 0, 0]);
  bytes.writeUInt32LE(index, 4);
  return bytes;
}

/** Harmless where the interface has it. */
export const newAddress = ({
  index,
  address,
  prefixLength,
  broadcast,
}: InterfaceAddress): NetlinkMessage => ({
  type: RTM.NEWADDR,
  flags: NLM_F.CREATE | NLM_F.REPLACE,
  fixed: ifaddr(prefixLength, index),
  attributes: [
    [IFA.LOCAL, ipv4Bytes(address)],
    [IFA.ADDRESS, ipv4Bytes(address)],
    [IFA.BROADCAST, ipv4Bytes(broadcast)],
  ],
});

export const listAddresses = (): NetlinkMessage => ({
  type: RTM.GETADDR,
  flags: NLM_F.DUMP,
  fixed: ifaddr(0, 0),
});

/** The IPv4 addresses of one interface among the answers to listAddresses. */
export function addressesIn(
  replies: readonly NetlinkReply[],
  index: number,
): readonly { readonly address: string; readonly prefixLength: number }[] {
  return replies
    .filter(({ body }) => body.readUInt32LE(4) === index)
    .map(({ body }) => ({
      address: [...(decodeAttributes(body.subarray(8)).get(IFA.LOCAL) ?? [])].join('.'),
      prefixLength: body.readUInt8(1),
    }));
}

export const deleteAddress = (index: number, address: string, prefixLength: number): NetlinkMessage => ({
  type: RTM.DELADDR,
  fixed: ifaddr(prefixLength, index),
  attributes: [[IFA.LOCAL, ipv4Bytes(address)]],
});

/** struct rtmsg: family, lengths of destination and source (none: default), tos, table, protocol, scope, type, flags. */
export const defaultRoute = (index: number, gateway: string): NetlinkMessage => ({
  type: RTM.NEWROUTE,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  fixed: Buffer.from([AF.INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0]),
  attributes: [
    [RTA.OIF, index],
    [RTA.GATEWAY, ipv4Bytes(gateway)],
  ],
});
