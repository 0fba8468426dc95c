// One line on a canvas, by uPlot: its colours from the style sheet, its window moving with the time.
import * as format from "./format.js";
import { ink } from "./ink.js";

const HEIGHT = 120;
const FONT = "11px system-ui, sans-serif";
/** Pixels between two labels, at least. */
const LABEL_GAP = { time: 78, figure: 26 };
const DIGIT_WIDTH = 6.4;

export class Plot {
  #element;
  #uPlot;
  #onHover;
  #drawn = null;
  #window = [0, 1];
  #path = "";
  #hovered = false;
  #resized;

  /** @param onHover told `(seconds, number)` under the pointer, or nothing when it has left */
  constructor(element, uPlot, onHover) {
    this.#element = element;
    this.#uPlot = uPlot;
    this.#onHover = onHover;
    this.#resized = new ResizeObserver(() =>
      this.#drawn?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    this.#resized.observe(element);
  }

  /** Draws times and numbers over a window of `[from, to]` seconds; the path is their field's, for the labels. */
  show(data, window, path) {
    this.#window = window;
    this.#path = path;
    this.#drawn ??= this.#draw();
    this.#drawn.setData(data, true);
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

  #draw() {
    const axis = {
      stroke: ink("--muted"),
      font: FONT,
      grid: { stroke: ink("--line"), width: 1 },
      ticks: { show: false },
    };
    const times = {
      ...axis,
      size: 24,
      gap: 4,
      space: LABEL_GAP.time,
      values: (_plot, ticks) => ticks.map((seconds) => format.time(seconds * 1000)),
    };
    const numbers = {
      ...axis,
      size: (_plot, ticks) => 14 + DIGIT_WIDTH * Math.max(3, ...(ticks ?? []).map((tick) => tick.length)),
      gap: 6,
      space: LABEL_GAP.figure,
      values: (_plot, ticks) => labels(this.#path, ticks),
    };
    const line = {
      stroke: ink("--accent"),
      fill: ink("--accent-wash"),
      width: 1.75,
      points: { show: false },
      spanGaps: false,
    };
    return new this.#uPlot(
      {
        width: Math.max(this.#element.clientWidth, 120),
        height: HEIGHT,
        padding: [8, 6, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: false, y: false },
          points: { size: 7 },
          sync: { key: "tickerd" },
        },
        scales: {
          x: { range: () => this.#window },
          y: { range: (_plot, low, high) => widen(low, high) },
        },
        axes: [times, numbers],
        series: [{}, line],
        hooks: { setCursor: [(drawn) => this.#hover(drawn)] },
      },
      [[], []],
      this.#element,
    );
  }

  #hover({ cursor, data }) {
    const i = cursor.left >= 0 ? cursor.idx : null;
    const number = data[1][i ?? -1] ?? null;
    if (number !== null) this.#onHover(data[0][i], number);
    else if (this.#hovered) this.#onHover();
    this.#hovered = number !== null;
  }
}

/** Room above and below the line; a flat line sits in the middle. */
function widen(low, high) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = high === low ? Math.max(Math.abs(high) * 0.01, 0.5) : (high - low) * 0.12;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

/** Axis labels all as fine as the finest of them. */
function labels(path, ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
  if (/bytes|percent|pct/.test(path) || step >= 1) return ticks.map((tick) => format.figure(path, tick));
  const places = Math.min(8, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
  return ticks.map((tick) => tick.toFixed(places));
}
