// One chart on a canvas, by uPlot: its colours from the style sheet, its window set from outside.
import * as axis from "./axis.js";
import { drawCandles } from "./candles.js";
import { drawGround, drawWords } from "./ground.js";
import { ink } from "../look/ink.js";

const FONT_PX = 11;
/** Pixels between two labels, at least: of figures, of times with seconds, and of times without. */
const LABEL_GAP = { figure: 20, second: 68, minute: 52 };
/** Windows of so many seconds have labels at whole minutes, where these have room. */
const IN_MINUTES = 240;
const DIGIT_WIDTH = 6.4;
/** Right of the line: half a label of the time, which stands in the middle below its moment. */
const RIGHT = 28;
/** The volume's bars are this share of the plot's height at most. */
const VOLUME_SHARE = 0.22;
const DASH = [5, 4];
/** The root's font size, for which the sizes above are. */
const ROOT_PX = 16;

/**
 * @typedef {object} Picture what is drawn
 * @property {"line"|"compare"|"candles"} kind
 * @property {Array} data as uPlot wants it: times, then one list per series
 * @property {[number, number]} window in seconds
 * @property {number} now the server's clock, in seconds
 * @property {string} shown the name by which the axis writes figures
 * @property {{from: number, to: number, word: string}[]} parts of which nothing is known, or that are old
 * @property {string} mark a word on the whole chart, or ""
 * @property {{seconds: number, isPrice: boolean}} [candle]
 */

export class Plot {
  #element;
  #uPlot;
  #onHover;
  #drawn = null;
  /** @type {Picture} */
  #picture = null;
  #inks = {};
  #scale = 1;
  #resized;

  /** @param onHover told the index of the data under the pointer, or null when it has left */
  constructor(element, uPlot, onHover) {
    this.#element = element;
    this.#uPlot = uPlot;
    this.#onHover = onHover;
    this.#resized = new ResizeObserver(() => this.#fit());
    this.#resized.observe(element);
  }

  /** The width of what is drawn, in device pixels. */
  get columns() {
    return Math.max(60, Math.round(this.#drawn?.bbox.width || this.#element.clientWidth * devicePixelRatio));
  }

  get canvas() {
    return this.#drawn?.ctx.canvas ?? null;
  }

  /** The moment at a place of the screen, in seconds; null where nothing is drawn yet. */
  secondsAt(clientX) {
    if (!this.#drawn) return null;
    return this.#drawn.posToVal(clientX - this.#drawn.over.getBoundingClientRect().left, "x");
  }

  /** The drawn part's width in CSS pixels. */
  get width() {
    return this.#drawn?.bbox.width / devicePixelRatio || 1; // asking the page would have it laid out again
  }

  show(picture) {
    if (this.#picture?.kind !== picture.kind) this.fade();
    this.#picture = picture;
    this.#drawn ??= this.#draw(picture.kind);
    this.#drawn.setData(picture.data, true);
  }

  /** Marks a part between two places of the screen, or none. */
  select(fromX, toX) {
    const over = this.#drawn?.over;
    if (!over) return;
    const { left, width } = over.getBoundingClientRect();
    const [a, b] = [fromX, toX].map((x) => Math.min(Math.max(x - left, 0), width));
    const box = { left: Math.min(a, b), top: 0, width: Math.abs(b - a), height: over.clientHeight };
    this.#drawn.setSelect(fromX === undefined ? { left: 0, top: 0, width: 0, height: 0 } : box, false);
  }

  /** Puts the crosshair on the next moment that is drawn, or the one before. */
  step(by) {
    const { cursor, data } = this.#drawn ?? {};
    if (!cursor || data[0].length === 0) return;
    const [first, last] = this.#drawn.series[0].idxs ?? [0, data[0].length - 1];
    const from = cursor.idx ?? (by > 0 ? first - 1 : last + 1);
    const index = Math.min(Math.max(from + by, first), last);
    const left = this.#drawn.valToPos(data[0][index], "x");
    this.#drawn.setCursor({ left: Math.min(Math.max(left, 0), this.width - 1), top: 10 });
  }

  /** The colours have changed: the next `show` starts afresh. */
  fade() {
    this.#drawn?.destroy();
    this.#drawn = null;
  }

  remove() {
    this.#resized.disconnect();
    this.fade();
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (this.#drawn && width > 0 && height > 0) this.#drawn.setSize({ width, height });
  }

  #draw(kind) {
    for (const name of ["ink", "muted", "line", "accent", "accent-wash", "up", "down", "second", "sheet"]) this.#inks[name] = ink(`--${name}`);
    const inks = this.#inks;
    this.#scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / ROOT_PX || 1;
    const scale = this.#scale;
    const plain = {
      stroke: inks.muted,
      font: `${FONT_PX * scale}px system-ui, sans-serif`,
      grid: { stroke: inks.line, width: 1 },
      ticks: { show: false },
    };
    const times = {
      ...plain,
      size: (_plot, ticks) => (ticks?.some((tick) => tick.includes("\n")) ? 38 : 24) * scale,
      gap: 4,
      lineGap: 1.2,
      space: (_plot, _axis, from, to) => (to - from >= IN_MINUTES ? LABEL_GAP.minute : LABEL_GAP.second) * scale,
      values: (_plot, ticks, _axis, _space, step) => axis.times(ticks, step, this.#picture.now),
    };
    const numbers = {
      ...plain,
      size: (_plot, ticks) => 14 + DIGIT_WIDTH * scale * Math.max(3, ...(ticks ?? []).map((tick) => tick.length)),
      gap: 6,
      space: LABEL_GAP.figure * scale,
      incrs: () => axis.steps(this.#picture.shown),
      values: (plot, ticks, _axis, _space, step) => (plot.scales.y.isEmpty ? ticks.map(() => "") : axis.figures(this.#picture.shown, ticks, step)),
    };
    const line = { stroke: inks.accent, width: 1.75 * scale, points: { show: false }, spanGaps: false };
    const unseen = { paths: () => null, points: { show: false } };
    const series = {
      line: [{ ...line, fill: inks["accent-wash"] }],
      compare: [line, { ...line, stroke: inks.second, dash: DASH.map((n) => n * scale) }],
      candles: [unseen, unseen, unseen, unseen, { ...unseen, scale: "v" }],
    }[kind];
    return new this.#uPlot(
      {
        width: Math.max(this.#element.clientWidth, 120),
        height: Math.max(this.#element.clientHeight, 80),
        padding: [8, RIGHT * scale, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: false, y: false, setScale: false },
          points: { size: 7 * scale, show: kind !== "candles" },
          sync: { key: "tickerd" },
        },
        scales: {
          x: { range: () => this.#picture.window },
          y: { range: (plot, low, high) => widen(plot, low, high) },
          v: { range: (_plot, _low, high) => [0, (high || 1) / VOLUME_SHARE] },
        },
        axes: [times, numbers],
        series: [{}, ...series],
        hooks: {
          drawClear: [(drawn) => drawGround(drawn, this.#picture, inks)],
          drawAxes: [(drawn) => drawWords(drawn, this.#picture, inks, FONT_PX * scale)],
          draw: kind === "candles" ? [(drawn) => drawCandles(drawn, this.#picture.candle, inks)] : [],
          setCursor: [({ cursor }) => this.#onHover(cursor.left >= 0 ? (cursor.idx ?? null) : null)],
        },
      },
      [[], ...series.map(() => [])],
      this.#element,
    );
  }
}

/** Room above and below the line; a flat line sits in the middle. */
function widen(plot, low, high) {
  plot.scales.y.isEmpty = !Number.isFinite(low) || !Number.isFinite(high);
  if (plot.scales.y.isEmpty) return [0, 1];
  const room = high === low ? Math.max(Math.abs(high) * 0.01, 0.5) : (high - low) * 0.12;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}
