// Ticks on their way to one reader, in order. Of a state the newest is kept, of the rest all, up to a bound.

const KEPT_MAX = 10_000;

export class Outlet {
  /** By topic what is merged, by number what is not. */
  #waiting = new Map();
  #count = 0;
  #client;

  constructor(client) {
    this.#client = client;
  }

  add(tick, isMerged) {
    const key = isMerged ? tick.topic : (this.#count += 1);
    const before = this.#waiting.get(key);
    if (before) {
      tick = { ...tick, skipped: tick.skipped + before.skipped + 1 };
      this.#waiting.delete(key);
    }
    this.#waiting.set(key, tick);
    if (this.#waiting.size <= KEPT_MAX || isMerged) return;
    // The reader was too slow.
    const lost = this.take(KEPT_MAX / 2);
    this.#client.emit("lag", { by: "reader", skipped: lost.length });
    queueMicrotask(() => this.#client._ticks.gap([...new Set(lost.map(({ topic }) => topic))], false, "overflow"));
  }

  /** The oldest of what waits. */
  take(most) {
    const taken = [];
    for (const [key, tick] of this.#waiting) {
      if (taken.length === most) break;
      taken.push(tick);
      this.#waiting.delete(key);
    }
    return taken;
  }
}
