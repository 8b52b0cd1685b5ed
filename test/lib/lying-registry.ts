// A registry on loopback that has one good image under every name, and does harm to whoever pulls it by the name's last part:
// it lies about digests, cuts answers off, redirects in circles, or sends a byte a second.
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ociEntries, tarOf } from './tar.ts';

export const HARMS = ['good', 'lying-blob', 'lying-manifest', 'cut-off', 'circles', 'error', 'drip'] as const;
export type Harm = (typeof HARMS)[number];

export type LyingRegistry = { readonly address: string; close(): Promise<void> };

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** The blobs of the image by digest, and its manifest. */
function image(): { readonly blobs: ReadonlyMap<string, Buffer>; readonly manifest: Buffer } {
  const layer = tarOf([{ name: 'etc/greeting', content: 'hello '.repeat(1000) }]);
  const contents = ociEntries('localhost/lying:1', layer)
    .filter(({ name }) => name.startsWith('blobs/'))
    .map(({ content }) => Buffer.from(content ?? ''));
  const manifest = contents.find((content) => content.includes('"schemaVersion"'));
  if (manifest === undefined) throw new Error('the image has no manifest');
  return { blobs: new Map(contents.map((content) => [sha256(content), content])), manifest };
}

export async function startLyingRegistry(): Promise<LyingRegistry> {
  const { blobs, manifest } = image();
  const server = createServer((request, response) => {
    const [, harm = '', what = '', which = ''] =
      /^\/v2\/(?:.*\/)?([^/]+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const isManifest = what === 'manifests';
    const content = isManifest ? manifest : blobs.get(which);
    if (what === '') return void response.writeHead(200).end('{}');
    if (content === undefined) return void response.writeHead(404).end();
    response.setHeader('Content-Type', isManifest ? MANIFEST : 'application/octet-stream');
    if (isManifest) response.setHeader('Docker-Content-Digest', sha256(manifest));
    if (request.method === 'HEAD') return void response.setHeader('Content-Length', content.length).end();
    answer(response, { harm: harm as Harm, content, isManifest, path: request.url ?? '' });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Answer = {
  readonly harm: Harm;
  readonly content: Buffer;
  readonly isManifest: boolean;
  readonly path: string;
};

function answer(response: ServerResponse, { harm, content, isManifest, path }: Answer): void {
  const changed = Buffer.from(content);
  changed[changed.length - 3] = (changed[changed.length - 3] ?? 0) ^ 1;
  switch (harm) {
    case 'lying-blob':
      return void response.end(isManifest ? content : changed);
    case 'lying-manifest':
      return void response.end(isManifest ? changed : content);
    case 'cut-off':
      response.setHeader('Content-Length', content.length);
      response.write(isManifest ? content : content.subarray(0, content.length / 2));
      return void (isManifest ? response.end() : setTimeout(() => response.destroy(), 50));
    case 'circles':
      return void response.writeHead(307, { Location: path }).end();
    case 'error':
      return void response.writeHead(500).end('the disk is on fire');
    case 'drip': {
      let at = 0;
      const timer = setInterval(() => response.write(content.subarray(at, ++at)), 1000);
      return void response.on('close', () => clearInterval(timer));
    }
    default:
      return void response.end(content);
  }
}
