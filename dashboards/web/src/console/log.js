// The frames on the page: a line for each, which opens to the whole message.
import * as format from "../data/format.js";
import { make, say } from "../feeds/make.js";
import { pretty } from "./pretty.js";

/** Lines are drawn this often, however many frames come. */
const DRAW_MS = 100;
/** Lines made in one drawing. */
const FRESH_MAX = 100;
/** After a drawing that took long, so many times as long is left to the rest of the page. */
const REST = 8;
/** Characters of a message in its line. */
const LINE_MAX = 240;
/** Nearer to the end than this, the list follows what comes. */
const NEAR_PX = 40;
const WAYS = { in: ["←", "received"], out: ["→", "sent"], note: ["•", "note"] };
const TICKS = { together: "Ticks in one line", each: "A line for each tick", none: "No ticks" };
const encoder = new TextEncoder();

export class Log {
  #frames;
  #list = make("div", {
    className: "frames",
    role: "log",
    "aria-live": "off",
    "aria-label": "Messages, newest last",
    tabIndex: 0,
  });
  #counts = make("p", { className: "small frames-counts" });
  #pause = make("button", { type: "button", "aria-pressed": "false" }, "Pause");
  #empty = make("p", { className: "sentence" }, "Nothing yet. Messages appear here as they are sent and as they come.");
  #newest = make("button", { type: "button", className: "frames-newest", hidden: true }, "Newest ↓");
  #lines = new Map();
  /** What the last drawing took, ms. */
  #cost = 0;
  #drawn = { version: -1, at: -Infinity, filter: "", last: 0 };

  constructor(element, frames) {
    this.#frames = frames;
    const filter = make("input", {
      type: "search",
      placeholder: "Event, topic or text",
      autocomplete: "off",
      spellcheck: false,
    });
    const ticks = make(
      "select",
      {},
      ...Object.entries(TICKS).map(([value, title]) => make("option", { value }, title)),
    );
    const clear = make("button", { type: "button" }, "Clear");
    const bar = make(
      "div",
      { className: "frames-bar", role: "group", "aria-label": "What the list shows" },
      make("label", {}, make("span", {}, "Only"), " ", filter),
      make("label", {}, make("span", { className: "unseen" }, "Ticks"), ticks),
      this.#pause,
      clear,
    );
    element.append(
      bar,
      this.#counts,
      make("div", { className: "frames-frame" }, this.#empty, this.#list, this.#newest),
    );
    filter.addEventListener("input", () => (frames.filter = filter.value));
    ticks.addEventListener("change", () => (frames.ticks = ticks.value));
    this.#pause.addEventListener("click", () => this.#setPaused(!frames.isPaused));
    clear.addEventListener("click", () => frames.clear());
    this.#newest.addEventListener("click", () => this.#follow());
    this.#list.addEventListener("scroll", () => (this.#newest.hidden = this.#isAtEnd), { passive: true });
    this.#list.addEventListener("toggle", ({ target }) => this.#opened(target), true);
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }

  #setPaused(yes) {
    this.#frames.isPaused = yes;
    this.#frames.version += 1;
    this.#pause.setAttribute("aria-pressed", String(yes));
    say(this.#pause, yes ? "Go on" : "Pause");
    if (yes) return;
    const { missed } = this.#frames;
    this.#frames.missed = 0;
    if (missed > 0) this.#frames.note("paused", `${of(missed, "message")} came meanwhile, not kept.`, Date.now());
  }

  #follow() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newest.hidden = true;
  }

  /** Draws what is new, now and then. */
  paint(now) {
    const { version, filter, entries, missed, isPaused } = this.#frames;
    if (isPaused && version === this.#drawn.version && missed > 0) this.#count();
    if (version === this.#drawn.version || now - this.#drawn.at < Math.max(DRAW_MS, REST * this.#cost)) return;
    const begun = performance.now();
    const follows = this.#isAtEnd;
    if (filter !== this.#drawn.filter) {
      this.#lines.clear();
      this.#drawn.last = 0;
    }
    if (this.#lines.size === 0) this.#list.replaceChildren();
    const { last } = this.#drawn;
    this.#drawn = { version, at: now, filter, last };
    const first = entries[0]?.id ?? Infinity;
    for (const [id, { element }] of this.#lines) {
      if (id >= first) break;
      element.remove();
      this.#lines.delete(id);
    }
    const fresh = [];
    for (const entry of entries) {
      this.#lines.get(entry.id)?.paint();
      if (entry.id <= last) continue;
      if (fresh.length === FRESH_MAX) {
        this.#drawn.version = -1; // the others come with the next drawing
        break;
      }
      this.#drawn.last = entry.id;
      if (!this.#frames.shows(entry)) continue;
      const line = new Line(entry);
      this.#lines.set(entry.id, line);
      fresh.push(line.element);
    }
    this.#list.append(...fresh);
    this.#empty.hidden = this.#lines.size > 0;
    this.#list.hidden = this.#lines.size === 0;
    this.#count();
    if (follows)
      this.#follow(); // it lays the lines out, so that their cost is known as well
    else this.#newest.hidden = false;
    this.#cost = performance.now() - begun;
  }

  #count() {
    const { entries, left, dropped, missed, isPaused } = this.#frames;
    const shown = this.#lines.size;
    const parts = [of(shown, "line")];
    if (shown < entries.length) parts.push(`${format.count(entries.length - shown)} hidden by the filter`);
    if (left > 0) parts.push(`${of(left, "message")} left out`);
    if (dropped > 0) parts.push(`${of(dropped, "older line")} dropped`);
    if (isPaused) parts.unshift(`Paused: ${of(missed, "message")} not kept`);
    say(this.#counts, parts.join(" · "));
  }

  #opened(element) {
    this.#lines.get(Number(element.dataset.id))?.unfold();
  }
}

/** `1 line`, `2 lines`. */
const of = (n, thing) => `${format.count(n)} ${thing}${n === 1 ? "" : "s"}`;

/** A time of the day with its milliseconds. */
const clock = (ms) => `${format.time(ms)}.${String(ms % 1000).padStart(3, "0")}`;

class Line {
  #entry;
  #time = make("time");
  #event = make("b");
  #topic = make("span", { className: "frame-topic" });
  #size = make("span", { className: "frame-size" });
  #text = make("code", { className: "frame-text" });
  #whole = make("pre", { tabIndex: 0 });
  #count = -1;

  constructor(entry) {
    this.#entry = entry;
    const [arrow, word] = WAYS[entry.way];
    const way = make("span", { className: "frame-way" }, make("span", { "aria-hidden": "true" }, `${arrow} `), word);
    const summary = make(
      "summary",
      {},
      this.#time,
      " ",
      way,
      " ",
      this.#event,
      " ",
      this.#topic,
      " ",
      this.#size,
      " ",
      this.#text,
    );
    this.element = make(
      "details",
      { className: "frame", data: { id: entry.id, way: entry.way } },
      summary,
      this.#whole,
    );
    this.paint();
  }

  /** A line of many ticks changes; the others stay as they are. */
  paint() {
    const { at, event, topic, text, isMany, count = 0, topics, length, isCut } = this.#entry;
    if (count === this.#count) return;
    this.#count = count;
    say(this.#time, clock(at));
    say(this.#event, isMany && count > 1 ? `${format.count(count)} ticks` : event);
    say(this.#topic, isMany && topics.size > 1 ? `of ${format.count(topics.size)} topics, newest ${topic}` : topic);
    const bytes = isCut || isMany ? length : encoder.encode(text).length;
    say(this.#size, this.#entry.note ? "" : format.bytes(bytes));
    say(this.#text, text.slice(0, LINE_MAX));
    if (this.element.open) this.unfold();
  }

  unfold() {
    const { text, note, isMany, samples, isCut, length, count } = this.#entry;
    if (note) return say(this.#whole, text);
    if (!isMany || count === 1) {
      return say(
        this.#whole,
        pretty(text) + (isCut ? `\n… cut: this is the beginning of ${format.bytes(length)}` : ""),
      );
    }
    const newest = [...samples.values()].reverse().map(pretty);
    return say(
      this.#whole,
      `The newest of ${samples.size === 1 ? "the topic" : `${samples.size} topics`}:\n${newest.join("\n")}`,
    );
  }
}
