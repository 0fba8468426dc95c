// One chosen topic, drawn: its figure large, its line, and the numbers behind the line.
import { at, exact, figures, numeric } from "./fields.js";
import * as format from "./format.js";
import { ink } from "./ink.js";
import { Series } from "./series.js";

const HEIGHT = 120;
/** A young line is drawn wide at first, and the window grows with it up to the chosen span. */
const YOUNG_SECONDS = 15;
const FONT = "11px system-ui, sans-serif";
/** Points listed in the table behind the line. */
const LISTED = 12;
/** How often words about the line are renewed; a screen reader must not be flooded. */
const WORDS_MS = 10_000;
let ids = 0;

export class Chart {
  series = new Series();

  #uPlot;
  #plot = null;
  #topic;
  #path = null;
  #parts = {};
  #fields = "";
  #moved = true;
  #window = [0, 1];
  #wordsAt = -Infinity;
  #hovered = false;
  #listed = 0;

  /**
   * @param topic the topic drawn, which need not have a tick yet
   * @param wanted the path of the field to draw, or null for the main one
   * @param uPlot the chart library, or null when the page was built without it
   */
  constructor(topic, wanted, uPlot, { onClose, onField }) {
    this.#topic = topic;
    this.#path = wanted;
    this.#uPlot = uPlot;
    this.element = document.createElement("article");
    this.element.className = "chart";
    this.element.dataset.topic = topic.name;
    const id = `chart-${(ids += 1)}`;
    this.element.setAttribute("aria-labelledby", id);
    this.element.innerHTML = `
      <header><h3 id="${id}"></h3><select class="field"></select><button type="button" class="close">×</button></header>
      <p class="figure"><output class="now" aria-live="off">–</output><span class="step"></span><span class="hover"></span></p>
      <div class="plot" role="img"></div>
      <p class="waiting">Waiting for its first tick.</p>
      <details><summary>Values</summary><table><caption class="unseen"></caption>
        <thead><tr><th scope="col">Time</th><th scope="col">Value</th></tr></thead><tbody></tbody></table></details>`;
    for (const part of ["h3", "select", ".close", ".now", ".step", ".hover", ".plot", ".waiting", "details", "caption", "tbody"]) {
      this.#parts[part.replace(".", "")] = this.element.querySelector(part);
    }
    const { h3, select, close, plot, details } = this.#parts;
    h3.textContent = topic.name;
    caption(this.#parts.caption, topic.name);
    select.setAttribute("aria-label", `Field of ${topic.name}`);
    select.hidden = true;
    close.setAttribute("aria-label", `Remove the chart of ${topic.name}`);
    close.addEventListener("click", onClose);
    select.addEventListener("change", () => {
      this.#path = select.value;
      this.series.clear();
      this.#moved = true;
      this.#wordsAt = -Infinity;
      onField(this.#path);
      this.tick();
    });
    details.addEventListener("toggle", () => this.#list());
    plot.hidden = true;
    this.resized = new ResizeObserver(() => this.#plot?.setSize({ width: plot.clientWidth, height: HEIGHT }));
    this.resized.observe(plot);
    if (topic.text) this.tick();
  }

  get path() {
    return this.#path;
  }

  /** The topic has a new tick. */
  tick() {
    this.#moved = true;
    const { value, ts } = this.#topic;
    if (this.#path === null || Number.isNaN(numeric(at(value, this.#path)))) {
      if (this.#topic.figures.length === 0) return;
      if (this.#path === null) this.#path = this.#topic.figures[0];
    }
    const number = numeric(at(value, this.#path));
    if (!Number.isNaN(number)) this.series.push(ts / 1000, number);
  }

  /** Older ticks, as the server's `history` gives them. */
  seed(envelopes) {
    const points = [];
    for (const envelope of envelopes) {
      const { ts, value } = envelope?.data ?? {};
      this.#path ??= figures(value)[0] ?? null;
      if (this.#path === null) continue;
      const number = numeric(at(value, this.#path));
      if (Number.isFinite(ts) && !Number.isNaN(number)) points.push([ts / 1000, number]);
    }
    this.series.seed(points);
    this.#moved = true;
  }

  /** Draws, if there is anything new or the window has moved. `live` holds the last figure up to now. */
  paint(serverNow, now, spanSeconds, live) {
    const end = serverNow / 1000;
    const known = Math.max(YOUNG_SECONDS, (end - (this.series.times[0] ?? end)) * 1.04);
    this.#window = [end - Math.min(spanSeconds, known), end];
    if (this.#moved) this.#figure();
    this.#moved = false;
    const { plot, waiting } = this.#parts;
    const empty = this.series.times.length === 0;
    waiting.hidden = !empty;
    if (empty) waiting.textContent = this.#topic.text ? "This topic has no figure to draw." : "Waiting for its first tick.";
    if (this.#uPlot && !empty) {
      plot.hidden = false;
      this.#plot ??= this.#draw(plot);
      this.#plot.setData(this.#data(live), true);
    }
    if (now - this.#wordsAt > WORDS_MS) this.#words(now, spanSeconds);
    if (this.#parts.details.open && now - this.#listed > 1_000) this.#list(now);
  }

  redraw() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  remove() {
    this.resized.disconnect();
    this.#plot?.destroy();
    this.element.remove();
  }

  #data(live) {
    const { times, numbers } = this.series;
    const [, end] = this.#window;
    // A topic that is quiet has kept its value; a line that stops short would say that it is unknown.
    if (!live || numbers.at(-1) === null || times.at(-1) >= end) return [times, numbers];
    return [times.concat(end), numbers.concat(numbers.at(-1))];
  }

  #figure() {
    const { now, step, select } = this.#parts;
    const topic = this.#topic;
    if (!topic.text || this.#path === null) return;
    const main = at(exact(topic.text).data.value, this.#path);
    now.textContent = format.leaf(this.#path, main);
    const before = this.series.numbers.at(-2);
    const delta = Number.isFinite(before) ? numeric(main) - before : 0;
    step.textContent =
      delta === 0 ? "" : `${delta > 0 ? "▲" : "▼"} ${format.change(this.#path, delta, format.decimals(main))}`;
    this.element.dataset.trend = delta > 0 ? "up" : delta < 0 ? "down" : "";
    const fields = figures(topic.value);
    if (fields.join() === this.#fields) return;
    this.#fields = fields.join();
    select.replaceChildren(...fields.map((path) => new Option(format.label(path), path, false, path === this.#path)));
    select.hidden = fields.length < 2;
  }

  #words(now, spanSeconds) {
    this.#wordsAt = now;
    const extent = this.series.extent(this.#window[0]);
    if (!extent) return;
    const [low, high] = extent.map((number) => format.figure(this.#path, number));
    const last = this.#parts.now.textContent;
    const minutes = spanSeconds / 60;
    this.#parts.plot.setAttribute(
      "aria-label",
      `${this.#topic.name}, ${format.label(this.#path)}, last ${minutes} ${minutes === 1 ? "minute" : "minutes"}: lowest ${low}, highest ${high}, now ${last}`,
    );
  }

  #list(now = performance.now()) {
    this.#listed = now;
    const { tbody, details } = this.#parts;
    if (!details.open) return;
    const { times, numbers } = this.series;
    const rows = [];
    for (let i = times.length - 1; i >= 0 && rows.length < LISTED; i -= 1) {
      if (numbers[i] === null) continue;
      const row = document.createElement("tr");
      row.insertCell().textContent = format.time(times[i] * 1000);
      row.insertCell().textContent = format.figure(this.#path, numbers[i]);
      rows.push(row);
    }
    tbody.replaceChildren(...rows);
  }

  #draw(plot) {
    const axis = { stroke: ink("--muted"), font: FONT, grid: { stroke: ink("--line"), width: 1 }, ticks: { show: false } };
    return new this.#uPlot(
      {
        width: Math.max(plot.clientWidth, 120),
        height: HEIGHT,
        padding: [8, 6, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "tickerd" } },
        scales: { x: { range: () => this.#window }, y: { range: (_plot, low, high) => widen(low, high) } },
        axes: [
          { ...axis, size: 24, gap: 4, values: (_plot, ticks) => ticks.map((t) => format.time(t * 1000)), space: 78 },
          { ...axis, size: (_plot, ticks) => 14 + 6.4 * Math.max(3, ...(ticks ?? []).map((tick) => tick.length)), gap: 6, space: 34,
            values: (_plot, ticks) => labels(this.#path, ticks) },
        ],
        series: [{}, { stroke: ink("--accent"), fill: ink("--accent-wash"), width: 1.75, points: { show: false }, spanGaps: false }],
        hooks: { setCursor: [(drawn) => this.#hover(drawn)] },
      },
      [[], []],
      plot,
    );
  }

  #hover({ cursor, data }) {
    const { hover } = this.#parts;
    const number = cursor.idx === null || cursor.idx === undefined || cursor.left < 0 ? null : data[1][cursor.idx];
    if (number === null || number === undefined) {
      if (this.#hovered) hover.textContent = "";
      this.#hovered = false;
      return;
    }
    this.#hovered = true;
    hover.textContent = `${format.time(data[0][cursor.idx] * 1000)}  ${format.figure(this.#path, number)}`;
  }
}

function caption(element, name) {
  element.textContent = `Newest values of ${name}`;
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
