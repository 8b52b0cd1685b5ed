// pods/<name>/trace: what this engine did for the pod and when, as JSON. Not Kubernetes': `podwright trace` reads it.
import { PodwrightError } from '../../base/errors.ts';
import { spans } from '../../base/spans.ts';
import type { Exchange } from './exchange.ts';

export function serveTrace({ request, response }: Exchange, uid: string): void {
  if (request.method !== 'GET') throw new PodwrightError('MethodNotAllowed', 'a trace is read with GET');
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ spans: spans.of(uid) }));
}
