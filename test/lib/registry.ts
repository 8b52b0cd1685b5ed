// Debian's docker-registry as a process of its own on a free loopback port, with an empty storage that goes with it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './ports.ts';

export const USER = { username: 'alice', password: 'wonderland' };
/** USER as htpasswd -B writes it: the registry takes bcrypt alone. */
const HTPASSWD = 'alice:$2y$05$r2d//fHOyweYgvx/Bm8eVuC2k9beTzGEaXUYJXq53GdeWecCtCEEe\n';

export type Registry = {
  /** "localhost:40001": the first part of an image's name. */
  readonly address: string;
  /** The certificate to trust, where it speaks TLS. */
  readonly certificatePath: string;
  /** Copies an OCI archive into it, past its certificate. */
  push(archive: string, repository: string): void;
  close(): Promise<void>;
};

export async function startRegistry(kind: 'http' | 'tls' | 'password'): Promise<Registry> {
  const dir = mkdtempSync(join(tmpdir(), 'podwright-registry-'));
  const port = await freePort();
  const certificatePath = join(dir, 'cert.pem');
  const config: Record<string, unknown> = {
    version: '0.1',
    log: { accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'storage') } },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(kind === 'tls' ? { tls: makeCertificate(dir, certificatePath) } : {}),
    },
    ...(kind === 'password' ? { auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } } } : {}),
  };
  writeFileSync(join(dir, 'htpasswd'), HTPASSWD);
  // JSON is YAML.
  writeFileSync(join(dir, 'config.yml'), JSON.stringify(config));
  const server = spawn('docker-registry', ['serve', join(dir, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await listening(server);
  const address = `localhost:${port}`;
  return {
    address,
    certificatePath,
    push(archive, repository) {
      const credentials = kind === 'password' ? ['--dest-creds', `${USER.username}:${USER.password}`] : [];
      const target = `docker://${address}/${repository}`;
      const args = ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', ...credentials];
      execFileSync('skopeo', [...args, `oci-archive:${archive}`, target]);
    },
    async close() {
      const closed = new Promise((resolve) => server.once('close', resolve));
      server.kill();
      await closed;
      rmSync(dir, { recursive: true });
    },
  };
}

/** The registry says "listening on" once it answers. */
async function listening(server: ChildProcess): Promise<void> {
  const said: string[] = [];
  if (server.stderr === null) throw new Error('the registry has no standard error');
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    if (line.includes('listening on')) {
      server.stderr.resume();
      return;
    }
  }
  throw new Error(`docker-registry ended: ${said.join('\n')}`);
}

function makeCertificate(
  dir: string,
  certificate: string,
): { readonly certificate: string; readonly key: string } {
  const key = join(dir, 'key.pem');
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  execFileSync(
    'openssl',
    [...args, '-subj', '/CN=localhost', '-addext', names, '-keyout', key, '-out', certificate],
    {
      stdio: 'ignore',
    },
  );
  return { certificate, key };
}
