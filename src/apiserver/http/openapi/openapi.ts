// OpenAPI, made from the table of kinds and api-schema.json: version 3 per group and version (explain, and kubectl's check
// whether the server validates fields), version 2 as one document (what kubectl create and apply read for a List).
// Version 2 describes the types only; the operations are in version 3.
import { createHash } from 'node:crypto';
import type { Kind } from '../../kind.ts';
import { groupVersion } from '../../request.ts';
import { definitionsOf, type Json, readDocs } from './definitions.ts';
import { pathsOf } from './paths.ts';

/** What client-go asks for is no valid media type, what it wants to read is. */
const GNOSTIC_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const GNOSTIC_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const INFO = { title: 'Podwright', version: 'v1.36.2' };

export type OpenApiAnswer = { readonly body: string | Uint8Array; readonly contentType: string };

export type OpenApi = {
  /** Undefined for a path that is not OpenAPI's. */
  answer(path: string, accept: string): Promise<OpenApiAnswer | undefined>;
};

async function documentV3(kinds: readonly Kind[]): Promise<string> {
  return JSON.stringify({
    openapi: '3.0.0',
    info: INFO,
    paths: Object.assign({}, ...kinds.map(pathsOf)) as Json,
    components: { schemas: definitionsOf(kinds, await readDocs(), 'v3') },
  });
}

async function documentV2(kinds: readonly Kind[], accept: string): Promise<OpenApiAnswer> {
  const definitions = definitionsOf(kinds, await readDocs(), 'v2');
  if (accept.includes(GNOSTIC_ASKED) || accept.includes(GNOSTIC_TYPE)) {
    // Few ask, and once: its library is not loaded before.
    const { encodeGnostic } = await import('./gnostic.ts');
    return { body: encodeGnostic({ info: INFO, definitions }), contentType: GNOSTIC_TYPE };
  }
  const body = JSON.stringify({ swagger: '2.0', info: INFO, paths: {}, definitions });
  return { body, contentType: 'application/json' };
}

/** Changes with what the document is made of, so that a client may keep it under this name. */
function hashOf(kinds: readonly Kind[]): string {
  return createHash('sha256')
    .update(JSON.stringify([INFO, kinds]))
    .digest('hex')
    .slice(0, 32);
}

/** Nothing is kept: clients ask once and cache by the hash in the address. */
export function createOpenApi(kinds: () => readonly Kind[]): OpenApi {
  const byPath = (): Map<string, Kind[]> =>
    Map.groupBy(kinds(), (kind) => `${kind.group === '' ? 'api' : 'apis'}/${groupVersion(kind)}`);
  const index = (): string => {
    const entries = [...byPath()].map(([path, members]) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(members)}` },
    ]);
    return JSON.stringify({ paths: Object.fromEntries(entries) as Json });
  };
  return {
    async answer(path, accept) {
      if (path === '/openapi/v2') return documentV2(kinds(), accept);
      if (path === '/openapi/v3') return { body: index(), contentType: 'application/json' };
      const members = path.startsWith('/openapi/v3/')
        ? byPath().get(path.slice('/openapi/v3/'.length))
        : undefined;
      if (members === undefined) return undefined;
      return { body: await documentV3(members), contentType: 'application/json' };
    },
  };
}
