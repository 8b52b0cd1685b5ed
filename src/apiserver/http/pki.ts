// The server's keys and certificates, made once under <data-dir>/pki: an own CA, a server certificate for the addresses it
// is reached at, an administrator's client certificate and bearer token, the key that signs ServiceAccounts' tokens. Keys are readable by their owner only.
// A certificate that nears its end or lacks the address is made anew by the same CA; the CA itself stays.
import { generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { readIfExists, writeFileAtomic } from '../../base/files.ts';

export type KeyPair = { readonly certificate: string; readonly key: string };
/** What the engine signs by: certificates, and the tokens of ServiceAccounts. */
export type Authority = { readonly ca: KeyPair; readonly serviceAccountKey: string };
export type Pki = {
  readonly ca: string;
  readonly server: KeyPair;
  readonly admin: KeyPair;
  readonly adminToken: string;
};

const DAY_MS = 24 * 3600_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
const RENEW_DAYS = 30;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

type X509 = typeof import('@peculiar/x509');
/** Loaded only when something must be made: it costs a tenth of a second. */
async function loadX509(): Promise<X509> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as never);
  return x509;
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

type Validity = { readonly serialNumber: string; readonly notBefore: Date; readonly notAfter: Date };
function validity(days: number): Validity {
  const nowMs = Date.now();
  return {
    // Positive: the first bit stays clear.
    serialNumber: `1${randomBytes(15).toString('hex')}`,
    // Clocks differ.
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + days * DAY_MS),
  };
}

async function makeCa(): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(CA_DAYS),
    name: 'CN=podwright-ca',
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) };
}

type Leaf = {
  readonly subject: string;
  readonly hosts: readonly string[];
  readonly usage: 'server' | 'client';
};

async function makeLeaf(ca: KeyPair, leaf: Leaf): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const der = Buffer.from(ca.key.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const usage = x509.ExtendedKeyUsage[leaf.usage === 'server' ? 'serverAuth' : 'clientAuth'];
  const names = leaf.hosts.map((host) => ({
    type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const),
    value: host,
  }));
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(LEAF_DAYS),
    subject: leaf.subject,
    issuer: new x509.X509Certificate(ca.certificate).subject,
    publicKey: keys.publicKey as never,
    signingKey: signingKey as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) };
}

function isUsable(pair: KeyPair, ca: KeyPair, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(pair.certificate);
  const isOurs = certificate.verify(new X509Certificate(ca.certificate).publicKey);
  const isFresh = Date.parse(certificate.validTo) - Date.now() > RENEW_DAYS * DAY_MS;
  const has = (host: string): boolean =>
    (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  return isOurs && isFresh && hosts.every(has);
}

async function readPair(dir: string, name: string): Promise<KeyPair | undefined> {
  const certificate = await readIfExists(join(dir, `${name}.crt`));
  const key = await readIfExists(join(dir, `${name}.key`));
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

async function keepPair(dir: string, name: string, pair: KeyPair): Promise<KeyPair> {
  await writeFileAtomic(join(dir, `${name}.key`), pair.key, { mode: 0o600, durable: true });
  await writeFileAtomic(join(dir, `${name}.crt`), pair.certificate, { mode: 0o644, durable: true });
  return pair;
}

/** A secret in a file of its own, made by the first who needs it. */
async function ensureSecret(path: string, make: () => string): Promise<string> {
  const found = await readIfExists(path);
  if (found !== undefined) return found;
  const made = make();
  await writeFileAtomic(path, made, { mode: 0o600, durable: true });
  return made;
}

function makeSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHM.namedCurve });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export async function ensureAuthority(dir: string): Promise<Authority> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const ca = (await readPair(dir, 'ca')) ?? (await keepPair(dir, 'ca', await makeCa()));
  return { ca, serviceAccountKey: await ensureSecret(join(dir, 'service-account.key'), makeSigningKey) };
}

/** @param hosts names and addresses the server must answer to. */
export async function ensurePki(dir: string, { ca }: Authority, hosts: readonly string[]): Promise<Pki> {
  const leaf = async (name: string, wanted: Leaf): Promise<KeyPair> => {
    const found = await readPair(dir, name);
    if (found !== undefined && isUsable(found, ca, wanted.hosts)) return found;
    return keepPair(dir, name, await makeLeaf(ca, wanted));
  };
  const server = await leaf('server', { subject: 'CN=podwright', hosts, usage: 'server' });
  const subject = 'CN=podwright-admin,O=system:masters';
  const admin = await leaf('admin', { subject, hosts: [], usage: 'client' });
  const adminToken = await ensureSecret(join(dir, 'admin.token'), () =>
    randomBytes(32).toString('base64url'),
  );
  return { ca: ca.certificate, server, admin, adminToken };
}
