// An HTTP endpoint that speaks as much of Elasticsearch's bulk API as a shipper uses: _bulk with "create" and "index"
// actions, _cat/health. Like Elasticsearch it answers 409 for a create whose id it already has, and keeps the first.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type BulkDocument = { readonly id: string; readonly source: Record<string, unknown> };

export type BulkEndpoint = {
  readonly port: number;
  /** Documents in the order of their arrival, each id once. */
  documents(): readonly BulkDocument[];
  /** Creates that were refused because the id was there already: resent, not stored. */
  conflicts(): number;
  close(): Promise<void>;
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export async function startBulkEndpoint(host: string, port = 0): Promise<BulkEndpoint> {
  const stored = new Map<string, BulkDocument>();
  let conflicts = 0;

  function store(action: Record<string, { readonly _id?: string }>, source: Record<string, unknown>): object {
    const [operation = 'index', { _id: id = `auto-${stored.size}` } = {}] = Object.entries(action)[0] ?? [];
    if (operation === 'create' && stored.has(id)) {
      conflicts += 1;
      return { create: { _id: id, status: 409, error: { type: 'version_conflict_engine_exception' } } };
    }
    stored.set(id, { id, source });
    return { [operation]: { _id: id, status: 201 } };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('content-type', 'application/json');
    if (!request.url?.startsWith('/_bulk')) {
      response.end(JSON.stringify({ status: 'green' }));
      return;
    }
    const lines = (await bodyOf(request)).split('\n').filter((line) => line !== '');
    const items: object[] = [];
    for (let i = 0; i + 1 < lines.length; i += 2) {
      items.push(store(JSON.parse(lines[i] ?? '{}'), JSON.parse(lines[i + 1] ?? '{}')));
    }
    const errors = items.some(
      (item) => 'create' in item && (item.create as { status: number }).status !== 201,
    );
    response.end(JSON.stringify({ took: 1, errors, items }));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.statusCode = 400;
      response.end(JSON.stringify({ error: String(error) }));
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    documents: () => [...stored.values()],
    conflicts: () => conflicts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
