// For sync.test.ts: writes some values one after the other and says so on standard error, at once, when each is answered.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../src/store/store.ts';

const [path = '', count = '1'] = process.argv.slice(2);
const store = await openStore<{ readonly n: number }>({ path });
for (let n = 0; n < Number(count); n += 1) {
  // What the write before left to do after its answer is done by then.
  await sleep(30);
  writeSync(2, 'asked\n');
  await store.write(`/k/${n}`, () => ({ verb: 'put', value: { n } }));
  writeSync(2, 'answered\n');
}
await store.close();
