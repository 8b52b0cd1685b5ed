// Connection tracking as ctnetlink messages: forgetting flows. Data only. Numbers are those of
// linux/netfilter/nfnetlink_conntrack.h.
import { type NetlinkMessage, u8, u32 } from './message.ts';

const CT_DELETE = (1 << 8) | 2;
const AF_INET = 2;
const CTA = { TUPLE_ORIG: 1, FILTER: 25 };
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 };
const CTA_FILTER_ORIG_FLAGS = 1;
const COMPARE = { PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 };
const UDP = 17;

/**
 * Forgets the UDP flows to a port of the host. A flow that began before the port led to a pod, or led to an earlier one,
 * would go on to where it went: address translation is decided by a flow's first packet alone. The kernel looks at the
 * filter since Linux 5.8; an older one finds no such flow and refuses.
 */
export function forgetUdpFlows(hostPort: number): NetlinkMessage {
  const port = Buffer.alloc(2);
  port.writeUInt16BE(hostPort);
  return {
    type: CT_DELETE,
    // struct nfgenmsg: family, version, resource.
    fixed: Buffer.from([AF_INET, 0, 0, 0]),
    attributes: [
      [
        CTA.TUPLE_ORIG,
        [
          [
            CTA_TUPLE_PROTO,
            [
              [CTA_PROTO.NUM, u8(UDP)],
              [CTA_PROTO.DST_PORT, port],
            ],
          ],
        ],
      ],
      [CTA.FILTER, [[CTA_FILTER_ORIG_FLAGS, u32(COMPARE.PROTO_NUM | COMPARE.PROTO_DST_PORT)]]],
    ],
  };
}
