// The floors of src/: an import only points down. The table is the rule; whatever breaks it is named with file and line.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

/** What each folder may import beside itself. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  kube: ['base'],
  store: ['base', 'kube'],
  client: ['base', 'kube'],
  machine: ['base', 'kube'],
  apiserver: ['base', 'kube', 'store', 'client'],
  agent: ['base', 'kube', 'client', 'machine'],
  scheduler: ['base', 'kube', 'client'],
  simulator: ['base', 'kube', 'scheduler'],
  controllers: ['base', 'kube', 'client'],
  cli: ['base', 'kube', 'client', 'machine', 'scheduler', 'simulator'],
  main: [
    'base',
    'kube',
    'store',
    'client',
    'machine',
    'apiserver',
    'agent',
    'scheduler',
    'controllers',
    'cli',
  ],
};

const IMPORT =
  /(?:^|\s)(?:import|export)\b[^'"]*?\bfrom\s*['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]/g;

const floorOf = (src: string, path: string): string => relative(src, path).split('/')[0] ?? '';

/** "src/kube/pod.ts:3 imports store/store.ts"; empty when all is well. Throws when there was nothing to read. */
export async function floorViolations(
  src: string,
): Promise<{ readonly files: number; readonly violations: readonly string[] }> {
  const names = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'));
  if (names.length === 0) throw new Error(`no TypeScript below ${src}: the floors were not checked`);
  const violations: string[] = [];
  for (const name of names) {
    const path = join(src, name);
    const text = await readFile(path, 'utf8');
    const floor = floorOf(src, path);
    if (FLOORS[floor] === undefined) violations.push(`${path}: the folder ${floor} is in no floor`);
    for (const match of text.matchAll(IMPORT)) {
      const target = resolve(dirname(path), match[1] ?? match[2] ?? '');
      const targetFloor = floorOf(src, target);
      // package.json and the like, above src/, are data.
      if (targetFloor === '..' || targetFloor === floor || FLOORS[floor]?.includes(targetFloor)) continue;
      const line = text.slice(0, match.index + match[0].search(/\S/)).split('\n').length;
      violations.push(
        `${path}:${line} imports ${relative(src, target)}: ${floor} stands below or beside ${targetFloor}`,
      );
    }
  }
  return { files: names.length, violations };
}
