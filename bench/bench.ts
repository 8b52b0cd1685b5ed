// npm run bench [-- SECTION] [--n N] [--quick] [--runtime crun|runc] [--json FILE]: prints one table a section, figures beside
// the bare floor and, where it is installed, podman, all measured in this run, turn about. Ratios travel between machines,
// milliseconds do not.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { runtimeNames } from '../src/machine/runtime/runtime.ts';
import { benchApi } from './api.ts';
import { benchDensity } from './density.ts';
import { benchLife } from './life.ts';
import { benchLogs } from './logs.ts';
import type { BenchOptions } from './options.ts';
import { benchExec, benchPods } from './pods.ts';
import { benchScheduler } from './scheduler.ts';
import { type Row, table } from './statistics.ts';

const SECTIONS: Record<string, (options: BenchOptions) => Promise<readonly Row[]>> = {
  pods: benchPods,
  api: ({ n }) => benchApi(n),
  exec: benchExec,
  life: benchLife,
  logs: benchLogs,
  density: benchDensity,
  scheduler: benchScheduler,
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    n: { type: 'string', default: '30' },
    quick: { type: 'boolean', default: false },
    runtime: { type: 'string' },
    json: { type: 'string' },
  },
});
const n = values.quick ? 3 : Number(values.n);
const runtime = runtimeNames.find((name) => name === values.runtime);
if (values.runtime !== undefined && runtime === undefined)
  throw new Error(`no runtime ${values.runtime}; there are: ${runtimeNames.join(', ')}`);
const names = positionals.length === 0 ? Object.keys(SECTIONS) : positionals;

process.stdout.write(
  `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}, Node ${process.version}\n`,
);
// What the machine waits for (deaths told through fifos) does not keep a process alive; the bench does.
const alive = setInterval(() => {}, 60_000);
const results: Record<string, readonly Row[]> = {};
for (const name of names) {
  const section = SECTIONS[name];
  if (section === undefined)
    throw new Error(`no section ${name}; there are: ${Object.keys(SECTIONS).join(', ')}`);
  results[name] = await section({ n, runtime });
  process.stdout.write(`\n## ${name}\n\n${table(results[name])}\n`);
}
clearInterval(alive);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
