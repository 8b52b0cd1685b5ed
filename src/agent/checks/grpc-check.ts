// One call of grpc.health.v1.Health/Check without TLS (pkg/probe/grpc). The messages are two fields, so they are framed
// here: request { string service = 1 }, response { ServingStatus status = 1 }.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md, .../doc/PROTOCOL-HTTP2.md
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { BOUNDS } from '../../base/bounds.ts';
import type { CheckOptions, CheckResult, GrpcCheck } from './check.ts';
import { dialText } from './http-check.ts';

const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const UNIMPLEMENTED = 12;

type Reply = { readonly status: number; readonly message: string; readonly body: Buffer };

export async function grpcCheck(check: GrpcCheck, options: CheckOptions): Promise<CheckResult> {
  const authority = `${check.host.includes(':') ? `[${check.host}]` : check.host}:${check.port}`;
  const session = connect(`http://${authority}`);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  session.once('error', reject);
  options.signal.addEventListener('abort', () => reject(options.signal.reason), { once: true });
  try {
    options.signal.throwIfAborted();
    // The session's error says why; the stream's would only say that there was one.
    await Promise.race([new Promise((resolve) => session.once('connect', resolve)), broken]);
    return resultOf(await Promise.race([call(session, check.service), broken]));
  } catch (error) {
    const seconds = options.timeoutMs / 1000;
    const output = options.signal.aborted
      ? `timeout: failed to connect service ${JSON.stringify(authority)} within ${seconds}s: context deadline exceeded`
      : `error: failed to connect service at ${JSON.stringify(authority)}: ${dialText(error)}`;
    return { kind: 'failure', output };
  } finally {
    broken.catch(() => {});
    session.destroy();
  }
}

function resultOf({ status, message, body }: Reply): CheckResult {
  if (status === UNIMPLEMENTED)
    return {
      kind: 'failure',
      output: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`,
    };
  if (status !== 0) return { kind: 'failure', output: `error: health rpc probe failed: ${message}` };
  const serving = SERVING_STATUS[servingStatus(body)] ?? 'UNKNOWN';
  if (serving === 'SERVING') return { kind: 'success', output: 'service healthy' };
  return { kind: 'failure', output: `service unhealthy (responded with ${JSON.stringify(serving)})` };
}

function call(session: ClientHttp2Session, service: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': 'kube-probe/1.36',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let ended: IncomingHttpHeaders = {};
    stream.on('response', (headers) => (ended = { ...ended, ...headers }));
    stream.on('trailers', (headers) => (ended = { ...ended, ...headers }));
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BOUNDS.probeOutputBytes) stream.destroy(new Error('the answer is too large'));
      else chunks.push(chunk);
    });
    stream.on('error', reject);
    stream.on('end', () =>
      resolve({
        status: Number(ended['grpc-status'] ?? 2),
        message: String(ended['grpc-message'] ?? `HTTP status ${ended[':status']}`),
        body: Buffer.concat(chunks),
      }),
    );
    stream.end(requestFrame(service));
  });
}

/** A frame: not compressed, length of the message, the message. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** Field 1 as a one-byte varint: all values there are. An absent field is 0. */
function servingStatus(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}
