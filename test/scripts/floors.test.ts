import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { floorViolations } from '../../scripts/floors.ts';

let src: string;
before(async () => {
  src = await mkdtemp(join(tmpdir(), 'podwright-floors-'));
});
after(() => rm(src, { recursive: true }));

it('fails when there is nothing to read', () =>
  assert.rejects(floorViolations(src), /the floors were not checked/));

it('names every import that points up or sideways, and no other', async () => {
  const files: Record<string, string> = {
    'kube/ok.ts':
      "import { a } from '../base/a.ts';\nimport type { b } from './b.ts';\nimport fs from 'node:fs';\n",
    'kube/up.ts': "// a comment\nimport type {\n  x,\n} from '../agent/x.ts';\n",
    'agent/sideways.ts': "export { y } from '../scheduler/y.ts';\nconst z = await import('../main/z.ts');\n",
    'stray/lost.ts': '',
    'main/package.ts': "import p from '../../package.json';\n",
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(src, name)), { recursive: true });
    await writeFile(join(src, name), content);
  }
  const { files: count, violations } = await floorViolations(src);
  assert.equal(count, 5);
  assert.deepEqual(violations.map((line) => line.slice(src.length + 1)).sort(), [
    'agent/sideways.ts:1 imports scheduler/y.ts: agent stands below or beside scheduler',
    'agent/sideways.ts:2 imports main/z.ts: agent stands below or beside main',
    'kube/up.ts:2 imports agent/x.ts: kube stands below or beside agent',
    'stray/lost.ts: the folder stray is in no floor',
  ]);
});
