// The bars of one topic, and how they are drawn before and between its ticks.

/** A bar's close is drawn this long before its end, which is where the next bar's open is. */
const BEFORE_END_S = 0.001;
/** Bars of one chart: more than a screen has pixels, and a day of minutes. */
export const BARS_MAX = 2_000;

/** The period whose bars fill a window best: the shortest that is kept for so long, else the one that is kept longest. */
export function periodFor(periods, spanMs) {
  const fit = periods.filter(({ ms, keepMs }) => Math.min(spanMs, keepMs) / ms <= BARS_MAX);
  if (fit.length === 0) return periods.at(-1);
  return fit.find(({ keepMs }) => keepMs >= spanMs) ?? fit.reduce((best, one) => (one.keepMs > best.keepMs ? one : best));
}

export class Past {
  /** The period's length in milliseconds; 0 while there are no bars. */
  ms = 0;
  /** The most bars that were asked for at once. */
  asked = 0;
  /** Times of which nothing is known, as `[from, to]` in seconds. */
  unknown = [];

  /** Start in milliseconds → `[open, high, low, close]`. */
  #bars = new Map();

  get isEmpty() {
    return this.#bars.size === 0;
  }

  /** Start of the newest bar in milliseconds, or -Infinity. */
  get newest() {
    return this.#bars.size === 0 ? -Infinity : [...this.#bars.keys()].at(-1);
  }

  /** Takes the server's answer about the newest `asked` bars of `ms`; those of another period are forgotten. */
  take(ms, { bars, unknown }, asked = 0) {
    if (ms !== this.ms) this.clear();
    this.ms = ms;
    this.asked = Math.max(this.asked, asked);
    for (const { start, open, high, low, close } of Array.isArray(bars) ? bars : []) {
      const figures = [open, high, low, close].map(Number);
      if (Number.isFinite(start) && figures.every(Number.isFinite)) this.#bars.set(start, figures);
    }
    // Those that the server has lost since, as after a restart without history, stay.
    this.#bars = new Map([...this.#bars].sort(([a], [b]) => a - b).slice(-BARS_MAX));
    // An answer about the newest bars tells of all that is kept.
    this.unknown = (unknown ?? []).map(({ from, to }) => [from / 1000, to / 1000]);
  }

  clear() {
    this.ms = this.asked = 0;
    this.unknown = [];
    this.#bars.clear();
  }

  /** Lowest and highest figure of the bars that end after `since` (seconds), or null when there is none. */
  extent(since) {
    let [low, high] = [Infinity, -Infinity];
    for (const [start, [, most, least]] of this.#bars) {
      if ((start + this.ms) / 1000 <= since) continue;
      low = Math.min(low, least);
      high = Math.max(high, most);
    }
    return low <= high ? [low, high] : null;
  }

  /**
   * The line through bars and ticks as `[times, numbers]`; null is a gap. Where there are ticks they are the line; bars fill
   * what is before them and between. Two neighbours are joined only if nothing between them is unknown.
   */
  join({ times, numbers }) {
    if (this.isEmpty && this.unknown.length === 0) return [times, numbers];
    const line = new Line(this.unknown);
    const bars = [...this.#bars];
    const length = this.ms / 1000;
    const floor = (seconds) => Math.floor(seconds / length) * length;
    let next = 0;
    // Draws the bars from `from` on, up to the tick at `to`.
    const fill = (from, to) => {
      // Up to here the line before is known: to the end of the period of its last tick.
      let end = from === -Infinity ? from : floor(from) + length;
      for (; next < bars.length; next += 1) {
        const [start, [open, , , close]] = bars[next];
        const begins = start / 1000;
        const ends = begins + length;
        if (begins >= to) break;
        if (ends <= from) continue;
        if (begins > end) line.cut();
        if (begins > from) line.to(begins, open);
        if (ends <= to) line.to(ends - BEFORE_END_S, close);
        end = ends;
        // One that the next ticks begin in may have more of them after.
        if (ends > to) break;
      }
      if (length === 0 || floor(to) > end) line.cut();
    };
    let last = -Infinity;
    let isCut = true;
    for (let i = 0; i < times.length; i += 1) {
      if (numbers[i] === null || line.isUnknown(last, times[i])) isCut = true;
      if (numbers[i] === null) continue;
      if (isCut) fill(last, times[i]);
      line.to(times[i], numbers[i]);
      last = times[i];
      isCut = false;
    }
    if (isCut) fill(last, Infinity);
    return [line.times, line.numbers];
  }
}

/** A line that is drawn from left to right. */
class Line {
  times = [];
  numbers = [];

  #unknown;

  constructor(unknown) {
    this.#unknown = unknown;
  }

  /** Whether something between two times is unknown. */
  isUnknown(from, to) {
    return this.#unknown.some(([begins, ends]) => from < ends && to > begins);
  }

  cut() {
    if (this.times.length > 0 && this.numbers.at(-1) !== null) this.#push(this.times.at(-1) + BEFORE_END_S / 2, null);
  }

  to(seconds, number) {
    const last = this.times.at(-1);
    if (last !== undefined && seconds <= last) return;
    if (last !== undefined && this.numbers.at(-1) !== null && this.isUnknown(last, seconds)) this.cut();
    this.#push(seconds, number);
  }

  #push(seconds, number) {
    this.times.push(seconds);
    this.numbers.push(number);
  }
}
