// The last minutes of one figure, in slots of equal length, and the line through them. A slot is as long as a bar.

/** Nothing is known of a slot; nothing came in it; something came in it. */
const UNKNOWN = 0;
const QUIET = 1;
const MOVED = 2;
/** Steps between the lowest and the highest figure: about the pixels of a tile. */
export const LEVELS = 100;

export class Spark {
  /** Changes when something before the newest slot does. */
  version = 0;

  #ms;
  #state;
  #low;
  #high;
  #close;
  /** Number of the newest slot since 1970, or -1. */
  #head = -1;

  /** @param slotMs length of a slot; @param slots how many there are */
  constructor(slotMs, slots) {
    this.#ms = slotMs;
    this.slots = slots;
    this.#state = new Uint8Array(slots);
    [this.#low, this.#high, this.#close] = [0, 1, 2].map(() => new Float64Array(slots));
  }

  get head() {
    return this.#head;
  }

  /** Forgets all: the figure is another. */
  clear() {
    this.#head = -1;
    this.#state.fill(UNKNOWN);
    this.version += 1;
  }

  /** Time has come so far; `isLive`: and all that happened since was told. */
  advance(ms, isLive) {
    const slot = Math.floor(ms / this.#ms);
    if (this.#head < 0) this.#head = slot - 1;
    if (slot <= this.#head) return;
    for (let next = Math.max(this.#head + 1, slot - this.slots + 1); next <= slot; next += 1) {
      this.#state[next % this.slots] = isLive ? QUIET : UNKNOWN;
    }
    this.#head = slot;
    this.version += 1;
  }

  /** Takes a tick. */
  tick(ms, number) {
    if (!Number.isFinite(number) || !Number.isFinite(ms) || ms < 0) return;
    // What was between is not known: the bars will say it.
    this.advance(ms, false);
    const slot = Math.floor(ms / this.#ms);
    if (slot > this.#head - this.slots) this.#put(slot % this.slots, number, number, number);
  }

  #put(i, low, high, close) {
    const isFirst = this.#state[i] !== MOVED;
    this.#state[i] = MOVED;
    this.#low[i] = isFirst ? low : Math.min(low, this.#low[i]);
    this.#high[i] = isFirst ? high : Math.max(high, this.#high[i]);
    this.#close[i] = close;
  }

  /**
   * Takes the server's bars, as `/v1/bars` has them of one topic, up to `now`. Of the newest slot the ticks know more. A
   * slot without a bar was quiet, unless it is in a time of which the server knows nothing.
   */
  take({ bars, since, unknown }, now) {
    this.advance(now, false);
    const first = this.#head - this.slots + 1;
    const dark = [[-Infinity, Number.isFinite(since) ? since : Infinity]];
    for (const { from, to } of Array.isArray(unknown) ? unknown : []) dark.push([from, to]);
    for (let slot = first; slot < this.#head; slot += 1) {
      const [begins, ends] = [slot * this.#ms, (slot + 1) * this.#ms];
      const isDark = dark.some(([from, to]) => begins < to && ends > from);
      if (this.#state[slot % this.slots] !== MOVED) this.#state[slot % this.slots] = isDark ? UNKNOWN : QUIET;
    }
    // Several bars may be in one slot: the first of them replaces what the slot had.
    let last = -1;
    for (const { start, low, high, close } of Array.isArray(bars) ? bars : []) {
      const slot = Math.floor(start / this.#ms);
      const figures = [low, high, close].map(Number);
      if (!(slot >= first && slot <= this.#head) || !figures.every(Number.isFinite)) continue;
      const i = slot % this.slots;
      if (slot === this.#head && this.#state[i] === MOVED) continue;
      if (slot !== last) this.#state[i] = QUIET;
      last = slot;
      this.#put(i, ...figures);
    }
    this.version += 1;
  }

  /** Whether the slot before the newest is unknown, which bars could fill. */
  get isPatchy() {
    return this.#head >= 0 && this.#state[(this.#head - 1 + this.slots) % this.slots] === UNKNOWN;
  }

  /** Lowest and highest figure as `[low, high]`, or null. */
  range() {
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < this.slots; i += 1) {
      if (this.#state[i] !== MOVED) continue;
      low = Math.min(low, this.#low[i]);
      high = Math.max(high, this.#high[i]);
    }
    return low <= high ? [low, high] : null;
  }

  /** What the line looks like, as a short text: the line is drawn again when it changes. */
  look() {
    const range = this.range();
    if (!range) return "";
    return `${this.version} ${range} ${this.#level(this.#close[this.#head % this.slots], range)}`;
  }

  #level(number, [low, high]) {
    return high > low ? Math.round(LEVELS * (1 - (number - low) / (high - low))) : LEVELS / 2;
  }

  /** The line as an SVG path in `slots` × `LEVELS`: a figure holds until the next, and ends where nothing is known. */
  path() {
    const range = this.range();
    if (!range) return "";
    let path = "";
    let isDown = false;
    let held = false;
    for (let i = 0; i < this.slots; i += 1) {
      const at = (this.#head + 1 + i) % this.slots;
      const state = this.#state[at];
      if (state === MOVED) {
        if (isDown && held) path += `H${i}`;
        const y = this.#level(this.#close[at], range);
        // A point of no length is seen by its round ends.
        path += isDown ? `L${i + 0.5} ${y}` : `M${i + 0.5} ${y}h.01`;
        isDown = true;
        held = false;
      } else if (isDown && state === QUIET) held = true;
      else {
        if (isDown && held) path += `H${i}`;
        isDown = held = false;
      }
    }
    return isDown && held ? `${path}H${this.slots}` : path;
  }
}
