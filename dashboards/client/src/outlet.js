// Ticks on their way to one reader, in order. Of a state the newest is kept, of the rest all, up to a bound.

const KEPT_MAX = 10_000;

export class Outlet {
  /** By topic what is merged, by number what is not. */
  #waiting = new Map();
  #count = 0;
  #onLost;

  /** @param {(lost: number, topics: string[]) => void} onLost called when the reader was too slow */
  constructor(onLost) {
    this.#onLost = onLost;
  }

  get size() {
    return this.#waiting.size;
  }

  add(tick, isMerged) {
    const key = isMerged ? tick.topic : (this.#count += 1);
    const before = this.#waiting.get(key);
    if (before) tick = { ...tick, skipped: tick.skipped + before.skipped + 1 };
    this.#waiting.delete(key);
    this.#waiting.set(key, tick);
    if (this.size <= KEPT_MAX || isMerged) return;
    const old = [...this.#waiting].slice(0, KEPT_MAX / 2);
    for (const [one] of old) this.#waiting.delete(one);
    this.#onLost(old.length, [...new Set(old.map(([, { topic }]) => topic))]);
  }

  /** One of what waits, or all of it. */
  take(most = Infinity) {
    const taken = [...this.#waiting].slice(0, most);
    for (const [key] of taken) this.#waiting.delete(key);
    return taken.map(([, tick]) => tick);
  }
}
