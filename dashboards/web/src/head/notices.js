// What a reader should know beyond the figures: feeds in trouble, ticks skipped, requests refused.
import * as format from "../data/format.js";

/** A passing notice leaves by itself after this long. */
const PASSING_MS = 15_000;
/** Passing notices kept; a server that complains without end does not fill the page. */
const PASSING_MAX = 3;
/** A feed that recovers sooner is told by its badge alone: a line that comes and goes makes the page jump. */
const PATIENCE_MS = 2_500;

export class Notices {
  #list;
  #items = new Map();
  #ids = 0;
  #coming = new Map();
  /** What was said last of feeds in trouble. */
  #feeds = new Map();

  constructor(list) {
    this.#list = list;
  }

  /** A feed's state: stays while the feed is in trouble. */
  feed({ feed, state, since, reason }) {
    const key = `feed ${feed}`;
    clearTimeout(this.#coming.get(key));
    this.#feeds.set(feed, { feed, state, since, reason });
    if (state === "up") {
      this.#feeds.delete(feed);
      this.drop(key);
      return;
    }
    const when = since > 0 ? ` since ${format.moment(since)}` : "";
    const text = `Feed ${feed} is ${state}${when}${reason ? `: ${reason}` : "."}`;
    const tone = state === "down" ? "bad" : state === "closed" ? "quiet" : "warn";
    if (this.#items.has(key)) this.put(key, tone, text);
    else
      this.#coming.set(
        key,
        setTimeout(() => this.put(key, tone, text), PATIENCE_MS),
      );
  }

  /** It is another day: times of the one before have their day. */
  redate() {
    for (const notice of this.#feeds.values()) if (this.#items.has(`feed ${notice.feed}`)) this.feed(notice);
  }

  /** Not all that the reader asked for is drawn. */
  full(sentence) {
    this.put("full", "quiet", sentence, PASSING_MS);
  }

  /** Ticks were missed for good. */
  gap(names) {
    const of = names.length > 3 ? `${format.count(names.length)} topics` : names.join(", ");
    this.put("gap", "warn", `Ticks of ${of} were missed. What is shown is the newest.`, PASSING_MS);
  }

  error({ code, name, message }) {
    const passing = [...this.#items.keys()].filter((key) => key.startsWith("error "));
    if (passing.length >= PASSING_MAX) this.drop(passing[0]);
    const title = [code, name].filter((part) => part !== undefined).join(" ");
    this.put(`error ${(this.#ids += 1)}`, "bad", `${title}: ${message ?? "no reason was given"}`, PASSING_MS);
  }

  /** Shows a sentence under a key, in place of what the key showed before; `forMs` makes it a passing one. */
  put(key, tone, text, forMs = 0) {
    let item = this.#items.get(key);
    if (!item) {
      const element = document.createElement("li");
      element.append(document.createElement("span"));
      item = { element, timer: 0 };
      this.#items.set(key, item);
      this.#list.append(element);
    }
    const { element } = item;
    element.dataset.tone = tone;
    if (element.firstChild.textContent !== text) element.firstChild.textContent = text;
    clearTimeout(item.timer);
    item.timer = forMs > 0 ? setTimeout(() => this.drop(key), forMs) : 0;
    this.#list.hidden = false;
  }

  drop(key) {
    const item = this.#items.get(key);
    if (!item) return;
    clearTimeout(item.timer);
    item.element.remove();
    this.#items.delete(key);
    this.#list.hidden = this.#items.size === 0;
  }

  /** A new connection tells anew which feeds are in trouble. */
  dropFeeds() {
    for (const timer of this.#coming.values()) clearTimeout(timer);
    this.#coming.clear();
    this.#feeds.clear();
    for (const key of this.#items.keys()) if (key.startsWith("feed ")) this.drop(key);
  }
}
