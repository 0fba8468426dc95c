// The ticker strip: one line of symbols with price and change that runs by. Its topics are in the address: `strip=sim.*,stocks.AAPL`.
import { at, exact } from "../data/fields.js";
import * as format from "../data/format.js";
import { Place } from "../look/place.js";
import { keyOf, readLayout } from "./layout.js";
import { isPattern, matcher } from "./target.js";
import { dayChange, stateOf } from "./tile.js";

/** More than these run by too seldom. */
export const STRIP_MAX = 40;
const NONE = "none";
/** So fast does it run, in widths of a letter per second. */
const PACE_EM_S = 4.5;
/** Figures change at most this often: nobody reads faster. */
const DRAWN_EVERY_MS = 150;
/** The list for screen readers is written this often: it is read, not watched. */
const PLAIN_EVERY_MS = 2_000;
const MATCH_EVERY_MS = 5_000;

/** The topics of a strip: those that the address names, else all quotes; none where it says `none`. */
export function stripTopics(text, topics) {
  if (text === NONE) return { items: [], left: 0 };
  const found = new Map();
  const all = [...topics].sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = text === null ? [] : readLayout(text).items;
  if (text === null) for (const { name, kind } of all) if (kind === "quote") found.set(name, { name, path: null });
  for (const { name, path } of items) {
    const names = isPattern(name) ? all.map((topic) => topic.name).filter(matcher(name)) : [name];
    for (const one of names) found.set(keyOf({ name: one, path }), { name: one, path });
  }
  return { items: [...found.values()].slice(0, STRIP_MAX), left: Math.max(0, found.size - STRIP_MAX) };
}

/** One symbol; it stands in two places while it runs. */
class Item {
  dirty = true;
  copies = [];

  #shown = "";

  constructor({ name, path }) {
    this.name = name;
    this.path = path;
    this.plain = document.createElement("li");
    this.plain.append("");
  }

  copy() {
    const element = document.createElement("span");
    element.className = "symbol";
    const name = element.appendChild(document.createElement("b"));
    name.textContent = this.path === null ? this.name.slice(this.name.lastIndexOf(".") + 1) : keyOf(this);
    element.title = this.name;
    const [value, change] = ["span", "i"].map((tag) => new Place(element.appendChild(document.createElement(tag))));
    this.copies.push({ element, value, change });
    this.dirty = true;
    this.#shown = "";
    return element;
  }

  paint(topic, isLive, isDown) {
    this.dirty = false;
    const { value, change, trend, state } = this.#read(topic, isLive, isDown);
    const key = `${value} ${change} ${trend} ${state}`;
    if (key === this.#shown) return;
    this.#shown = key;
    for (const copy of this.copies) {
      const { element } = copy;
      copy.value.put(value);
      copy.change.put(state || change);
      mark(element, "trend", state ? "" : trend);
      mark(element, "state", state ? "old" : "live");
    }
    this.words = `${keyOf(this)}: ${[value, change, state, topic?.simulated ? "simulated" : ""].filter(Boolean).join(", ")}`;
  }

  #read(topic, isLive, isDown) {
    const state = stateOf(topic, isLive, isDown);
    if (!topic || topic.text === "") return { value: "–", change: "", trend: "", state };
    const content = exact(topic.text).data.value;
    const field = this.path ?? topic.figures[0];
    const leaf = field === undefined ? undefined : at(content, field);
    const { text, direction } = field === topic.figures[0] ? dayChange(topic, content) : { text: "", direction: "" };
    const value = leaf === undefined ? "–" : format.marked(topic.marks, field, leaf);
    return { value, change: text, trend: direction, state };
  }

  paintPlain() {
    const text = this.plain.firstChild;
    if (text.data !== this.words) text.data = this.words ?? "";
  }
}

function mark({ dataset }, name, value) {
  if (dataset[name] !== value) dataset[name] = value;
}

export class Strip {
  /** Called with a topic to open its chart. */
  onOpen = () => {};

  #element;
  #topics;
  #address;
  #feeds;
  #items = new Map();
  #byName = new Map();
  #text = undefined;
  #knownTopics = -1;
  #matched = 0;
  #isBeat = true;
  #drawn = -Infinity;
  #plainDue = 0;
  #isPaused = false;
  #window = document.createElement("div");
  #track = document.createElement("div");
  #halves = [0, 1].map(() => document.createElement("div"));
  #plain = document.createElement("ul");
  #pause = document.createElement("button");
  #more = document.createElement("span");
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param feeds a map of feeds to their states, where known */
  constructor(element, { topics, address, feeds }) {
    this.#element = element;
    this.#topics = topics;
    this.#address = address;
    this.#feeds = feeds;
    element.classList.add("strip");
    // Its room is kept until it is known whether there is a strip: what comes late must not push the page down below a pointer.
    element.dataset.run = "waits";
    element.hidden = address.get("strip") === NONE;
    this.#pause.type = "button";
    this.#pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      this.#measure();
    });
    this.#window.className = "window";
    // The moving line is for eyes; who listens has a list that stands still.
    this.#window.setAttribute("aria-hidden", "true");
    this.#track.className = "track";
    this.#track.append(...this.#halves);
    this.#window.append(this.#track);
    this.#plain.className = "unseen";
    this.#plain.setAttribute("role", "list");
    this.#plain.setAttribute("aria-label", "Topics of the ticker strip");
    this.#more.className = "more";
    element.append(this.#pause, this.#window, this.#more, this.#plain);
    this.#window.addEventListener("click", ({ target }) => {
      const name = target.closest(".symbol")?.title;
      if (name) this.onOpen(name);
    });
    this.#calm.addEventListener("change", () => this.#measure());
    new ResizeObserver(() => this.#measure()).observe(this.#window);
    new ResizeObserver(() => this.#measure()).observe(this.#halves[0]);
  }

  /** A topic moved. */
  tick(name) {
    for (const item of this.#byName.get(name) ?? []) item.dirty = true;
  }

  beat() {
    this.#isBeat = true;
  }

  paint(_serverNow, now, isLive) {
    const isBeat = this.#isBeat;
    this.#isBeat = false;
    if (isBeat || this.#topics.size !== this.#knownTopics) this.#match(now);
    if (this.#items.size === 0 || (!isBeat && now - this.#drawn < DRAWN_EVERY_MS)) return;
    this.#drawn = now;
    for (const item of this.#items.values()) {
      if (!item.dirty && !isBeat) continue;
      const isDown = this.#feeds?.get(item.name.split(".", 1)[0]) === "down";
      item.paint(this.#topics.get(item.name), isLive(item.name), isDown);
    }
    if (now < this.#plainDue) return;
    this.#plainDue = now + PLAIN_EVERY_MS;
    for (const item of this.#items.values()) item.paintPlain();
  }

  #match(now) {
    const text = this.#address.get("strip");
    if (text === this.#text && this.#topics.size === this.#knownTopics && now - this.#matched < MATCH_EVERY_MS) return;
    this.#text = text;
    this.#knownTopics = this.#topics.size;
    this.#matched = now;
    const { items, left } = stripTopics(text, this.#topics.all());
    const more = left > 0 ? `and ${left} more` : "";
    if (this.#more.textContent !== more) this.#more.textContent = more;
    const isWaiting = this.#topics.size === 0 && text !== NONE;
    this.#element.hidden = items.length === 0 && !isWaiting;
    const keys = items.map(keyOf);
    if (keys.join() === [...this.#items.keys()].join()) return;
    this.#items = new Map(items.map((item) => [keyOf(item), new Item(item)]));
    this.#byName = new Map();
    for (const item of this.#items.values()) this.#byName.set(item.name, [...(this.#byName.get(item.name) ?? []), item]);
    for (const half of this.#halves) half.replaceChildren(...[...this.#items.values()].map((item) => item.copy()));
    this.#plain.replaceChildren(...[...this.#items.values()].map(({ plain }) => plain));
    this.#plainDue = 0; // where it is as wide as before, there is nothing to measure
  }

  /** Whether it runs at all: not where all of it is in view, where it is paused, and where the reader wants no motion. */
  #measure() {
    if (this.#items.size === 0) return;
    const width = this.#halves[0].offsetWidth;
    const isFit = width <= this.#window.clientWidth;
    const isStill = isFit || this.#isPaused || this.#calm.matches;
    this.#element.dataset.run = isFit ? "fits" : isStill ? "still" : "runs";
    this.#halves[1].hidden = isStill && !this.#isPaused;
    this.#pause.hidden = isFit || this.#calm.matches;
    this.#pause.textContent = this.#isPaused ? "Run" : "Pause";
    this.#pause.setAttribute("aria-label", this.#isPaused ? "Run the ticker strip" : "Pause the ticker strip");
    if (width > 0) {
      const em = parseFloat(getComputedStyle(this.#track).fontSize);
      this.#track.style.setProperty("--run", `${Math.round(width / (em * PACE_EM_S))}s`);
    }
  }
}
