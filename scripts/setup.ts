// npm run setup, second half: the programs Podwright stands on, from Debian's packages, and the images of demo and tests.
// Installs only what is missing, says what it does, and names what is missing where it cannot install it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from './build-images.ts';
import { buildPause, PAUSE_ARCHIVE } from './build-pause.ts';
import { RECIPES } from './build-recipes.ts';

const PROGRAM_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const CNI_DIRS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

const isIn =
  (directories: readonly string[], ...names: readonly string[]) =>
  (): boolean =>
    names.every((name) => directories.some((directory) => existsSync(join(directory, name))));
const program = (...names: readonly string[]): (() => boolean) => isIn(PROGRAM_DIRS, ...names);

type Need = { readonly debianPackage: string; readonly for: string; readonly isThere: () => boolean };

const NEEDS: readonly Need[] = [
  { debianPackage: 'crun', for: 'starting containers, fast', isThere: program('crun') },
  { debianPackage: 'runc', for: 'starting containers where crun refuses', isThere: program('runc') },
  { debianPackage: 'conmon', for: 'containers that outlive the engine', isThere: program('conmon') },
  { debianPackage: 'skopeo', for: 'images', isThere: program('skopeo') },
  {
    debianPackage: 'containernetworking-plugins',
    for: 'the network of the pods',
    isThere: isIn(CNI_DIRS, 'loopback', 'bridge', 'host-local', 'portmap'),
  },
  { debianPackage: 'nftables', for: 'the network of the pods', isThere: program('nft') },
  { debianPackage: 'iptables', for: 'host ports', isThere: program('iptables') },
  { debianPackage: 'iproute2', for: 'the network of the pods', isThere: program('ip') },
  {
    debianPackage: 'ca-certificates',
    for: 'registries',
    isThere: () => existsSync('/etc/ssl/certs/ca-certificates.crt'),
  },
  { debianPackage: 'binutils', for: 'building the infra container', isThere: program('as', 'ld') },
  process.arch === 'arm64'
    ? {
        debianPackage: 'binutils-x86-64-linux-gnu',
        for: 'the infra container of the other architecture',
        isThere: program('x86_64-linux-gnu-as', 'x86_64-linux-gnu-ld'),
      }
    : {
        debianPackage: 'binutils-aarch64-linux-gnu',
        for: 'the infra container of the other architecture',
        isThere: program('aarch64-linux-gnu-as', 'aarch64-linux-gnu-ld'),
      },
  // busybox without -static would need its libraries in every container of the tests.
  { debianPackage: 'busybox-static', for: 'the tests: small root file systems', isThere: program('busybox') },
  { debianPackage: 'docker-registry', for: 'the tests: a registry', isThere: program('docker-registry') },
  {
    debianPackage: 'python3-kubernetes',
    for: 'the tests: a client that is not ours',
    isThere: () => existsSync('/usr/lib/python3/dist-packages/kubernetes'),
  },
  { debianPackage: 'strace', for: 'the tests: what the kernel was told', isThere: program('strace') },
  { debianPackage: 'openssl', for: 'the tests: a registry with TLS', isThere: program('openssl') },
];

const say = (line: string): void => void process.stdout.write(`setup: ${line}\n`);

function fail(...lines: readonly string[]): never {
  for (const line of lines) process.stderr.write(`setup: ${line}\n`);
  process.exit(1);
}

/** Shows what it prints only when it fails. */
async function run(command: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(command, args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0) process.stderr.write(Buffer.concat(output));
  return exitCode === 0;
}

function explain(missing: readonly Need[], why: string): never {
  const width = Math.max(...missing.map(({ debianPackage }) => debianPackage.length));
  fail(
    `${why} These are missing (names of Debian's packages):`,
    ...missing.map(({ debianPackage, for: purpose }) => `  ${debianPackage.padEnd(width)}  ${purpose}`),
  );
}

async function installPackages(missing: readonly Need[]): Promise<void> {
  const names = missing.map(({ debianPackage }) => debianPackage);
  if (!program('apt-get')())
    explain(missing, 'There is no apt-get here: install them with the package manager of this system.');
  if (process.getuid?.() !== 0)
    explain(missing, `Installing needs root: sudo apt-get install -y ${names.join(' ')}`);
  say(`Debian packages: ${names.join(' ')}`);
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  // A fresh machine has no package lists, an old one outdated ones: both show as a failed install.
  if (
    existsSync('/var/lib/apt/lists/partial') &&
    (await run('apt-get', ['--quiet', ...install, '--simulate']))
  ) {
    if (await run('apt-get', ['--quiet', ...install])) return;
  }
  say('package lists: apt-get update');
  if (!(await run('apt-get', ['--quiet', 'update'])))
    fail('apt-get update failed; run setup again when the mirror can be reached.');
  if (!(await run('apt-get', ['--quiet', ...install]))) fail('apt-get install failed; see above.');
}

async function buildImages(): Promise<void> {
  if (!existsSync(PAUSE_ARCHIVE)) {
    say('image of the infra container');
    await buildPause(PAUSE_ARCHIVE);
  }
  if (!program('apt-get', 'dpkg-deb')()) {
    say(
      'the images of demo and tests are made of Debian packages and cannot be built here; the engine works without them',
    );
    return;
  }
  for (const name of Object.keys(RECIPES)) await buildImage(name, { say });
}

const missing = NEEDS.filter(({ isThere }) => !isThere());
if (missing.length > 0) await installPackages(missing);
const stillMissing = missing.filter(({ isThere }) => !isThere());
if (stillMissing.length > 0) explain(stillMissing, 'Installed, yet not found.');
await buildImages();
