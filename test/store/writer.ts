// For store.test.ts: writes until it is killed and tells its parent how many writes were answered.
import { openStore } from '../../src/store/store.ts';

const store = await openStore<{ readonly n: number }>({ path: process.argv[2] ?? '' });
for (let n = 0; ; n += 1) {
  await store.write(`/k/${n}`, () => ({ verb: 'put', value: { n } }));
  process.send?.(n + 1);
}
