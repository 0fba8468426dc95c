// Ticks on their way to one reader, in order. Of a state the newest is kept, of the rest all, up to a bound.

const KEPT_MAX = 10_000;

export class Outlet {
  /** Ticks that were dropped, since the reader was too slow, and their topics. */
  lost = 0;
  lostTopics = new Set();

  /** By topic what is merged, by number what is not. */
  #waiting = new Map();
  #count = 0;

  get size() {
    return this.#waiting.size;
  }

  add(tick, isMerged) {
    const key = isMerged ? tick.topic : (this.#count += 1);
    const before = this.#waiting.get(key);
    if (before) tick = { ...tick, skipped: tick.skipped + before.skipped + 1 };
    this.#waiting.delete(key);
    this.#waiting.set(key, tick);
    if (!isMerged && this.#waiting.size > KEPT_MAX) this.#drop();
  }

  /** One of what waits. */
  shift() {
    for (const [key, tick] of this.#waiting) {
      this.#waiting.delete(key);
      return tick;
    }
    return undefined;
  }

  /** All that waits. */
  take() {
    const ticks = [...this.#waiting.values()];
    this.#waiting.clear();
    return ticks;
  }

  /** The older half goes. */
  #drop() {
    for (const [key, { topic }] of this.#waiting) {
      if (this.#waiting.size <= KEPT_MAX / 2) return;
      this.#waiting.delete(key);
      this.lost += 1;
      this.lostTopics.add(topic);
    }
  }
}
