// nodes/NAME/proxy/PATH: what the kubelet answers there.
import { PodwrightError } from '../../base/errors.ts';
import type { NodeApi } from '../../client/node-api.ts';
import type { Exchange } from './exchange.ts';

export async function serveNodeProxy(
  { request, response }: Exchange,
  node: NodeApi | undefined,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<void> {
  if (request.method !== 'GET')
    throw new PodwrightError('MethodNotAllowed', `the kubelet of ${name} is only read here`);
  if (node === undefined) throw new PodwrightError('ServiceUnavailable', 'no node is there to ask');
  const answer = await node.get(path);
  if (answer === undefined)
    throw new PodwrightError('NotFound', `404 page not found: the kubelet has no ${path || '/'}`);
  response.writeHead(200, { 'Content-Type': answer.contentType });
  response.end(answer.body);
}
