// npm run check: types, lint and format, dead code, floors, generated types. Side by side; each line says what was looked
// at, what fails shows its output. `node scripts/check.ts types floors` runs only those.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { floorViolations } from './floors.ts';

const ROOT = join(import.meta.dirname, '..');

type Result = { readonly ok: boolean; readonly text: string };
type Check = { readonly name: string; readonly what: string; readonly run: () => Promise<Result> };

function program(name: string, ...args: readonly string[]): () => Promise<Result> {
  return async () => {
    const child = spawn(join(ROOT, 'node_modules/.bin', name), args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => output.push(chunk));
    const [exitCode] = await once(child, 'close');
    return { ok: exitCode === 0, text: Buffer.concat(output).toString().trimEnd() };
  };
}

async function floors(): Promise<Result> {
  const { files, violations } = await floorViolations(join(ROOT, 'src'));
  return {
    ok: violations.length === 0,
    text: violations.length === 0 ? `${files} files` : violations.join('\n'),
  };
}

const CHECKS: readonly Check[] = [
  { name: 'types', what: 'tsc', run: program('tsc', '-p', '.') },
  {
    name: 'style',
    what: 'biome: lint and format',
    run: program('biome', 'check', '--error-on-warnings', '.'),
  },
  { name: 'dead-code', what: 'knip: unused files, exports, packages', run: program('knip') },
  { name: 'floors', what: 'imports only point down', run: floors },
  {
    name: 'generated',
    what: 'Kubernetes types as generated',
    run: program('node', 'scripts/generate-kube-types.ts', '--check'),
  },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some((check) => check.name === name));
if (unknown.length > 0)
  throw new Error(`no check ${unknown.join(', ')}; there are ${CHECKS.map(({ name }) => name).join(', ')}`);

await Promise.all(
  CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name)).map(
    async ({ name, what, run }) => {
      const startedMs = performance.now();
      const { ok, text } = await run();
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      process.stdout.write(
        `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${what} (${seconds} s)${ok && text !== '' && !text.includes('\n') ? `: ${text}` : ''}\n`,
      );
      if (!ok) {
        process.stdout.write(`${text}\n`);
        process.exitCode = 1;
      }
    },
  ),
);
