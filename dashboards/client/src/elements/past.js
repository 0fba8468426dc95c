// The bars of a chart: one for each start, oldest dropped.

const BARS_MAX = 2_000;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `10s`, `15m`, `2h`; NaN of anything else. */
export function milliseconds(text) {
  const [, n, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  return Number(n) * UNITS[unit];
}

/** How many bars fill a span. */
export const barsIn = (span, period) => Math.min(BARS_MAX, Math.ceil(span / period) + 1);

export class Past {
  unknown = [];
  #bars = [];

  constructor(period) {
    this.period = period;
  }

  /** By start. Each is `{start, count, texts, open, high, low, close}`. */
  get bars() {
    return this.#bars;
  }

  /** Takes a bar, unless it is known with as many ticks. */
  add(said) {
    const { start, count = 0, open, high, low, close } = said ?? {};
    const texts = [open, high, low, close];
    const [o, h, l, c] = texts.map(Number);
    if (!Number.isFinite(start) || ![o, h, l, c].every(Number.isFinite)) return;
    const bar = { start, count, texts, open: o, high: h, low: l, close: c };
    let i = this.#bars.length;
    while (i > 0 && this.#bars[i - 1].start > start) i -= 1;
    const known = this.#bars[i - 1];
    if (known?.start !== start) this.#bars.splice(i, 0, bar);
    else if (count >= known.count) this.#bars[i - 1] = bar;
    if (this.#bars.length > BARS_MAX) this.#bars.shift();
  }

  /** Takes the server's answer. */
  take({ bars, unknown, since }) {
    for (const bar of Array.isArray(bars) ? bars : []) this.add(bar);
    this.unknown = (Array.isArray(unknown) ? unknown : []).filter(({ from, to }) => from < to);
    if (since > 0) this.unknown.push({ from: 0, to: since });
  }

  /** Whether a time between two lies where nothing is known. */
  isUnknown(from, to) {
    return this.unknown.some((gap) => from < gap.to && to > gap.from);
  }

  /** Those that are at least partly in a window. */
  within(from, to) {
    return this.#bars.filter(({ start }) => start + this.period > from && start < to);
  }

  /** The points of a line, as `[ms, number]`; null is a gap. `last` is the newest tick, if any. */
  line(from, to, last) {
    const points = [];
    let end;
    for (const { start, open, close } of this.within(from, to)) {
      if (end !== undefined && start > end && this.isUnknown(end, start)) points.push(null);
      points.push([start, open]);
      end = Math.min(start + this.period, to);
      points.push([end - 1, close]);
    }
    if (!last) return points;
    while (points.length > 0 && points.at(-1)?.[0] >= last[0]) points.pop();
    points.push(last);
    return points;
  }
}
