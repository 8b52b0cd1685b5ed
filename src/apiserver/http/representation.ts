// In what form a client wants objects: as they are, as a meta/v1 Table (what kubectl prints) or as PartialObjectMetadata.
import type { IncomingMessage } from 'node:http';
import { PodwrightError } from '../../base/errors.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import type { Kind } from '../kind.ts';
import type { ServerParts } from '../request.ts';
import { type Exchange, sendJson } from './exchange.ts';

export type Representation = {
  readonly as: 'object' | 'table' | 'partial';
  /** What a table's rows carry of their objects. */
  readonly include: 'None' | 'Metadata' | 'Object';
};

type ListMeta = {
  readonly resourceVersion?: string | undefined;
  readonly continue?: string | undefined;
  readonly remainingItemCount?: number | undefined;
};

const AS: { readonly [name: string]: Representation['as'] } = {
  Table: 'table',
  PartialObjectMetadata: 'partial',
  PartialObjectMetadataList: 'partial',
};

/** The first of the Accept header's types that can be served. @throws NotAcceptable */
export function negotiate(request: IncomingMessage, query: URLSearchParams): Representation {
  const accept = request.headers.accept ?? '';
  const wanted = query.get('includeObject');
  const include = wanted === 'None' || wanted === 'Object' ? wanted : 'Metadata';
  for (const range of accept === '' ? ['*/*'] : accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (as === undefined) return { as: 'object', include };
    const known = AS[as];
    if (known !== undefined && parameters.includes('v=v1')) return { as: known, include };
  }
  throw new PodwrightError('NotAcceptable', 'only the following media types are accepted: application/json');
}

function partial(object: KubeObject): KubeObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  } as KubeObject;
}

function columnDefinitions(kind: Kind): unknown[] {
  return kind.columns.map(({ name, type, priority, description, format }) => ({
    name,
    type,
    format: name === 'Name' ? 'name' : (format ?? ''),
    description: description ?? '',
    priority: priority ?? 0,
  }));
}

function tableRow(
  kind: Kind,
  object: KubeObject,
  options: { readonly nowMs: number; readonly include: Representation['include'] },
): unknown {
  const cells = kind.columns.map((column) => column.cell(object, options.nowMs));
  switch (options.include) {
    case 'None':
      return { cells };
    case 'Metadata':
      return { cells, object: partial(object) };
    case 'Object':
      return { cells, object };
  }
}

/** One kind's objects in one form. `nowMs` is for ages. */
export type Presenter = {
  one(object: KubeObject, nowMs: number): unknown;
  /** The list's text up to its first item, one item, and what closes it: written piece by piece. */
  listHead(meta: ListMeta): string;
  item(object: KubeObject, nowMs: number): unknown;
};

export function presenter(kind: Kind, { as, include }: Representation): Presenter {
  const head = (fields: object, list: string): string => `${JSON.stringify(fields).slice(0, -1)},"${list}":[`;
  switch (as) {
    case 'object': {
      const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
      return {
        one: (object) => object,
        listHead: (metadata) =>
          head({ kind: kind.custom?.listKind ?? `${kind.kind}List`, apiVersion, metadata }, 'items'),
        item: (object) => object,
      };
    }
    case 'partial':
      return {
        one: partial,
        listHead: (metadata) =>
          head({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata }, 'items'),
        item: partial,
      };
    case 'table': {
      const table = (metadata: ListMeta) => ({
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        columnDefinitions: columnDefinitions(kind),
      });
      return {
        one: (object, nowMs) => ({
          ...table({ resourceVersion: object.metadata?.resourceVersion ?? '' }),
          rows: [tableRow(kind, object, { nowMs, include })],
        }),
        listHead: (metadata) => head(table(metadata), 'rows'),
        item: (object, nowMs) => tableRow(kind, object, { nowMs, include }),
      };
    }
  }
}

export function sendObject(
  exchange: Exchange,
  parts: ServerParts,
  answer: { code: number; kind: Kind; object: KubeObject },
): void {
  const present = presenter(answer.kind, negotiate(exchange.request, exchange.query));
  sendJson(exchange.response, answer.code, present.one(answer.object, parts.clock.nowMs()));
}
