// One line on a canvas, by uPlot: its colours from the style sheet, its window moving with the time.
import * as axis from "./axis.js";
import { ink } from "../look/ink.js";

const HEIGHT = 120;
const FONT = "11px system-ui, sans-serif";
/** Pixels between two labels, at least: of figures, of times with seconds, and of times without. */
const LABEL_GAP = { figure: 20, second: 68, minute: 44 };
/** Windows of so many seconds have labels at whole minutes, where these have room. */
const IN_MINUTES = 240;
const DIGIT_WIDTH = 6.4;
/** Right of the line: half a label of the time, which stands in the middle below its moment. */
const RIGHT = 28;

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
    const plain = {
      stroke: ink("--muted"),
      font: FONT,
      grid: { stroke: ink("--line"), width: 1 },
      ticks: { show: false },
    };
    const times = {
      ...plain,
      size: 24,
      gap: 4,
      space: (_plot, _axis, from, to) => (to - from >= IN_MINUTES ? LABEL_GAP.minute : LABEL_GAP.second),
      values: (_plot, ticks, _axis, _space, step) => axis.times(ticks, step),
    };
    const numbers = {
      ...plain,
      size: (_plot, ticks) => 14 + DIGIT_WIDTH * Math.max(3, ...(ticks ?? []).map((tick) => tick.length)),
      gap: 6,
      space: LABEL_GAP.figure,
      incrs: () => axis.steps(this.#path),
      values: (_plot, ticks, _axis, _space, step) => axis.figures(this.#path, ticks, step),
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
        padding: [8, RIGHT, 0, 0],
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
