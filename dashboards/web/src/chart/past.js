// The past of one topic: its bars by period, and the line that bars and ticks make together.
import { Bars } from "./bars.js";
import { firstFrom } from "./series.js";

/** A bar's close is drawn this long before its end, which is where the next bar's open is. */
const BEFORE_END_S = 0.001;
/** Bars of one window: more than a screen has pixels, and a day of minutes. */
export const BARS_MAX = 2_000;
/** Periods of which one chart keeps bars. */
const PERIODS_MAX = 6;
const NO_BARS = new Bars(0);

/**
 * The period whose bars fill a window best: the shortest that is kept for so long, else the one that is kept longest. A
 * window that ends in the past reaches back further than it is long.
 */
export function periodFor(periods, spanMs, reachMs = spanMs) {
  const fit = periods.filter(({ ms, keepMs }) => Math.min(spanMs, keepMs) / ms <= BARS_MAX);
  if (fit.length === 0) return periods.at(-1);
  return fit.find(({ keepMs }) => keepMs >= reachMs) ?? fit.reduce((best, one) => (one.keepMs > best.keepMs ? one : best));
}

export class Past {
  #periods = new Map();
  #shown = NO_BARS;

  /** The bars of the period that is shown now. */
  get bars() {
    return this.#shown;
  }

  /** The bars of a period; none yet if they were never taken. */
  of(ms) {
    return this.#periods.get(ms);
  }

  /** From here on that period is shown, if there are bars of it; until then the one before. */
  show(ms) {
    if (this.#periods.has(ms)) this.#shown = this.#periods.get(ms);
  }

  take(ms, answer, limit = Infinity) {
    let bars = this.#periods.get(ms);
    if (!bars) {
      if (this.#periods.size >= PERIODS_MAX) this.#periods.delete([...this.#periods.keys()].find((one) => one !== this.#shown.ms));
      this.#periods.set(ms, (bars = new Bars(ms)));
    }
    bars.take(answer, limit);
    if (this.#shown === NO_BARS) this.#shown = bars;
  }

  tick(ms, number, text) {
    for (const bars of this.#periods.values()) bars.tick(ms, number, text);
  }

  clear() {
    this.#periods.clear();
    this.#shown = NO_BARS;
  }
}

/**
 * The line through bars and ticks in a window as `[times, numbers]`; null is a gap. Where there are ticks they are the line;
 * bars fill what is before them and between. Two neighbours are joined only if nothing between them is unknown.
 */
export function join(bars, ticks, window = [-Infinity, Infinity]) {
  const line = new Line(bars.unknown);
  const length = bars.ms / 1000;
  const floor = (seconds) => Math.floor(seconds / length) * length;
  const shown = bars.within(window);
  let next = 0;
  // Draws the bars from `from` on, up to the tick at `to`.
  const fill = (from, to) => {
    // Up to here the line before is known: to the end of the period of its last tick.
    let end = from === -Infinity ? from : floor(from) + length;
    for (; next < shown.length; next += 1) {
      const { start, open, close } = shown[next];
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
  const { times, numbers } = ticks;
  let last = -Infinity;
  let isCut = true;
  for (let i = Math.max(0, firstFrom(times, window[0]) - 1); i < times.length; i += 1) {
    const known = Number.isFinite(numbers[i]);
    if (!known || line.isUnknown(last, times[i])) isCut = true;
    if (!known) continue;
    if (isCut) fill(last, times[i]);
    line.to(times[i], numbers[i]);
    last = times[i];
    isCut = false;
    if (last > window[1]) break; // the point after the window draws into it
  }
  if (isCut) fill(last, Infinity);
  return [line.times, line.numbers];
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
