// npm run mutants [-- WORD]: breaks a copy of the tree on purpose, one mutant after the other, and shows that the test which
// should catch it does. With a word, those whose name has it. A mutant that survives is a promise that no test keeps.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from '../test/mutants/mutants.ts';

const ROOT = join(import.meta.dirname, '..');
/** What a tree needs to run its tests; large parts are only read, so that a link does. */
const COPIED = ['src', 'test', 'scripts', 'examples', 'patterns', 'images', 'package.json', 'podwright'];
const LINKED = ['node_modules', '.podwright'];
/** A build that hangs is as broken as one that fails. */
const PATIENCE_MS = 3 * 60_000;

export type Verdict =
  | { readonly kind: 'caught'; readonly seconds: number }
  | { readonly kind: 'survived'; readonly seconds: number; readonly output: string };

/** The file of the tests that the contract's file makes, where it makes them for others. */
const RUN_BY: Readonly<Record<string, string>> = {
  'test/client/resource-api-contract.ts': 'test/client/in-process.test.ts',
  'test/machine/network-contract.ts': 'test/machine/network.test.ts',
};

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

function runTest(
  tree: string,
  { file, title }: Mutant['test'],
): Promise<{ readonly code: number; readonly output: string; readonly hung: boolean }> {
  // Else the runner takes itself for a part of the one that this may be running under.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = [
    '--test',
    '--test-reporter=spec',
    `--test-name-pattern=${escaped(title)}`,
    RUN_BY[file] ?? file,
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: tree,
      detached: true,
      env,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    }, PATIENCE_MS);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, output, hung });
    });
  });
}

export async function runMutant({ file, find, replace, test }: Mutant): Promise<Verdict> {
  const tree = mkdtempSync(join(tmpdir(), 'podwright-mutant-'));
  const startedMs = performance.now();
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(tree, name), { recursive: true });
    for (const name of LINKED) symlinkSync(join(ROOT, name), join(tree, name));
    const source = readFileSync(join(tree, file), 'utf8');
    writeFileSync(
      join(tree, file),
      source.replace(find, () => replace),
    );
    const { code, output, hung } = await runTest(tree, test);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    if (hung) return { kind: 'caught', seconds };
    // A test that was not found passes as well.
    const hasRun = new RegExp(`[✔✖] ${escaped(test.title)}`).test(output);
    if (!hasRun) throw new Error(`${test.file} did not run: ${test.title}\n${output}`);
    return code === 0 ? { kind: 'survived', seconds, output } : { kind: 'caught', seconds };
  } finally {
    rmSync(tree, { recursive: true });
  }
}

async function main(word: string | undefined): Promise<void> {
  const chosen = MUTANTS.filter(({ name }) => word === undefined || name.includes(word));
  let survivors = 0;
  for (const mutant of chosen) {
    const verdict = await runMutant(mutant);
    process.stdout.write(`${verdict.kind.padEnd(8)} ${verdict.seconds} s  ${mutant.name}\n`);
    if (verdict.kind === 'survived') {
      survivors += 1;
      process.stdout.write(`  by ${mutant.test.file}: ${mutant.test.title}\n`);
    }
  }
  process.stdout.write(`${chosen.length - survivors} of ${chosen.length} caught\n`);
  process.exitCode = survivors === 0 ? 0 : 1;
}

if (import.meta.main) await main(process.argv[2]);
