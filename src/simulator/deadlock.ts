// Who waits for whom, and whether in a circle.

/** Some cycle of the graph, in its order; undefined when there is none. `edges` gives whom one waits for. */
export function findCycle<T>(
  items: readonly T[],
  edges: (item: T) => readonly T[],
): readonly T[] | undefined {
  const done = new Set<T>();
  for (const start of items) {
    const path: T[] = [];
    const open: { readonly item: T; readonly rest: T[] }[] = [{ item: start, rest: [...edges(start)] }];
    path.push(start);
    while (open.length > 0) {
      const top = open.at(-1);
      const next = top?.rest.pop();
      if (next === undefined) {
        const left = open.pop();
        path.pop();
        if (left !== undefined) done.add(left.item);
        continue;
      }
      const at = path.indexOf(next);
      if (at >= 0) return path.slice(at);
      if (done.has(next)) continue;
      path.push(next);
      open.push({ item: next, rest: [...edges(next)] });
    }
  }
  return undefined;
}
