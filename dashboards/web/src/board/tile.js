// One tile: the big figure of a topic, its change, its last minutes. Changes only the text that differs.
import { at, Digits, exact, leaves, numeric } from "../data/fields.js";
import * as format from "../data/format.js";
import { change } from "../data/kinds.js";
import { LEVELS, Spark } from "./spark.js";

const SVG = "http://www.w3.org/2000/svg";
/** A figure and the unit behind it. */
const PARTED = /^([+−-]?[\d.,]+(?:[eE][+-]?\d+)?)(\D*)$/;
/** A figure's hyphen is a minus to a reader. */
const NEGATIVE = /^-\d/;
/** A figure changes at most this often. */
const DRAWN_EVERY_MS = 150;
/** The newest end of a line moves at most this often. */
const LINE_EVERY_MS = 1_000;
/** Lengths from which a figure is written smaller. */
const LONG = [8, 12, 18, 30];
const PLACES_MAX = 8;
const NO_CHANGE = { text: "", direction: "", title: "" };

export class Tile {
  /** On screen, or nearly; the others are painted when they come into view. */
  visible = false;
  /** Something has changed since the tile was painted. */
  dirty = true;
  /** Whether its past was asked for, and came. */
  isFilled = false;

  #drawn = { at: -Infinity };
  #lined = {};
  #shown = {};
  #texts = {};
  #parts = {};

  /** @param item `{name, path, size}` @param window `{ms, slots, words}` of the line */
  constructor(key, item, window) {
    this.key = key;
    this.name = item.name;
    this.path = item.path;
    this.element = document.createElement("li");
    this.element.className = "tile";
    this.element.dataset.key = key;
    const head = this.#add("div", "head", this.element);
    const title = this.#add("h3", "", head);
    this.button = this.#add("button", "open", title);
    this.button.type = "button";
    const point = item.name.lastIndexOf(".") + 1;
    this.#add("span", "feed", this.button).textContent = item.name.slice(0, point);
    this.#add("span", "", this.button).textContent = item.name.slice(point);
    this.button.title = `Open the chart of ${item.name}`;
    for (const [name, tag, parent] of [
      ["simulated", "span", head],
      ["alarm", "p", this.element],
      ["big", "p", this.#add("div", "", this.element)],
      ["change", "p", this.#add("div", "", this.element)],
    ]) {
      this.#text(name, tag, parent);
    }
    this.#parts.big.textContent = "";
    this.#text("figure", "span", this.#parts.big);
    this.#text("unit", "span", this.#parts.big);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    this.svg = svg;
    this.line = document.createElementNS(SVG, "path");
    svg.append(this.line);
    this.#add("div", "line", this.element).append(svg);
    this.#text("range", "p", this.element);
    const foot = this.#add("p", "foot", this.#add("div", "base", this.element));
    for (const name of ["field", "state", "age"]) this.#text(name, "span", foot);
    this.#text("credit", "p", this.element);
    this.window = window;
    this.size = item.size;
  }

  get item() {
    return { name: this.name, path: this.path, size: this.size };
  }

  get size() {
    return this.element.dataset.size;
  }

  set size(size) {
    this.element.dataset.size = size;
  }

  /** The window of time that the line shows; its past is then to be filled anew. */
  set window({ ms, slots, words }) {
    this.spark = new Spark(ms, slots);
    this.#lined = {};
    this.words = words;
    this.svg.setAttribute("viewBox", `0 -3 ${slots} ${LEVELS + 6}`);
    this.isFilled = false;
    this.#shown.look = null;
    this.dirty = true;
  }

  #add(tag, name, parent) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    parent.append(element);
    return element;
  }

  /** An element with one text, which `#set` changes. */
  #text(name, tag, parent) {
    this.#parts[name] = this.#add(tag, name, parent);
    this.#texts[name] = this.#parts[name].appendChild(document.createTextNode(""));
  }

  #set(name, text) {
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    this.#texts[name].data = text;
    this.#parts[name].hidden = text === "";
  }

  #mark(name, value) {
    if (this.#shown[`data ${name}`] === value) return;
    this.#shown[`data ${name}`] = value;
    this.element.dataset[name] = value;
  }

  /** The field that it shows, or undefined while nothing is known of it. */
  fieldOf(topic) {
    return this.path ?? topic?.figures[0];
  }

  /** The topic moved: its figure goes into the line. */
  tick(topic) {
    this.dirty = true;
    const field = this.fieldOf(topic);
    if (field === undefined) return;
    // Another main figure than before: the line was of something else.
    if (this.#shown.line !== undefined && this.#shown.line !== field) {
      this.spark.clear();
      this.isFilled = false;
    }
    this.#shown.line = field;
    this.spark.tick(topic.ts, field === topic.figures[0] ? topic.number : numeric(at(topic.value, field)));
  }

  /** Takes the bars of the topic if they are of its field. */
  fill(topic, answer, now) {
    this.isFilled = true;
    if (answer && answer.field === this.fieldOf(topic)) this.spark.take(answer, now);
    this.dirty = true;
  }

  /** Draws what has changed. A tile that has just been drawn waits, as nobody reads faster; a beat comes soon. */
  paint(topic, now) {
    const isOther = this.dirty || topic?.text !== this.#drawn.text || topic?.marks !== this.#drawn.marks;
    if (isOther && now - this.#drawn.at >= DRAWN_EVERY_MS) {
      this.dirty = false;
      this.#drawn = { at: now, text: topic?.text, marks: topic?.marks };
      this.#paintValue(topic);
      this.#paintLine(topic, now);
    } else if (!isOther) this.#paintLine(topic, now);
  }

  #paintValue(topic) {
    if (!topic || topic.text === "") {
      this.#set("figure", "–");
      for (const name of ["unit", "change", "field", "credit", "simulated"]) this.#set(name, "");
      return;
    }
    const value = exact(topic.text).data.value;
    const field = this.fieldOf(topic) ?? leaves(value)[0]?.[0];
    const main = field === undefined ? undefined : at(value, field);
    const text = main === undefined ? "–" : format.marked(topic.marks, field, main);
    const [, figure, unit] = PARTED.exec(text) ?? [text, text, ""];
    this.#set("figure", NEGATIVE.test(figure) ? `−${figure.slice(1)}` : figure);
    this.#set("unit", unit);
    const length = figure.length + unit.length / 2;
    this.#mark("long", String(LONG.filter((chars) => length > chars).length));
    this.#mark("main", Number.isNaN(numeric(main)) ? "text" : "figure");
    const { text: moved, direction, title, since } = field === topic.figures[0] ? dayChange(topic, value) : NO_CHANGE;
    this.#set("change", since ? `${moved} since ${since}` : moved);
    this.#mark("trend", direction);
    if (this.#shown.title !== title) this.#parts.change.title = this.#shown.title = title ?? "";
    this.#set("field", field === undefined ? topic.kind : field === "" ? topic.kind : format.label(field));
    this.#set("credit", topic.credit);
    this.#set("simulated", topic.simulated ? "simulated" : "");
  }

  #paintLine(topic, now) {
    const { version } = this.spark;
    if (version === this.#lined.version && now - this.#lined.at < LINE_EVERY_MS) return;
    const look = this.spark.look();
    if (this.#shown.look === look) return;
    this.#lined = { at: now, version };
    this.#shown.look = look;
    this.line.setAttribute("d", this.spark.path());
    const range = this.spark.range();
    const field = this.fieldOf(topic);
    const words = range && field !== undefined ? range.map((one) => this.#written(topic, field, one)).join(" – ") : "";
    this.#set("range", words && `${this.words}: ${words}`);
  }

  /** A figure of the line, with as many decimals as the tile's. */
  #written(topic, field, number) {
    const figure = this.#shown.figure ?? "";
    const places = /[eE]/.test(figure) ? PLACES_MAX : Math.min(/\.(\d+)/.exec(figure)?.[1].length ?? 0, PLACES_MAX);
    return format.marked(topic.marks, field, new Digits(number, number.toFixed(places)));
  }

  /** What goes by with time: the age, and whether the topic is still told of. */
  paintAge(topic, serverNow, isLive, down, alarm) {
    this.#set("age", topic?.ts ? format.age(serverNow - topic.ts) : "");
    const state = stateOf(topic, isLive, down);
    this.#set("state", state);
    this.#mark("state", state === "" ? "live" : "old");
    this.#set("alarm", alarm?.words ?? "");
    this.#mark("alarm", alarm?.state ?? "");
  }
}

/** In words, so that it does not hang on a look. */
export function stateOf(topic, isLive, isDown) {
  if (!topic || topic.text === "") return "no value yet";
  if (topic.endedAt) return `ended at ${format.moment(topic.endedAt)}`;
  if (topic.staleSince) return `stale since ${format.moment(topic.staleSince)}`;
  if (isDown) return "feed is down";
  if (topic.isOld) return "stale at its source";
  return isLive ? "" : "not live";
}

/** The change of the day, where there is one: the step since the tick before is nobody's news. */
export function dayChange(topic, value) {
  const moved = change(topic, value);
  return /tick before/.test(moved.title) ? NO_CHANGE : moved;
}
