// Tar archives as bytes, well-formed or not: what GNU tar would refuse to write. https://www.gnu.org/software/tar/manual/html_node/Standard.html
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { hostArchitecture } from '../../scripts/build-oci.ts';

const TYPES = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
} as const;

export type TarEntry = {
  readonly name: string;
  readonly type?: keyof typeof TYPES;
  readonly content?: string | Buffer;
  /** Of a link. */
  readonly target?: string;
  readonly mode?: number;
  /** Of a device. */
  readonly device?: readonly [major: number, minor: number];
  /** What the header says where it is not the content's. */
  readonly size?: number;
};

const BLOCK = 512;
const octal = (value: number, width: number): string => value.toString(8).padStart(width - 1, '0');

function headerOf(entry: TarEntry, size: number): Buffer {
  const { name, type = 'file', target = '', mode = 0o644, device = [0, 0] } = entry;
  const header = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void header.write(text, at, 'latin1');
  put(name.slice(0, 100), 0);
  put(octal(mode, 8), 100);
  for (const at of [108, 116]) put(octal(0, 8), at);
  put(octal(size, 12), 124);
  put(octal(0, 12), 136);
  put(' '.repeat(8), 148);
  put(TYPES[type], 156);
  put(target.slice(0, 100), 157);
  put('ustar\x0000', 257);
  put(octal(device[0], 8), 329);
  put(octal(device[1], 8), 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 7)}\0 `, 148);
  return header;
}

export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [headerOf(entry, entry.size ?? content.length), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The files of an OCI layout with one image of one layer, which is taken as it is. */
export function ociEntries(name: string, layer: Buffer): TarEntry[] {
  const packed = gzipSync(layer, { level: 1 });
  const blobs: Buffer[] = [packed];
  const json = (value: unknown): { readonly digest: string; readonly size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    blobs.push(bytes);
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] };
  const type = 'application/vnd.oci.image';
  const config = json({ architecture: hostArchitecture(), os: 'linux', config: {}, rootfs });
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: [
      { mediaType: `${type}.layer.v1.tar+gzip`, digest: `sha256:${sha256(packed)}`, size: packed.length },
    ],
  });
  const annotations = { 'org.opencontainers.image.ref.name': name };
  const descriptor = { mediaType: `${type}.manifest.v1+json`, ...manifest, annotations };
  return [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }) },
    ...blobs.map((content) => ({ name: `blobs/sha256/${sha256(content)}`, content })),
  ];
}
