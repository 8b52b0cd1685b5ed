// A sidecar of patterns/ put into a manifest: text in, text out. Not a mutation behind anybody's back: what comes out is
// the manifest to keep, with an ordinary container in it that its owner sees and changes.
//
// Invariant: nothing but whole lines are inserted; every line that was there stays as it was, comments and spelling
// included. A pod that has the sidecar already stays as it is.
import {
  Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { PodwrightError } from '../base/errors.ts';

type Source = { readonly text: string; readonly fileName: string };
type Target = { readonly document: Document; readonly spec: YAMLMap };
type Insertion = { readonly at: number; readonly text: string };

/** Where a pod's spec stands in the kinds that have one. */
const POD_SPEC_PATHS = [
  ['spec'],
  ['spec', 'template', 'spec'],
  ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
] as const;

function refuse({ fileName }: Source, why: string): PodwrightError {
  return new PodwrightError('InvalidInput', `add to manifest ${fileName}: ${why}`);
}

function parse(source: Source): Document.Parsed[] {
  const documents = [...parseAllDocuments(source.text)];
  const error = documents.flatMap(({ errors }) => errors)[0];
  if (error !== undefined) throw refuse(source, error.message.trimEnd());
  return documents;
}

function specOf(document: Document): YAMLMap | undefined {
  return POD_SPEC_PATHS.map((path) => document.getIn(path)).find(
    (spec): spec is YAMLMap => isMap(spec) && (spec.has('containers') || spec.has('initContainers')),
  );
}

const nameOf = (value: unknown): string => (isMap(value) ? String(value.get('name') ?? '') : '');
const itemsOf = (map: YAMLMap, key: string): readonly unknown[] => {
  const list = map.get(key);
  return isSeq(list) ? list.items : [];
};
const namesOf = (map: YAMLMap, key: string): readonly string[] => itemsOf(map, key).map(nameOf);

/** The items as lines that begin with "- ", comments included. */
function blockOf(items: readonly unknown[]): string {
  const document = new Document(items.map(() => null));
  (document.contents as unknown as YAMLSeq).items = [...items];
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

const indent = (block: string, columns: number): string => block.replace(/^(?=.)/gm, ' '.repeat(columns));

const columnOf = (text: string, offset: number): number => offset - (text.lastIndexOf('\n', offset - 1) + 1);

/** The offset of the line after the node's last one; a comment that follows on lines of its own is not the node's. */
function endOf(text: string, node: unknown): number {
  if (isMap(node) && node.flow !== true && node.items.length > 0) {
    const last = node.items.at(-1) as Pair;
    return endOf(text, last.value ?? last.key);
  }
  if (isSeq(node) && node.flow !== true && node.items.length > 0) return endOf(text, node.items.at(-1));
  const end = (isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[1] : undefined) ?? text.length;
  return text[end - 1] === '\n' ? end : text.indexOf('\n', end) + 1;
}

/** Puts items into the list of a map; where there is none, makes it after the map's last line. */
function append(
  source: Source,
  map: YAMLMap,
  { key, items }: { readonly key: string; readonly items: readonly unknown[] },
): readonly Insertion[] {
  if (items.length === 0) return [];
  const list = map.get(key);
  if (isSeq(list) && list.flow !== true) {
    const column = columnOf(source.text, list.range?.[0] ?? 0);
    return [{ at: endOf(source.text, list), text: indent(blockOf(items), column) }];
  }
  if (map.has(key) || map.flow === true) {
    throw refuse(source, `${key} of ${nameOf(map) || 'the pod'} is not written as one item a line ("- ...")`);
  }
  const column = columnOf(source.text, map.range?.[0] ?? 0);
  const text = `${indent(`${key}:\n`, column)}${indent(blockOf(items), column + 2)}`;
  return [{ at: endOf(source.text, map), text }];
}

function insert(text: string, insertions: readonly Insertion[]): string {
  let from = 0;
  let result = '';
  for (const { at, text: inserted } of insertions.toSorted((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + inserted;
    from = at;
  }
  return result + text.slice(from);
}

/** The one object with a pod's spec, or the one of that name. */
function targetOf(source: Source, documents: readonly Document[], name?: string): Target {
  const found = documents.flatMap((document) => {
    const spec = specOf(document);
    return spec === undefined ? [] : [{ document, spec, name: nameOf(document.get('metadata')) }];
  });
  const [target, ...others] = found.filter((one) => name === undefined || one.name === name);
  const names = found.map((one) => one.name).join(', ');
  if (target === undefined) {
    const what = name === undefined ? 'no pod' : `no pod ${name}`;
    throw refuse(source, names === '' ? `${what} in it` : `${what} in it; there are ${names}`);
  }
  if (others.length > 0) throw refuse(source, `there are several pods in it, choose one by name: ${names}`);
  return target;
}

/** The pattern's ConfigMaps that the manifest lacks, in the pod's namespace. */
function missingConfig(
  manifest: readonly Document[],
  pattern: readonly Document[],
  namespace: unknown,
): string {
  const idOf = (document: Document): string =>
    `${document.get('kind')}/${document.getIn(['metadata', 'name'])}`;
  const present = new Set(manifest.map(idOf));
  return pattern
    .filter((document) => specOf(document) === undefined && !present.has(idOf(document)))
    .map((document) => {
      const own = document.clone();
      if (namespace !== undefined) own.setIn(['metadata', 'namespace'], namespace);
      return `---\n${own.toString({ lineWidth: 0, directives: null })}`;
    })
    .join('');
}

/**
 * @param pattern a manifest with ConfigMaps and one pod: its volumes and init containers (the sidecar) are added, and to
 * each container of the manifest the volume mounts of the pattern's only container, of volumes that came with it.
 * @param options.name of the pod, or of the object with a pod template, when the manifest has several.
 * Throws InvalidInput when there is no such pod, or its lists are not written in block style.
 */
export function addPattern(
  manifest: Source,
  pattern: Source,
  options: { readonly name?: string | undefined } = {},
): string {
  const source = { ...manifest, text: manifest.text.replace(/(?<=[^\n])$/, '\n') };
  const documents = parse(source);
  const { document, spec } = targetOf(source, documents, options.name);
  const added = parse(pattern);
  const { spec: from } = targetOf(pattern, added);

  const sidecars = namesOf(from, 'initContainers');
  const inits = namesOf(spec, 'initContainers');
  if (sidecars.every((name) => inits.includes(name))) return source.text;
  const taken = [...inits, ...namesOf(spec, 'containers')].filter((name) => sidecars.includes(name));
  if (taken.length > 0) throw refuse(source, `there is a container ${taken.join(', ')} already`);

  const had = namesOf(spec, 'volumes');
  const volumes = itemsOf(from, 'volumes').filter((volume) => !had.includes(nameOf(volume)));
  const [example] = itemsOf(from, 'containers');
  const mounts = isMap(example)
    ? itemsOf(example, 'volumeMounts').filter((mount) => !had.includes(nameOf(mount)))
    : [];
  const insertions = [
    ...itemsOf(spec, 'containers')
      .filter((container) => isMap(container))
      .flatMap((container) => append(source, container, { key: 'volumeMounts', items: mounts })),
    ...append(source, spec, { key: 'initContainers', items: itemsOf(from, 'initContainers') }),
    ...append(source, spec, { key: 'volumes', items: volumes }),
  ];
  const config = missingConfig(documents, added, document.getIn(['metadata', 'namespace']));
  return insert(source.text, insertions) + config;
}
