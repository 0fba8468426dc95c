// The bars of one topic and one period: in order, bounded, and the open one moved on by ticks.
import { Digits, numeric } from "../data/fields.js";

/** Bars kept: more would take longer to draw than anyone can see. */
const KEPT_MAX = 10_000;
const FIGURES = ["open", "high", "low", "close"];

const textOf = (leaf) => (leaf instanceof Digits ? leaf.source : String(leaf));

/** A bar as it is kept: `open` … are numbers, `texts` the same with the source's digits. Null if it is none. */
function barOf(said) {
  if (said === null || typeof said !== "object") return null;
  const start = numeric(said.start);
  const bar = { start, count: numeric(said.count) || 0, volume: NaN, texts: {} };
  for (const name of FIGURES) {
    bar[name] = numeric(said[name]);
    bar.texts[name] = textOf(said[name]);
  }
  if (said.volume !== undefined) {
    bar.volume = numeric(said.volume);
    bar.texts.volume = textOf(said.volume);
  }
  return Number.isFinite(start) && FIGURES.every((name) => Number.isFinite(bar[name])) ? bar : null;
}

/** Of one start the one with more ticks is newer. */
const newer = (old, bar) => (old && old.count > bar.count ? { ...old, volume: bar.volume, texts: { ...old.texts, ...volumeOf(bar) } } : bar);
const volumeOf = ({ texts: { volume } }) => (volume === undefined ? {} : { volume });

export class Bars {
  /** The period in milliseconds. */
  ms;
  /** Nothing is known of the time before, in seconds. */
  since = -Infinity;
  /** Times of which nothing is known, as `[from, to]` in seconds. */
  unknown = [];
  /** All older ones are here that the server has. */
  isWhole = false;
  /** No more fit in. */
  isFull = false;

  #bars = [];

  constructor(ms) {
    this.ms = ms;
  }

  get all() {
    return this.#bars;
  }

  get isEmpty() {
    return this.#bars.length === 0;
  }

  /** Start of the newest bar in milliseconds, or -Infinity. */
  get newest() {
    return this.#bars.at(-1)?.start ?? -Infinity;
  }

  /** Start of the oldest bar in milliseconds, or Infinity. */
  get oldest() {
    return this.#bars[0]?.start ?? Infinity;
  }

  get hasVolume() {
    return Number.isFinite(this.#bars.at(-1)?.volume) || Number.isFinite(this.#bars.at(-2)?.volume);
  }

  /** Takes an answer to a question for `limit` bars. */
  take(answer, limit) {
    const came = (Array.isArray(answer.bars) ? answer.bars : []).map(barOf).filter(Boolean);
    const merged = new Map(this.#bars.map((bar) => [bar.start, bar]));
    for (const bar of came) merged.set(bar.start, newer(merged.get(bar.start), bar));
    // Those that the server has lost since, as after a restart without history, stay.
    const ordered = [...merged.values()].sort((a, b) => a.start - b.start);
    this.isFull = ordered.length > KEPT_MAX;
    this.#bars = ordered.slice(-KEPT_MAX);
    if ((answer.bars?.length ?? 0) < limit && answer.truncated !== true) this.isWhole = true;
    const since = numeric(answer.since);
    if (Number.isFinite(since)) this.since = since / 1000;
    this.unknown = (Array.isArray(answer.unknown) ? answer.unknown : [])
      .map((time) => [numeric(time?.from) / 1000, numeric(time?.to) / 1000])
      .filter(([from, to]) => from < to);
  }

  /** A tick that came after the bars: it moves the open bar, or opens the next. */
  tick(ms, number, text) {
    const start = Math.floor(ms / this.ms) * this.ms;
    const bar = this.#bars.at(-1);
    if (bar === undefined || start < bar.start) return;
    if (start > bar.start) {
      const texts = { open: text, high: text, low: text, close: text };
      this.#bars.push({ start, open: number, high: number, low: number, close: number, count: 1, volume: NaN, texts });
      if (this.#bars.length > KEPT_MAX) this.#bars.splice(0, KEPT_MAX / 10);
      return;
    }
    bar.count += 1;
    bar.close = number;
    bar.texts.close = text;
    if (number > bar.high) [bar.high, bar.texts.high] = [number, text];
    if (number < bar.low) [bar.low, bar.texts.low] = [number, text];
  }

  /** Those that have a part within `[from, to]` seconds, and one more on either side. */
  within([from, to]) {
    const first = this.#firstFrom(from * 1000 - this.ms);
    return this.#bars.slice(Math.max(0, first - 1), this.#firstFrom(to * 1000) + 1);
  }

  #firstFrom(start) {
    let [low, high] = [0, this.#bars.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#bars[middle].start < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Bars of a longer period out of shorter ones; `ms` is a multiple of theirs. */
export function summed(bars, ms) {
  const found = [];
  for (const bar of bars) {
    const start = Math.floor(bar.start / ms) * ms;
    const last = found.at(-1);
    if (last?.start !== start) {
      found.push({ ...bar, start, texts: { ...bar.texts } });
      continue;
    }
    last.close = bar.close;
    last.texts.close = bar.texts.close;
    if (bar.high > last.high) [last.high, last.texts.high] = [bar.high, bar.texts.high];
    if (bar.low < last.low) [last.low, last.texts.low] = [bar.low, bar.texts.low];
    last.count += bar.count;
    if (Number.isFinite(bar.volume)) {
      last.volume = (Number.isFinite(last.volume) ? last.volume : 0) + bar.volume;
      delete last.texts.volume; // a sum of doubles has no digits of its source
    }
  }
  return found;
}

/** How many periods one candle stands for, so that there are no more than `most` in a window of `spanMs`. */
export function stepFor(spanMs, ms, most) {
  const lengths = [1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1_440, 10_080].map((n) => n * ms);
  return lengths.find((length) => spanMs / length <= most) ?? lengths.at(-1);
}
