// GET, PUT and PATCH of <kind>/<name>/scale.
import { APPLY_PATCH } from '../apply.ts';
import type { ServerParts } from '../request.ts';
import { getScale, patchScale, updateScale } from '../scale.ts';
import { contentType, readJson, readObject, unsupportedMediaType } from './body.ts';
import { type Exchange, sendJson } from './exchange.ts';
import {
  isPatchType,
  methodNotAllowed,
  PATCH_TYPES,
  type ResourceRoute,
  writeRequest,
} from './parameters.ts';

const TYPES = PATCH_TYPES.filter((type) => type !== APPLY_PATCH);

export async function serveScale(
  exchange: Exchange,
  parts: ServerParts,
  route: ResourceRoute,
): Promise<void> {
  const { request, response } = exchange;
  const write = { ...writeRequest(exchange, route), part: 'scale' } as const;
  switch (request.method) {
    case 'GET':
      return sendJson(response, 200, getScale(parts, write));
    case 'PUT':
      return sendJson(response, 200, await updateScale(parts, write, await readObject(request)));
    case 'PATCH': {
      const type = contentType(request);
      if (!isPatchType(type) || type === APPLY_PATCH) throw unsupportedMediaType(type, TYPES);
      return sendJson(response, 200, await patchScale(parts, write, { type, body: await readJson(request) }));
    }
    default:
      throw methodNotAllowed();
  }
}
