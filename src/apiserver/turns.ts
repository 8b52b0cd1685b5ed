// One after the other, by key: for writes that are decided by what other keys of the store hold. The store decides many
// writes in one commit, none of which sees another; what must be seen waits for its turn.

export type Turns = { take<T>(key: string, work: () => Promise<T>): Promise<T> };

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return {
    async take(key, work) {
      const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
      last.set(key, mine);
      try {
        return await mine;
      } finally {
        if (last.get(key) === mine) last.delete(key);
      }
    },
  };
}
