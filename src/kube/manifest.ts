// Manifests as people write them: YAML or JSON, several documents, List kinds. From text to objects that still know
// where they stood; whether the fields are right is the API server's business.
import { type Document, isMap, LineCounter, parseAllDocuments, type ScalarTag, type Tags } from 'yaml';
import { errorText, PodwrightError } from '../base/errors.ts';
import type { ObjectMeta } from './api-types.ts';

export type ManifestObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
};

export type ManifestEntry = {
  /** "pods.yaml:12", for messages. */
  readonly source: string;
  readonly object: ManifestObject;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function refuse(source: string, why: string): PodwrightError {
  return new PodwrightError('InvalidInput', `read manifest ${source}: ${why}`);
}

/** The entries of one object: itself, or the items of a List. */
function entriesOf(source: string, value: unknown): ManifestEntry[] {
  if (!isRecord(value)) throw refuse(source, 'not a Kubernetes object (a map with apiVersion and kind)');
  const { apiVersion, kind, metadata, items } = value;
  if (typeof apiVersion !== 'string') throw refuse(source, 'apiVersion is missing');
  if (typeof kind !== 'string') throw refuse(source, 'kind is missing');
  if (kind.endsWith('List') && Array.isArray(items)) {
    return items.flatMap((item, index) => entriesOf(`${source} items[${index}]`, item));
  }
  const names = isRecord(metadata) ? [metadata.name, metadata.generateName] : [];
  if (!names.some((name) => typeof name === 'string' && name !== '')) {
    throw refuse(source, `metadata.name of this ${kind} is missing`);
  }
  return [{ source, object: value as ManifestObject }];
}

/**
 * kubectl still reads these words of YAML 1.1: an octal file mode and the other booleans. The rest of 1.1 (dates, base 60)
 * it does not, so they are added to the core schema one by one.
 */
const KUBECTL_SCALARS: ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^0[0-7]+$/,
    resolve: (text) => Number.parseInt(text, 8),
  },
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
    resolve: (text) => /^(?:yes|on)$/i.test(text),
  },
];

/** Aliases are bounded, and none may lie within its own anchor: a few lines of YAML must not become gigabytes, or no end. */
function plain(document: Document, source: string): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    JSON.stringify(value);
    return value;
  } catch (error) {
    throw refuse(source, errorText(error));
  }
}

/** Empty documents are left out. Throws InvalidInput with the line of what does not parse. */
export function parseManifest(text: string, fileName: string): ManifestEntry[] {
  const lineCounter = new LineCounter();
  const customTags = (tags: Tags): Tags => [...KUBECTL_SCALARS, ...tags];
  const documents = parseAllDocuments(text, { lineCounter, customTags, merge: true });
  return [...documents].flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw refuse(fileName, error.message.trimEnd());
    if (document.contents === null) return [];
    const offset = isMap(document.contents) ? document.contents.range?.[0] : undefined;
    const source = `${fileName}:${lineCounter.linePos(offset ?? document.range[0]).line}`;
    const value = plain(document, source);
    return value === null ? [] : entriesOf(source, value);
  });
}

/** What others stand on comes first: namespaces, then configuration, then pods; otherwise as written. */
export function inApplyOrder(entries: readonly ManifestEntry[]): readonly ManifestEntry[] {
  const rank = ({ object }: ManifestEntry): number => {
    if (object.kind === 'Namespace') return 0;
    return object.kind === 'Pod' ? 2 : 1;
  };
  return [...entries].sort((a, b) => rank(a) - rank(b));
}
