// An HTTP GET as the kubelet's prober sends it: no proxy, no certificate checked, no connection kept; a redirect is
// followed on the same host only, one to another host is a success with a warning (pkg/probe/http).
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BOUNDS } from '../../base/bounds.ts';
import { errorText } from '../../base/errors.ts';
import type { CheckOptions, CheckResult, HttpCheck } from './check.ts';

const USER_AGENT = 'kube-probe/1.36';
const REDIRECTS = [301, 302, 303, 307, 308];

type Answer = { readonly code: number; readonly location: string | undefined; readonly body: string };

export async function httpCheck(check: HttpCheck, options: CheckOptions): Promise<CheckResult> {
  const start = new URL(`${check.scheme}://${hostText(check.host)}:${check.port}${check.path}`);
  let url = start;
  for (let redirects = 0; redirects <= BOUNDS.probeRedirects; redirects += 1) {
    let answer: Answer;
    try {
      answer = await get(url, headersOf(check), options.signal);
    } catch (error) {
      return { kind: 'failure', output: `Get ${JSON.stringify(url.href)}: ${failureText(error, options)}` };
    }
    const { code, location, body } = answer;
    if (!REDIRECTS.includes(code) || location === undefined) return resultOf(code, body);
    const next = URL.parse(location, url);
    if (next === null)
      return { kind: 'failure', output: `Get "${url.href}": failed to parse Location header` };
    if (next.hostname !== start.hostname)
      return { kind: 'warning', output: `Probe terminated redirects, Response body: ${body}` };
    url = next;
  }
  return { kind: 'failure', output: `Get "${url.href}": stopped after ${BOUNDS.probeRedirects} redirects` };
}

/** For hooks: whatever answers will do. Throws when nothing does. */
export async function httpCall(check: HttpCheck, signal: AbortSignal): Promise<void> {
  await get(
    new URL(`${check.scheme}://${hostText(check.host)}:${check.port}${check.path}`),
    headersOf(check),
    signal,
  );
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function resultOf(code: number, body: string): CheckResult {
  if (code >= 200 && code < 400) return { kind: 'success', output: body };
  return { kind: 'failure', output: `HTTP probe failed with statuscode: ${code}` };
}

function headersOf({ headers }: HttpCheck): OutgoingHttpHeaders {
  const all: Record<string, string | string[]> = {
    'User-Agent': USER_AGENT,
    Accept: '*/*',
    Connection: 'close',
  };
  const given = new Map<string, { name: string; values: string[] }>();
  for (const { name, value } of headers) {
    const known = given.get(name.toLowerCase());
    if (known === undefined) given.set(name.toLowerCase(), { name, values: [value] });
    else known.values.push(value);
  }
  for (const { name, values } of given.values()) {
    const same = Object.keys(all).find((one) => one.toLowerCase() === name.toLowerCase());
    if (same !== undefined) delete all[same];
    all[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return all;
}

function get(url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const options = { method: 'GET', headers, agent: false as const, signal, rejectUnauthorized: false };
    const request = send(url, options, (response) => {
      readBody(response).then(
        (body) => resolve({ code: response.statusCode ?? 0, location: response.headers.location, body }),
        reject,
      );
    });
    request.on('error', reject);
    request.end();
  });
}

/** Its first 10 KiB: what an event can hold. */
async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size >= BOUNDS.probeOutputBytes) break;
  }
  response.destroy();
  return Buffer.concat(chunks).subarray(0, BOUNDS.probeOutputBytes).toString('utf8');
}

function failureText(error: unknown, { signal }: CheckOptions): string {
  if (signal.aborted) return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  return dialText(error);
}

/** As Go says why a connection failed. */
export function dialText(error: unknown): string {
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ECONNRESET: 'connection reset by peer',
  };
  const text = words[code ?? ''] ?? errorText(error);
  return address === undefined ? text : `dial tcp ${hostText(address)}:${port}: ${text}`;
}
