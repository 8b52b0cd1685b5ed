// For damage.test.ts: opens the stores it is told of, one after the other, and says what it found. A process of its own, because
// a damaged page may end it.
import { errorText, isPodwrightError } from '../../src/base/errors.ts';
import { openStore } from '../../src/store/store.ts';

process.on('message', async (path: string) => {
  try {
    const store = await openStore<{ readonly n: number }>({ path });
    const { values, revision } = store.list({ prefix: '/' });
    process.send?.({ values, revision });
    await store.close();
  } catch (error) {
    process.send?.({ refused: isPodwrightError(error, 'StoreCorrupt'), message: errorText(error) });
  }
});
