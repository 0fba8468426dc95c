// One chosen topic, drawn: its figure large, its line, and the numbers behind the line.
import { at, exact, figures, numeric } from "../data/fields.js";
import * as format from "../data/format.js";
import * as kinds from "../data/kinds.js";
import { Past } from "./past.js";
import { Plot } from "./plot.js";
import { Series } from "./series.js";

/** Points listed in the table behind the line. */
const LISTED = 12;
/** How often words about the line are renewed; a screen reader must not be flooded. */
const WORDS_MS = 10_000;
let ids = 0;

export class Chart {
  series = new Series();
  /** Bars of the main figure: what was before the ticks, and between. */
  past = new Past();
  /** The field that the bars are of; null while there are none. */
  #barsField = null;

  #plot = null;
  #topic;
  #path = null;
  /** The field was chosen, and is kept whatever is found to be the main one. */
  #isChosen = false;
  #line = [[], []];
  #parts = {};
  #fields = "";
  #moved = true;
  #window = [0, 1];
  #wordsAt = -Infinity;
  #listed = 0;

  /**
   * @param topic the topic drawn, which need not have a tick yet
   * @param wanted the path of the field to draw, or null for the main one
   * @param uPlot the chart library, or null when the page was built without it
   */
  constructor(topic, wanted, uPlot, { onClose, onField }) {
    this.#topic = topic;
    this.#path = wanted;
    this.#isChosen = wanted !== null;
    this.element = document.createElement("article");
    this.element.className = "chart";
    this.element.dataset.topic = topic.name;
    const id = `chart-${(ids += 1)}`;
    this.element.setAttribute("aria-labelledby", id);
    this.element.innerHTML = `
      <header><h3 id="${id}"></h3><span class="simulated" hidden>simulated</span><select class="field"></select><button type="button" class="close">×</button></header>
      <p class="figure"><output class="now" aria-live="off">–</output><span class="step"></span><span class="hover"></span></p>
      <div class="plot" role="img"></div>
      <p class="waiting">Waiting for its first tick.</p>
      <p class="credit" hidden></p>
      <details><summary>Values</summary><table><caption class="unseen"></caption>
        <thead><tr><th scope="col">Time</th><th scope="col">Value</th></tr></thead><tbody></tbody></table></details>`;
    for (const part of [
      "h3",
      "select",
      ".simulated",
      ".close",
      ".now",
      ".step",
      ".hover",
      ".plot",
      ".waiting",
      ".credit",
      "details",
      "caption",
      "tbody",
    ]) {
      this.#parts[part.replace(".", "")] = this.element.querySelector(part);
    }
    const { h3, select, close, plot, details } = this.#parts;
    h3.textContent = topic.name;
    this.#parts.caption.textContent = `Newest values of ${topic.name}`;
    select.setAttribute("aria-label", `Field of ${topic.name}`);
    select.hidden = true;
    close.setAttribute("aria-label", `Remove the chart of ${topic.name}`);
    close.addEventListener("click", onClose);
    select.addEventListener("change", () => {
      this.#path = select.value;
      this.#isChosen = true;
      this.series.clear();
      this.#moved = true;
      this.#wordsAt = -Infinity;
      onField(this.#path);
      this.tick();
    });
    details.addEventListener("toggle", () => this.#list());
    plot.hidden = true;
    if (uPlot) this.#plot = new Plot(plot, uPlot, (seconds, number) => this.#hover(seconds, number));
    if (topic.text) this.tick();
  }

  get path() {
    return this.#path;
  }

  /** The fields of its topic may be marked otherwise than was thought. True if it draws another one now. */
  remark() {
    this.#moved = true;
    this.#fields = "";
    const [main = null] = this.#topic.figures;
    if (this.#isChosen || main === null || main === this.#path) return false;
    this.#path = main;
    this.series.clear();
    this.tick();
    return true;
  }

  /** Takes the newest `asked` bars of periods of `ms`, as the server answers them; null when it has none. */
  takeBars(ms, answer, asked) {
    if (answer) this.past.take(ms, answer, asked);
    else this.past.clear();
    this.#barsField = answer?.field ?? null;
    this.#moved = true;
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
      this.#path ??= figures(value, this.#topic.marksOf(envelope?.event ?? ""))[0] ?? null;
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
    this.#window = [end - spanSeconds, end];
    if (this.#moved) {
      this.#figure();
      this.#line = this.#hasBars ? this.past.join(this.series) : [this.series.times, this.series.numbers];
    }
    this.#moved = false;
    const { plot, waiting } = this.#parts;
    const empty = this.#line[0].length === 0;
    waiting.hidden = !empty;
    if (empty)
      waiting.textContent = this.#topic.text
        ? "This topic has no figure to draw."
        : "Waiting for its first tick.";
    if (this.#plot && !empty) {
      plot.hidden = false;
      this.#plot.show(this.#data(live), this.#window, format.shown(this.#topic.marks, this.#path));
    }
    if (now - this.#wordsAt > WORDS_MS) this.#words(now, spanSeconds);
    if (this.#parts.details.open && now - this.#listed > 1_000) this.#list(now);
  }

  redraw() {
    this.#plot?.fade();
  }

  remove() {
    this.#plot?.remove();
    this.element.remove();
  }

  /** Bars are of one field alone. */
  get #hasBars() {
    return this.#path !== null && this.#path === this.#barsField;
  }

  #data(live) {
    const [times, numbers] = this.#line;
    const [, end] = this.#window;
    // A topic that is quiet has kept its value; a line that stops short would say that it is unknown.
    if (!live || numbers.at(-1) === null || times.at(-1) >= end) return [times, numbers];
    return [times.concat(end), numbers.concat(numbers.at(-1))];
  }

  #figure() {
    const { now, step, select, credit, simulated } = this.#parts;
    const topic = this.#topic;
    credit.hidden = topic.credit === "";
    credit.textContent = topic.credit;
    simulated.hidden = !topic.simulated;
    if (!topic.text || this.#path === null) return;
    const value = exact(topic.text).data.value;
    const main = at(value, this.#path);
    now.textContent = format.marked(topic.marks, this.#path, main);
    const { text, direction, title, since = "" } =
      this.#path === topic.figures[0]
        ? kinds.change(topic, value)
        : kinds.step(topic.kind, this.#path, main, numeric(main) - this.series.numbers.at(-2), topic.marks);
    step.textContent = text;
    step.dataset.since = since;
    step.title = title ?? "since the tick before";
    this.element.dataset.trend = direction;
    const fields = figures(topic.value, topic.marks);
    if (fields.join() === this.#fields) return;
    this.#fields = fields.join();
    select.replaceChildren(
      ...fields.map((path) => new Option(format.name(path), path, false, path === this.#path)),
    );
    select.hidden = fields.length < 2;
  }

  #words(now, spanSeconds) {
    this.#wordsAt = now;
    const [from] = this.#window;
    const extents = [this.series.extent(from), this.#hasBars ? this.past.extent(from) : null].filter(Boolean);
    if (extents.length === 0) return;
    const extent = [Math.min(...extents.map(([low]) => low)), Math.max(...extents.map(([, high]) => high))];
    const [low, high] = extent.map((number) => format.marked(this.#topic.marks, this.#path, number));
    const last = this.#parts.now.textContent;
    const first = this.#line[0][0];
    // Where less is known than was chosen, that is said: the line begins within the window.
    const known = first > from ? `, known since ${format.time(first * 1000)}` : "";
    this.#parts.plot.setAttribute(
      "aria-label",
      `${this.#topic.name}, ${format.label(this.#path)}, last ${lengthOf(spanSeconds)}${known}: lowest ${low}, highest ${high}, now ${last}`,
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
      row.insertCell().textContent = format.marked(this.#topic.marks, this.#path, numbers[i]);
      rows.push(row);
    }
    tbody.replaceChildren(...rows);
  }

  #hover(seconds, number) {
    this.#parts.hover.textContent =
      seconds === undefined ? "" : `${format.time(seconds * 1000)}  ${format.marked(this.#topic.marks, this.#path, number)}`;
  }
}

/** A window's length in words: `1 minute`, `24 hours`. */
function lengthOf(seconds) {
  const [n, unit] = seconds < 3_600 ? [seconds / 60, "minute"] : [seconds / 3_600, "hour"];
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}
