// npm pack's first step: the TypeScript compiled to dist/ (Node runs no TypeScript below node_modules) and the pause image.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const run = (program: string, ...args: string[]): void =>
  void execFileSync(program, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
run(join(ROOT, 'node_modules/.bin/tsc'), '-p', 'tsconfig.build.json');
// Read at run time, not imported: the compiler does not copy it.
copyFileSync(join(ROOT, 'src/kube/api-docs.json'), join(ROOT, 'dist/kube/api-docs.json'));
run(process.execPath, 'scripts/build-pause.ts');
