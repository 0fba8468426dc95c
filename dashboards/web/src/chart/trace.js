// One topic in a chart: the field that is drawn, its newest ticks and its bars.
import { at, Digits, exact, figures, numeric } from "../data/fields.js";
import * as format from "../data/format.js";
import { Past, join } from "./past.js";
import { Series } from "./series.js";

export class Trace {
  series = new Series();
  past = new Past();
  /** Why it has no bars; empty while it has some, or is not known yet. */
  why = "";
  topic;

  #path;
  /** The field was chosen, and is kept whatever is found to be the main one. */
  #isChosen;
  /** The field that the bars are of; null while there are none. */
  #barsField = null;

  constructor(topic, path) {
    this.topic = topic;
    this.#path = path;
    this.#isChosen = path !== null;
    if (topic.text) this.tick();
  }

  get path() {
    return this.#path;
  }

  /** The field, if it was chosen. */
  get chosen() {
    return this.#isChosen ? this.#path : null;
  }

  /** The name by which figures are written, see `format.shown`. */
  get shown() {
    return format.shown(this.topic.marks, this.#path ?? "");
  }

  /** A figure with its unit. */
  marked(value) {
    return format.marked(this.topic.marks, this.#path ?? "", value);
  }

  get isPrice() {
    return format.PRICE.test(this.shown);
  }

  /** Bars are of one field alone. */
  get hasBars() {
    return this.#path !== null && this.#path === this.#barsField && !this.past.bars.isEmpty;
  }

  choose(path) {
    this.#path = path;
    this.#isChosen = true;
    this.series.clear();
    this.tick();
  }

  /** The fields of its topic may be marked otherwise than was thought. True if it draws another one now. */
  remark() {
    const [main = null] = this.topic.figures;
    if (this.#isChosen || main === null || main === this.#path) return false;
    this.#path = main;
    this.series.clear();
    this.tick();
    return true;
  }

  /** The topic has a new tick. */
  tick() {
    const { value, ts, text } = this.topic;
    if (this.#path === null) this.#path = this.topic.figures[0] ?? null;
    if (this.#path === null) return;
    const leaf = at(value, this.#path);
    const number = numeric(leaf);
    if (Number.isNaN(number)) return;
    const digits = typeof leaf === "string" ? leaf : digitsOf(text, this.#path, leaf);
    this.series.push(ts / 1000, number, digits);
    if (this.#path === this.#barsField) this.past.tick(ts, number, digits);
  }

  /** Older ticks, as the server's `history` gives them: `{event, data}`, parsed with or without their digits. */
  seed(envelopes) {
    const points = [];
    for (const envelope of envelopes) {
      const value = envelope?.data?.value;
      const ts = numeric(envelope?.data?.ts);
      this.#path ??= figures(value, this.topic.marksOf(String(envelope?.event ?? "")))[0] ?? null;
      if (this.#path === null) continue;
      const leaf = at(value, this.#path);
      const number = numeric(leaf);
      if (Number.isFinite(ts) && Number.isFinite(number)) points.push([ts / 1000, number, textOf(leaf)]);
    }
    this.series.seed(points);
  }

  /** Takes an answer to a question for `limit` bars of periods of `ms`; without an answer there are none, and `why`. */
  takeBars(ms, answer, limit, why = "") {
    this.why = why;
    if (!answer) {
      this.past.clear();
      this.#barsField = null;
      return;
    }
    const field = typeof answer.field === "string" ? answer.field : null;
    if (field !== this.#barsField) this.past.clear();
    this.#barsField = field;
    this.past.take(ms, answer, limit);
  }

  /** The line in a window as `[times, numbers]`; null is a gap. */
  line(window) {
    return join(this.#bars, this.series, window);
  }

  /**
   * The parts of a window about which nothing is known, as `[from, to]` in seconds, ascending; `now` ends the last one. Of
   * the time after `staleSince` nothing is said here.
   */
  empty([from, to], now) {
    const bars = this.#bars;
    const parts = [];
    const put = (begins, ends) => {
      const [low, high] = [Math.max(begins, from), Math.min(ends, to, now)];
      if (high > low) parts.push([low, high]);
    };
    const { times, numbers } = this.series;
    if (bars.isEmpty) {
      if (times.length === 0) return [];
      put(-Infinity, times[0]);
      for (let i = 0; i < times.length - 1; i += 1) if (Number.isNaN(numbers[i])) put(times[i], times[i + 1]);
    } else {
      put(-Infinity, Math.min(bars.since, bars.oldest / 1000, times[0] ?? Infinity));
      for (const [begins, ends] of bars.unknown) put(begins, ends);
    }
    if (times.length > 0 && Number.isNaN(numbers.at(-1))) put(Math.max(times.at(-1), (bars.newest + bars.ms) / 1000), now);
    return parts;
  }

  /** What is older than this is on its way, in seconds; -Infinity if nothing is. */
  get loadedFrom() {
    const bars = this.#bars;
    return bars.isEmpty || bars.isWhole ? -Infinity : bars.oldest / 1000;
  }

  get #bars() {
    return this.hasBars ? this.past.bars : NO_BARS;
  }
}

const NO_BARS = new Past().bars;

const textOf = (leaf) => (leaf instanceof Digits ? leaf.source : String(leaf));

/** The digits in which a number was written: they are only in the text. */
function digitsOf(text, path, leaf) {
  try {
    return textOf(at(exact(text).data.value, path));
  } catch {
    return String(leaf);
  }
}
