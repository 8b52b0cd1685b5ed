// A netlink socket: messages out in one call, the kernel's answers back. It knows nothing of links and addresses.
//
// Invariants
// - A socket speaks for the network namespace it was opened in, for ever. For a pod's, this thread enters that namespace
//   for the one call that opens the socket and is back before anything else can run.
// - The kernel may keep a sender waiting for its big network lock (rtnl): sending happens on a thread of koffi's, never on
//   the event loop.
import { closeSync } from 'node:fs';
import { PodwrightError } from '../../../base/errors.ts';
import { errnoName, libc, systemCallError } from '../../system/libc.ts';
import { inNamespace } from '../../system/namespaces.ts';
import {
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  type NetlinkReply,
  NLM_F,
} from './message.ts';

const socket = libc.func('int socket(int domain, int type, int protocol)');
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
);
const send = libc.func('long send(int fd, const void *bytes, size_t length, int flags)');
const recv = libc.func('long recv(int fd, _Out_ void *bytes, size_t length, int flags)');

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
/** The answer to a message does not repeat the message, and may carry the kernel's own words. */
const OPTIONS = { EXT_ACK: 11, CAP_ACK: 10 } as const;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
/** errno, and the header of the message it is about. */
const ERROR_BYTES = 20;
/** The kernel never makes a datagram of a dump larger. */
const DATAGRAM_BYTES = 32 * 1024;

export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

/** What the kernel said to one message: its replies, or why it refused. */
export type Answer =
  | { readonly kind: 'ok'; readonly replies: readonly NetlinkReply[] }
  /** errno as "EEXIST"; words as the kernel's, where it gave any. */
  | { readonly kind: 'refused'; readonly errno: string; readonly words: string };

function openSocket(protocol: number): number {
  const fd: number = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  if (fd < 0) throw systemCallError('open a netlink socket');
  for (const option of Object.values(OPTIONS))
    setsockopt(fd, SOL_NETLINK, option, Buffer.from([1, 0, 0, 0]), 4);
  return fd;
}

function answerOf({ flags, body }: NetlinkReply, replies: readonly NetlinkReply[]): Answer {
  const errno = -body.readInt32LE(0);
  if (errno === 0) return { kind: 'ok', replies };
  const told = (flags & NLM_F_ACK_TLVS) === 0 ? undefined : decodeAttributes(body.subarray(ERROR_BYTES));
  const words = told?.get(NLMSGERR_ATTR_MSG)?.toString().replace(/\0.*$/s, '') ?? '';
  return { kind: 'refused', errno: errnoName(errno), words };
}

export type NetlinkSocket = {
  /** One answer per message, in their order. The kernel goes on behind a message that it refused. */
  ask(messages: readonly NetlinkMessage[]): Promise<readonly Answer[]>;
  close(): void;
};

/** Of this process' own namespace, or of the one that is open as `netns`. */
export function openNetlink(protocol: number, netns?: number): NetlinkSocket {
  const fd =
    netns === undefined ? openSocket(protocol) : inNamespace('net', netns, () => openSocket(protocol));
  let sequence = 0;

  const sendAll = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      send.async(fd, bytes, bytes.length, 0, (error: unknown, sent: number | bigint) => {
        if (error) reject(error);
        else if (Number(sent) === bytes.length) resolve();
        else reject(new PodwrightError('SystemCall', 'send netlink messages: the kernel did not take them'));
      });
    });

  /** The kernel has answered by the time send(2) is back, but for the later parts of a dump: each recv brings the next. */
  const receive = (buffer: Buffer): NetlinkReply[] => {
    const length = Number(recv(fd, buffer, buffer.length, MSG_DONTWAIT));
    if (length < 0) throw systemCallError('read netlink answers');
    return decodeMessages(Buffer.from(buffer.subarray(0, length)));
  };

  const ask = async (messages: readonly NetlinkMessage[]): Promise<readonly Answer[]> => {
    const first = sequence + 1;
    sequence += messages.length;
    await sendAll(Buffer.concat(messages.map((message, index) => encodeMessage(message, first + index))));
    const buffer = Buffer.alloc(DATAGRAM_BYTES);
    const answers: Answer[] = [];
    const replies: NetlinkReply[] = [];
    while (answers.length < messages.length) {
      for (const reply of receive(buffer)) {
        const isDump = ((messages[answers.length]?.flags ?? 0) & NLM_F.DUMP) === NLM_F.DUMP;
        const isEnd = reply.type === NLMSG_ERROR || (isDump && reply.type === NLMSG_DONE);
        if (!isEnd) replies.push(reply);
        else answers.push(answerOf(reply, replies.splice(0)));
      }
    }
    return answers;
  };
  return { ask, close: () => closeSync(fd) };
}

/** The replies to messages that must succeed. Throws NetworkFailed with what was being done and the kernel's reason. */
export async function mustAsk(
  socket: NetlinkSocket,
  asked: readonly (readonly [doing: string, message: NetlinkMessage])[],
): Promise<readonly (readonly NetlinkReply[])[]> {
  const answers = await socket.ask(asked.map(([, message]) => message));
  return answers.map((answer, index) => {
    if (answer.kind === 'ok') return answer.replies;
    const { errno, words } = answer;
    throw Object.assign(
      new PodwrightError(
        'NetworkFailed',
        `${asked[index]?.[0]}: ${errno}${words === '' ? '' : ` (${words})`}`,
      ),
      { errno },
    );
  });
}
