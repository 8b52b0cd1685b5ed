// Debian packages with all they depend on, unpacked into a directory and not installed: no maintainer script runs, the
// machine's own packages are neither changed nor counted as present.
import { spawn } from 'node:child_process';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram, runProgramChecked } from '../src/machine/system/spawn.ts';

/** What packages depend on for their installation or for a machine that boots, not for running in a container. */
const NOT_FOR_CONTAINERS = new RegExp(
  `^(${[
    'systemd|libsystemd-shared|libcryptsetup|libdevmapper|dmsetup|util-linux|mount|init-system-helpers|sysvinit-utils',
    'login|passwd|adduser|libpam|libaudit|libsemanage|libsepol|debconf|dpkg|tar$|ucf|sensible-utils|usrmerge|lsb-base',
    'perl|libperl|lib.*-perl$|libgdbm|fonts-|fontconfig-config|libjs-|javascript-common|openssl|tzdata',
    'iproute2|libbpf|libelf|libtirpc|libxtables',
  ].join('|')})`,
);

/** What nobody reads in a container. */
const NOT_UNPACKED = ['doc', 'man', 'locale', 'lintian', 'bug', 'info'].map(
  (name) => `--exclude=./usr/share/${name}/*`,
);

/** The first of the packages that this machine's apt knows: a release has one Tomcat, another release the next. */
export async function firstAvailable(packages: readonly string[]): Promise<string> {
  for (const name of packages) {
    const { exitCode, stdout } = await runProgram('apt-cache', ['show', '--no-all-versions', name]);
    if (exitCode === 0 && stdout !== '') return name;
  }
  throw new Error(`none of the packages ${packages.join(', ')} is known to apt`);
}

/**
 * Fetches the packages and what they need into `cacheDir` (what is there already is not fetched again, a half one is
 * continued) and unpacks them into `root`. Returns how many were unpacked.
 */
export async function unpackPackages(
  packages: readonly string[],
  root: string,
  cacheDir: string,
): Promise<number> {
  await mkdir(join(cacheDir, 'partial'), { recursive: true });
  const noneInstalled = join(cacheDir, 'status');
  await writeFile(noneInstalled, '');
  const options = [
    `Dir::State::status=${noneInstalled}`,
    `Dir::Cache::archives=${cacheDir}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const install = ['install', '--yes', '--no-install-recommends', ...options, ...packages];
  await download([...install, '--download-only']);
  // The same resolution again, told in one line per package: "Inst name (version ...)".
  const { stdout } = await runProgramChecked('apt-get', [...install, '--simulate']);
  const wanted = [...stdout.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name = '', version = '']) => ({
    name,
    version,
  }));
  const files = await readdir(cacheDir);
  const unpacked = wanted
    .filter(({ name }) => !NOT_FOR_CONTAINERS.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, version } of unpacked) {
    // apt writes an epoch's colon as %3a.
    const prefix = `${name}_${version.replace(':', '%3a')}_`;
    const file = files.find((candidate) => candidate.startsWith(prefix) && candidate.endsWith('.deb'));
    if (file === undefined)
      throw new Error(`package ${name} ${version} is not in ${cacheDir} after its download`);
    await unpack(join(cacheDir, file), root);
  }
  return unpacked.length;
}

/** The machine may have no package lists, or so old ones that a package has gone from the mirror: both show as a failure. */
async function download(install: readonly string[]): Promise<void> {
  const timeoutMs = 15 * 60_000;
  const { exitCode } = await runProgram('apt-get', install, { timeoutMs });
  if (exitCode === 0) return;
  await runProgramChecked('apt-get', ['update'], { timeoutMs });
  await runProgramChecked('apt-get', install, { timeoutMs });
}

/** dpkg-deb alone would put a directory in the place of the links lib -> usr/lib, so tar unpacks. */
function unpack(file: string, root: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const source = spawn('dpkg-deb', ['--fsys-tarfile', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const tarArgs = ['-x', '-C', root, '--keep-directory-symlink', '--no-same-owner', ...NOT_UNPACKED];
    const tar = spawn('tar', tarArgs, { stdio: [source.stdout, 'inherit', 'inherit'] });
    source.on('error', reject);
    tar.on('error', reject);
    tar.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`unpack ${file}: tar ended with ${code}`)),
    );
  });
}

/** Every image's root has /bin, /sbin, /lib and /lib64 as links into /usr, as Debian has since 12. */
export async function linkUsr(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
}
