// npm run load -- --pods 500 --sessions 100: figures of a loaded machine, and whether the promises hold on it. Not in CI: it takes
// the whole machine for minutes.
import { parseArgs } from 'node:util';
import { load } from '../test/lib/load.ts';

const { values } = parseArgs({
  options: { pods: { type: 'string', default: '500' }, sessions: { type: 'string', default: '100' } },
});
const [pods, sessions] = [Number(values.pods), Number(values.sessions)];
if (!(pods > 0) || !(sessions >= 0)) throw new Error('usage: npm run load -- --pods N --sessions M');
await load({ pods, sessions, say: (line) => process.stdout.write(`${line}\n`) });
