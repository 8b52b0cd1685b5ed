// The store's keys in order, so that a prefix is a slice. A sorted array: finding is a binary search, inserting moves
// memory, which for a machine's worth of keys costs less than any tree.

export class SortedKeys {
  readonly #keys: string[] = [];

  /** The position of the first key that is not before `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(key: string): void {
    const position = this.#position(key);
    if (this.#keys[position] !== key) this.#keys.splice(position, 0, key);
  }

  remove(key: string): void {
    const position = this.#position(key);
    if (this.#keys[position] === key) this.#keys.splice(position, 1);
  }

  countWithPrefix(prefix: string): number {
    // No key of the store has the highest code unit in it.
    return this.#position(`${prefix}\uffff`) - this.#position(prefix);
  }

  /** Every key that starts with `prefix`, in order. */
  withPrefix(prefix: string): string[] {
    const first = this.#position(prefix);
    let end = first;
    while (this.#keys[end]?.startsWith(prefix) === true) end += 1;
    return this.#keys.slice(first, end);
  }
}
