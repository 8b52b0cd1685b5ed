// npm run soak -- --minutes 5 --seed 42: random pods and random harm on a real engine, its promises looked at all along.
// Ends with 1 when one was broken, and prints the line that tries the same again.
import { parseArgs } from 'node:util';
import { soak } from '../test/lib/soak/soak.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!(minutes > 0) || !Number.isInteger(seed)) throw new Error('usage: npm run soak -- --minutes M --seed S');

const rerun = `npm run soak -- --minutes ${minutes} --seed ${seed}`;
process.stdout.write(`seed ${seed}, ${minutes} minutes; again: ${rerun}\n`);
const { counts, broken } = await soak({
  seed,
  durationMs: minutes * 60_000,
  say: (line) => process.stdout.write(`${line}\n`),
});
for (const [name, count] of Object.entries(counts))
  process.stdout.write(`${String(count).padStart(8)} ${name}\n`);
process.stdout.write(
  broken.length === 0 ? 'every promise held\n' : `${broken.length} broken; again: ${rerun}\n`,
);
process.exitCode = broken.length === 0 ? 0 : 1;
