// npm run licences: every package that package-lock.json names, with version and licence. Ends with 1 when one has a licence that
// is not in the list below.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Locked = {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
};

export type LockedPackage = Locked & { readonly name: string };

/** All of them let us pass the package on under Apache-2.0, with their notices. PSF-2.0 and Unlicense: only for the tests. */
export const LICENCES: readonly string[] = [
  '(Apache-2.0 AND BSD-3-Clause)',
  '0BSD',
  'Apache-2.0',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT OR Apache-2.0',
];
export const TEST_LICENCES: readonly string[] = [...LICENCES, 'PSF-2.0', 'Unlicense'];

export function lockedPackages(): readonly LockedPackage[] {
  const text = readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { readonly packages: Readonly<Record<string, Locked>> };
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, locked]) => ({ ...locked, name: path.slice(path.lastIndexOf('node_modules/') + 13) }));
}

export const isLicenceFine = ({ license = '', dev = false }: LockedPackage): boolean =>
  (dev ? TEST_LICENCES : LICENCES).includes(license);

if (import.meta.main) {
  const all = lockedPackages();
  for (const one of all) {
    const { name, version, license = 'none', dev = false } = one;
    const remark = `${dev ? '  (tests)' : ''}${isLicenceFine(one) ? '' : '  NOT IN THE LIST'}`;
    process.stdout.write(`${`${name} ${version}`.padEnd(56)} ${license}${remark}\n`);
  }
  process.exitCode = all.every(isLicenceFine) ? 0 : 1;
}
