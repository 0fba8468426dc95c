// Ticks on their way to one reader. Of a state the newest is kept, of the rest all, up to a bound.

const KEPT_MAX = 10_000;

export class Outlet {
  /** Ticks that were dropped since the last `take`, since the reader was too slow, and their topics. */
  lost = 0;
  lostTopics = new Set();

  #newest = new Map();
  #all = [];

  get size() {
    return this.#newest.size + this.#all.length;
  }

  add(tick, isMerged) {
    if (isMerged) {
      const before = this.#newest.get(tick.topic);
      if (before) tick = { ...tick, skipped: tick.skipped + before.skipped + 1 };
      this.#newest.set(tick.topic, tick);
      return;
    }
    if (this.#all.length >= KEPT_MAX) {
      const half = this.#all.splice(0, KEPT_MAX / 2);
      this.lost += half.length;
      for (const { topic } of half) this.lostTopics.add(topic);
    }
    this.#all.push(tick);
  }

  /** All that waits. */
  take() {
    const ticks = [...this.#newest.values(), ...this.#all];
    this.#newest.clear();
    this.#all = [];
    return ticks;
  }

  /** One of what waits. */
  shift() {
    for (const [topic, tick] of this.#newest) {
      this.#newest.delete(topic);
      return tick;
    }
    return this.#all.shift();
  }

  clear() {
    this.take();
  }
}
