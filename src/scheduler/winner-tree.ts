// The best of many scores that change one at a time: a tournament whose every inner node names the winner below it.
// The best is known at once, a change costs the height of the tree; of equals the lower number wins.
export class WinnerTree {
  /** By contestant; negative: not in the race. */
  readonly scores: Float64Array;
  readonly #winners: Int32Array;
  readonly #leaves: number;

  constructor(size: number) {
    this.scores = new Float64Array(size).fill(-1);
    let leaves = 1;
    while (leaves < size) leaves *= 2;
    this.#leaves = leaves;
    this.#winners = new Int32Array(leaves);
  }

  /** After `scores` was filled directly. */
  rebuild(): void {
    for (let at = this.#leaves - 1; at > 0; at -= 1) this.#decide(at);
  }

  set(contestant: number, score: number): void {
    if (this.scores[contestant] === score) return;
    this.scores[contestant] = score;
    for (let at = (contestant + this.#leaves) >> 1; at > 0; at >>= 1) this.#decide(at);
  }

  /** -1 when nobody is in the race. */
  best(): number {
    const winner = this.#leaves === 1 ? 0 : (this.#winners[1] ?? 0);
    return (this.scores[winner] ?? -1) < 0 ? -1 : winner;
  }

  #decide(at: number): void {
    const left = this.#winnerOf(at * 2);
    const right = this.#winnerOf(at * 2 + 1);
    this.#winners[at] = (this.scores[right] ?? -1) > (this.scores[left] ?? -1) ? right : left;
  }

  #winnerOf(at: number): number {
    return at >= this.#leaves ? at - this.#leaves : (this.#winners[at] ?? 0);
  }
}
