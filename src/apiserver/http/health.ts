// /livez, /readyz and /healthz as kube-apiserver answers them: "ok", each check with ?verbose, one check at /livez/NAME.
// Live: the process serves. Ready: what is sent now is kept and carried out.
import type { HealthCheck } from '../request.ts';
import type { Exchange } from './exchange.ts';
import { sendText } from './exchange.ts';

const ENDPOINTS = ['livez', 'readyz', 'healthz'] as const;
type Endpoint = (typeof ENDPOINTS)[number];

type Question = { readonly endpoint: Endpoint; readonly check: string | undefined };

/** Undefined: the path asks for something else. */
export function healthQuestion(path: string): Question | undefined {
  const [, first, check, ...rest] = path.split('/');
  const endpoint = ENDPOINTS.find((one) => one === first);
  return endpoint === undefined || rest.length > 0 ? undefined : { endpoint, check };
}

/** healthz is the old name of livez. */
const belongsTo = (check: HealthCheck, endpoint: Endpoint): boolean =>
  endpoint === 'readyz' || check.of === 'livez';

function sendAll({ response, query }: Exchange, endpoint: Endpoint, checks: readonly HealthCheck[]): void {
  const excluded = query.getAll('exclude').flatMap((text) => text.split(','));
  const unknown = excluded.filter((name) => !checks.some((check) => check.name === name));
  let isFailed = false;
  const lines = checks.map(({ name, whyNot }) => {
    if (excluded.includes(name)) return `[+]${name} excluded: ok`;
    const why = whyNot();
    isFailed ||= why !== undefined;
    // Whoever may not ask for more than whether it is healthy must not read paths and names here.
    return why === undefined ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
  });
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  const text = [...lines, `${endpoint} check ${isFailed ? 'failed' : 'passed'}`, ''].join('\n');
  sendText(response, isFailed ? 500 : 200, isFailed || query.has('verbose') ? text : 'ok');
}

/** False: there is no such check. */
export function serveHealth(exchange: Exchange, question: Question, all: readonly HealthCheck[]): boolean {
  const { endpoint, check: wanted } = question;
  const checks = all.filter((check) => belongsTo(check, endpoint));
  if (wanted === undefined) {
    sendAll(exchange, endpoint, checks);
    return true;
  }
  const check = checks.find(({ name }) => name === wanted);
  if (check === undefined) return false;
  const why = check.whyNot();
  sendText(
    exchange.response,
    why === undefined ? 200 : 500,
    why === undefined ? 'ok' : `internal server error: ${why}\n`,
  );
  return true;
}
