// A feed's topics with their newest values, stale ones first.
import { at, exact, leaves } from "../data/fields.js";
import * as format from "../data/format.js";
import { arrange } from "./cells.js";
import { make, row, say, table } from "./make.js";

const HEADS = ["Topic", "Value", "Event", "Age"];
/** Rows shown; the others are counted. */
const ROWS_MAX = 200;
/** A topic that came, went or is stale has its place this soon. */
const ARRANGE_MS = 1_000;
/** Values move this often: a row that is painted anew each frame cannot be read. */
const VALUES_MS = 250;
const CREDITS_MAX = 5;
const collator = new Intl.Collator("en", { numeric: true });
const isStale = (topic) => topic.staleSince > 0 || topic.isOld;

export class FeedTopics {
  /** What the sources of the topics ask to show beside their values. */
  credits = [];

  #topics;
  #feed = "";
  #rows = new Map();
  #body;
  #rest = make("p", { className: "small" });
  #arrangedAt = -Infinity;
  #paintedAt = -Infinity;

  /** @param onChart called with a topic's name when its chart is wanted */
  constructor(element, topics, onChart) {
    const { element: list, body } = table(
      "feed-topics",
      "Its topics with their newest values, stale ones first",
      HEADS,
    );
    this.#topics = topics;
    this.#body = body;
    element.append(list, this.#rest);
    body.addEventListener("click", ({ target }) => {
      const { topic } = target.closest("button")?.dataset ?? {};
      if (topic !== undefined) onChart(topic);
    });
  }

  show(feed) {
    this.#feed = feed;
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#arrangedAt = this.#paintedAt = -Infinity;
  }

  paint(serverNow, now) {
    if (now - this.#arrangedAt >= ARRANGE_MS) this.#arrange(now);
    if (now - this.#paintedAt < VALUES_MS) return;
    this.#paintedAt = now;
    for (const line of this.#rows.values()) line.paint(serverNow);
  }

  #arrange(now) {
    this.#arrangedAt = now;
    const all = [];
    for (const topic of this.#topics.all()) if (topic.feed === this.#feed) all.push(topic);
    all.sort((a, b) => isStale(b) - isStale(a) || collator.compare(a.name, b.name));
    const shown = all.slice(0, ROWS_MAX);
    for (const topic of shown) {
      const line = this.#rows.get(topic.name);
      if (line === undefined || line.topic === topic) continue;
      // It ended, and is back as another one.
      line.element.remove();
      this.#rows.delete(topic.name);
    }
    const byName = new Map(shown.map((topic) => [topic.name, topic]));
    arrange(this.#body, this.#rows, [...byName.keys()], (name) => new Line(byName.get(name)));
    const left = all.length - shown.length;
    say(
      this.#rest,
      all.length === 0 ? "It has no topic yet." : left > 0 ? `And ${format.count(left)} more topics.` : "",
    );
    this.credits = [...new Set(all.map(({ credit }) => credit).filter((credit) => credit !== ""))].slice(
      0,
      CREDITS_MAX,
    );
  }
}

class Line {
  #value = make("span", { className: "feed-value" });
  #field = make("span", { className: "feed-field" });
  #stale = make("span", { className: "badge", data: { tone: "warn" } });
  #kind = make("span");
  #age = make("span");
  #text = null;

  constructor(topic) {
    this.topic = topic;
    const open = make("button", { type: "button", title: "Draw its chart", data: { topic: topic.name } }, topic.name);
    const name = make("span", { className: "feed-topic" }, open, " ", this.#stale);
    this.element = row([name, make("span", {}, this.#value, " ", this.#field), this.#kind, this.#age], HEADS);
  }

  paint(serverNow) {
    const { topic } = this;
    const { staleSince, isOld } = topic;
    const stale = staleSince ? `stale since ${format.moment(staleSince, serverNow)}` : isOld ? "stale at its source" : "";
    say(this.#stale, stale);
    this.#stale.hidden = stale === "";
    this.element.classList.toggle("stale", stale !== "");
    say(this.#age, topic.ts ? format.age(serverNow - topic.ts) : "–");
    if (this.#text === topic.text) return;
    this.#text = topic.text;
    say(this.#kind, topic.kind);
    if (topic.text === "") {
      say(this.#value, "–");
      return;
    }
    const { value } = exact(topic.text).data;
    const path = topic.figures[0] ?? leaves(value)[0]?.[0];
    say(this.#value, path === undefined ? "empty" : format.marked(topic.marks, path, at(value, path)));
    say(this.#field, path ? format.label(path) : "");
  }
}
