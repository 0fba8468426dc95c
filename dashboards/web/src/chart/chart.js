// One chosen topic, drawn: its figure large, its line or candles, what is unknown, and the numbers behind.
import { at, exact, figures, numeric } from "../data/fields.js";
import * as format from "../data/format.js";
import * as kinds from "../data/kinds.js";
import { ink } from "../look/ink.js";
import * as axis from "./axis.js";
import { gestures, keys } from "./gestures.js";
import { orderable } from "./order.js";
import { pictureOf, valueAt } from "./picture.js";
import { Plot } from "./plot.js";
import { csvOf, download, fileName, pngOf } from "./save.js";
import { Tools } from "./tools.js";
import { Trace } from "./trace.js";
import { Values } from "./values.js";
import * as words from "./words.js";

/** How often words about the line are renewed; a screen reader must not be flooded. */
const WORDS_MS = 10_000;
/** A chart is drawn again when its window has moved by this share of a pixel, and once a second at least. */
const PIXEL_SHARE = 0.5;
const DRAW_MS = 1_000;
const NO_BARS = "There are no bars of this field, of which candles are made.";
let ids = 0;

export class Chart {
  /** Shown by the reader's eyes: one that is not is not drawn. */
  isSeen = true;

  #traces;
  #view;
  #uPlot;
  #plot = null;
  #live = () => false;
  #picture = null;
  #isCandles;
  #isFull = false;
  #parts = {};
  #tools;
  #values;
  #fields = "";
  #moved = true;
  /** Drawn at the next opportunity, however little time has passed. */
  #isUrgent = true;
  #drawnAt = -Infinity;
  #wordsAt = -Infinity;
  #on;

  /**
   * @param topic the topic drawn, which need not have a tick yet
   * @param item what the address says of the chart: `path`, `isCandles`
   * @param uPlot the chart library, or null when the page was built without it
   * @param on `close`, `change` (something that the address says), `trace` (one that needs data), `compare`, `full`, `moved`, `names`, `say` (words to be heard)
   */
  constructor(topic, { path = null, isCandles = false }, uPlot, view, on) {
    this.#traces = [new Trace(topic, path)];
    this.#isCandles = isCandles;
    this.#uPlot = uPlot;
    this.#view = view;
    this.#on = on;
    this.element = document.createElement("article");
    this.element.className = "chart";
    this.element.dataset.topic = topic.name;
    const id = `chart-${(ids += 1)}`;
    this.element.setAttribute("aria-labelledby", id);
    this.element.innerHTML = `
      <header><button type="button" class="move">⠿</button><h3 id="${id}"></h3><span class="simulated" hidden>simulated</span><select class="field"></select><button type="button" class="close">×</button></header>
      <p class="figure"><output class="now" aria-live="off">–</output><span class="step"></span></p>
      <ul class="legend" role="list" hidden></ul>
      <div class="stage" role="group" tabindex="0"><div class="plot" role="img"></div><p class="hover"></p></div>
      <p class="waiting">Waiting for its first tick.</p>
      <p class="note"></p>
      <p class="credit" hidden></p>`;
    for (const part of ["h3", "select", ".simulated", ".move", ".close", ".now", ".step", ".legend", ".stage", ".plot", ".hover", ".waiting", ".note", ".credit"]) {
      this.#parts[part.replace(".", "")] = this.element.querySelector(part);
    }
    this.#tools = new Tools(topic.name, view);
    this.#values = new Values(topic.name);
    this.element.append(this.#tools.element, this.#values.element);
    const { h3, select, close, move, stage, plot } = this.#parts;
    h3.textContent = topic.name;
    select.setAttribute("aria-label", `Field of ${topic.name}`);
    select.hidden = true;
    close.setAttribute("aria-label", `Remove the chart of ${topic.name}`);
    move.setAttribute("aria-label", `Move the chart of ${topic.name}`);
    move.title = "Move: drag, or press the arrow keys";
    stage.setAttribute("aria-label", `Chart of ${topic.name}. Arrows: earlier and later. Plus, minus: zoom. 0: back to now. Comma, full stop: read values.`);
    stage.title = "Drag to zoom in, Shift and drag to move. Ctrl and wheel zooms. Two clicks go back to now.";
    close.addEventListener("click", on.close);
    select.addEventListener("change", () => this.#choose(select.value));
    orderable(move, this.element, on.moved);
    stage.hidden = true;
    if (uPlot) this.#plot = new Plot(plot, uPlot, (i) => this.#hover(i));
    this.#tools.element.hidden = uPlot === null;
    if (this.#plot) gestures(stage, this.#plot, view);
    keys(this.element, view, {
      ",": () => this.#read(-1),
      ".": () => this.#read(1),
      f: () => on.full(),
      c: () => this.#toggleCandles(),
      Escape: () => (this.#isFull ? on.full() : view.isPlain ? false : view.reset()),
    });
    this.#tools.onCandles = () => this.#toggleCandles();
    this.#tools.onFull = () => on.full();
    this.#tools.onSave = (ending) => this.#save(ending);
    this.#tools.onCompare = (name) => on.compare(name);
    this.#tools.names = on.names;
  }

  get traces() {
    return this.#traces;
  }

  get hasCandles() {
    return this.#isCandles && this.#traces.length === 1 && this.#traces[0].hasBars;
  }

  /** What the address says of it. */
  get item() {
    const [{ topic, chosen }, other] = this.#traces;
    const compare = other ? { name: other.topic.name, path: other.chosen } : null;
    return { name: topic.name, path: chosen, compare, isCandles: this.#isCandles, isFull: this.#isFull };
  }

  set isFull(is) {
    if (is === this.#isFull) return;
    this.#isFull = is;
    this.element.toggleAttribute("data-full", is);
    this.urge();
    if (is) this.#parts.stage.focus({ preventScroll: true });
  }

  get isFull() {
    return this.#isFull;
  }

  /** Draws another topic in the same chart, in place of the one that was compared with; null ends that. */
  compare(topic, path = null) {
    this.#traces = topic ? [this.#traces[0], new Trace(topic, path)] : [this.#traces[0]];
    this.urge();
    if (topic) this.#on.trace(this.#traces[1]);
  }

  /** One of its topics has a new tick. */
  tick(name) {
    for (const trace of this.#traces) if (trace.topic.name === name) trace.tick();
    this.#moved = true;
  }

  /** The fields of its topics may be marked otherwise than was thought. */
  remark() {
    this.#fields = "";
    for (const trace of this.#traces) if (trace.remark()) this.#on.trace(trace);
    this.urge();
  }

  /** Something else has changed than a tick: it is drawn in the next frame. `says` renews its words as well. */
  urge(says = false) {
    this.#moved = this.#isUrgent = true;
    if (says) this.#wordsAt = -Infinity;
  }

  /** The colours have changed. */
  redraw() {
    this.#plot?.fade();
    this.urge();
  }

  remove() {
    this.#plot?.remove();
    this.element.remove();
  }

  /** Draws, if there is anything new or the window has moved. `isLive(name)` holds the last figure up to now. */
  paint(now, isLive) {
    if (!this.isSeen) return;
    const [main] = this.#traces;
    if (this.#moved) this.#figure(main);
    const isEmpty = main.path === null || (main.series.length === 0 && !main.hasBars);
    const { stage, waiting } = this.#parts;
    waiting.hidden = !isEmpty;
    if (isEmpty) waiting.textContent = main.topic.text ? "This topic has no figure to draw." : "Waiting for its first tick.";
    else if (this.#plot && (this.#isUrgent || now - this.#drawnAt >= this.#restMs)) {
      stage.hidden = false;
      this.#draw(now, isLive);
    }
    this.#moved = false;
    if (now - this.#wordsAt > WORDS_MS) this.#words(now);
    this.#values.paint(now, main, this.#isCandles);
  }

  /** How long the picture may stay as it is. */
  get #restMs() {
    return Math.min((this.#view.span / this.#plot.width) * 1000 * PIXEL_SHARE, DRAW_MS);
  }

  #draw(now, isLive) {
    this.#isUrgent = false;
    this.#drawnAt = now;
    this.#live = (trace) => isLive(trace.topic.name);
    const { columns } = this.#plot;
    this.#picture = pictureOf({ traces: this.#traces, isCandles: this.#isCandles, view: this.#view, isLive: this.#live, columns });
    this.#plot.show(this.#picture);
    write(this.#parts.note, words.note(this.#picture, this.#traces));
    const [main] = this.#traces;
    const whyNot = this.#traces.length > 1 ? "Two topics are compared as lines." : main.hasBars ? "" : NO_BARS;
    const { isPlain, isFollowing } = this.#view;
    this.#tools.show({ isCandles: this.#isCandles && whyNot === "", isFull: this.#isFull, whyNot, isPlain, isFollowing });
    this.#legend();
  }

  #choose(path) {
    const [main] = this.#traces;
    main.choose(path);
    this.#wordsAt = -Infinity;
    this.urge();
    this.#on.trace(main);
    this.#on.change();
  }

  #toggleCandles() {
    if (this.#traces.length > 1 || (!this.#isCandles && !this.#traces[0].hasBars)) return;
    this.#isCandles = !this.#isCandles;
    this.urge();
    this.#on.change();
  }

  #figure(trace) {
    const { now, step, select, credit, simulated } = this.#parts;
    const { topic, path, series } = trace;
    const credits = [...new Set(this.#traces.map(({ topic }) => topic.credit))].filter(Boolean).join(" · ");
    credit.hidden = credits === "";
    write(credit, credits);
    simulated.hidden = !topic.simulated;
    if (!topic.text || path === null) return;
    const value = exact(topic.text).data.value;
    const main = at(value, path);
    write(now, format.marked(topic.marks, path, main));
    const { text, direction, title, since = "" } =
      path === topic.figures[0]
        ? kinds.change(topic, value)
        : kinds.step(topic.kind, path, main, numeric(main) - series.numbers.at(-2), topic.marks);
    write(step, text);
    step.dataset.since = since;
    step.title = title ?? "since the tick before";
    this.element.dataset.trend = direction;
    const fields = figures(topic.value, topic.marks);
    if (fields.join() === this.#fields) return;
    this.#fields = fields.join();
    select.replaceChildren(...fields.map((field) => new Option(format.name(field), field, false, field === path)));
    select.hidden = fields.length < 2;
  }

  #legend() {
    const { legend } = this.#parts;
    const isShown = this.#traces.length > 1;
    legend.hidden = !isShown;
    if (!isShown) return;
    const names = this.#traces.map(({ topic, path }) => `${topic.name} ${format.label(path ?? "")}`);
    if (legend.dataset.names !== names.join()) {
      legend.dataset.names = names.join();
      legend.replaceChildren(...this.#traces.map((trace, n) => this.#legendOf(trace, n)));
    }
    const { data } = this.#picture;
    [...legend.children].forEach((item, n) => write(item.querySelector(".percent"), words.percent(valueAt(data[n + 1], data[0].length - 1))));
  }

  #legendOf({ topic, path }, n) {
    const item = document.createElement("li");
    const part = (kind, text) => Object.assign(item.appendChild(document.createElement("span")), { className: kind, textContent: text });
    part(`sample ${n === 0 ? "first" : "second"}`, "");
    part("name", `${topic.name}, ${n === 0 ? "full line" : "dashed"}`).title = format.label(path ?? "");
    part("percent", "");
    if (n === 0) return item;
    const remove = item.appendChild(document.createElement("button"));
    Object.assign(remove, { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", `End the comparison with ${topic.name}`);
    remove.addEventListener("click", () => {
      this.compare(null);
      this.#on.change();
      this.#parts.stage.focus({ preventScroll: true });
    });
    return item;
  }

  #words(now) {
    const picture = this.#picture;
    const extent = picture && words.extentOf(picture);
    if (!extent) return;
    this.#wordsAt = now;
    const [main, other] = this.#traces;
    const written = picture.kind === "compare" ? words.percent : (figure) => main.marked(figure);
    const [low, high] = extent.map(written);
    const { isFollowing, span, window } = this.#view;
    const [from] = window;
    const first = picture.data[0].find((_, i) => Number.isFinite(picture.data[1][i]));
    // Where less is known than was chosen, that is said: the line begins within the window.
    const known = first > from && picture.kind === "line" ? `, known since ${axis.moment(first, picture.now)}` : "";
    const when = isFollowing ? `last ${words.lengthOf(span)}` : words.spanOf(window, picture.now);
    const versus = other ? ` compared with ${other.topic.name}` : "";
    const kind = picture.kind === "candles" ? "candles, " : "";
    this.#parts.plot.setAttribute(
      "aria-label",
      `${main.topic.name}${versus}, ${format.label(main.path)}, ${kind}${when}${known}: lowest ${low}, highest ${high}, now ${this.#parts.now.textContent}`,
    );
  }

  /** Moves the crosshair by a point, and says what is there. */
  #read(by) {
    this.#plot?.step(by);
    this.#on.say(this.#parts.hover.textContent);
  }

  #hover(i) {
    write(this.#parts.hover, i === null || !this.#picture ? "" : words.reading(this.#picture, this.#traces, i));
  }

  /** Saves what is shown as a file. */
  async #save(ending) {
    const { window, now } = this.#view;
    const names = this.#traces.map(({ topic }) => topic.name);
    const name = fileName(names, Math.min(window[1], now) * 1000, ending);
    if (ending === "csv") {
      const text = csvOf(this.#traces, window, this.hasCandles);
      if (text.trim() === "") return this.#tools.say("There is nothing in this time to save. Go back to now, or zoom out.");
      return download(new Blob([text], { type: "text/csv;charset=utf-8" }), name);
    }
    if (!this.#plot?.canvas || !this.#picture) return this.#tools.say("There is no picture yet to save.");
    const lines = [words.zoned(window)];
    if (this.#traces.some(({ topic }) => topic.simulated)) lines.push("simulated");
    if (this.#traces.length > 1) lines.push(`full line: ${names[0]}, dashed: ${names[1]}`);
    const [{ topic, path }] = this.#traces;
    const feet = [this.#parts.note.textContent, this.#parts.credit.textContent].filter(Boolean);
    const title = this.#traces.length > 1 ? names.join(" and ") : `${topic.name}, ${format.label(path)}: ${this.#parts.now.textContent}`;
    const inks = { sheet: ink("--sheet"), ink: ink("--ink"), muted: ink("--muted") };
    download(await this.#print((canvas) => pngOf(canvas, { title, lines, feet, inks })), name);
  }

  /** Draws the chart once more, larger and out of sight, and hands its canvas to `use`. */
  async #print(use) {
    const place = this.element.appendChild(document.createElement("div"));
    place.className = "print";
    const plot = new Plot(place, this.#uPlot, () => {});
    try {
      const columns = place.clientWidth * devicePixelRatio;
      plot.show(pictureOf({ traces: this.#traces, isCandles: this.#isCandles, view: this.#view, isLive: this.#live, columns }));
      await new Promise(requestAnimationFrame); // uPlot draws at the end of the task
      return await use(plot.canvas);
    } finally {
      plot.remove();
      place.remove();
    }
  }
}

/** Touches the page only where the text is another one. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
