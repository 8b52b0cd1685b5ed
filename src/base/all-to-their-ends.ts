// Work side by side of which one that fails does not leave another running unseen: what comes after it, often an undo, has
// nothing beside it.

/** Throws the first failure, when all have ended. */
export async function allToTheirEnds<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const ends = await Promise.allSettled(work);
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}
