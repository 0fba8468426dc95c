// The header: how the connection is, what the server is, how much moves; and the same in words, now and then.
import * as format from "../data/format.js";
import { Place } from "../look/place.js";

/** A polite region that spoke for every change would never be quiet. */
const WORDS_MS = 10_000;
/** Weight of the newest second in the shown tick rate. */
const NEWEST = 0.4;

const WORDS = { live: "Live", waiting: "Reconnecting", offline: "No network", stopped: "Stopped", connecting: "Connecting" };

export class Status {
  #parts;
  #shownRate;
  #status = { state: "connecting" };
  #ticks = 0;
  #rate = 0;
  #counted = performance.now();
  #topics = 0;
  #troubled = 0;
  #said = "";
  #saidAt = -Infinity;

  /** @param parts the elements: link, retry, version, topics, rate, words */
  constructor(parts) {
    this.#parts = parts;
    this.#shownRate = new Place(parts.rate);
    this.#shownRate.put(format.count(0));
  }

  /** A tick came. */
  tick() {
    this.#ticks += 1;
  }

  set server(name) {
    this.#parts.version.textContent = name.replace("/", " ");
  }

  set topics(n) {
    this.#topics = n;
    this.#set(this.#parts.topics, format.count(n));
  }

  set troubledFeeds(n) {
    this.#troubled = n;
  }

  link(status) {
    this.#status = status;
    document.documentElement.dataset.link = status.state;
    this.#parts.retry.hidden = !["waiting", "offline", "stopped"].includes(status.state);
    this.#parts.link.title = status.why ?? "";
    this.paint(performance.now());
  }

  /** Called a few times a second. */
  paint(now) {
    this.#set(this.#parts.link, this.#linkText(now));
    const seconds = (now - this.#counted) / 1000;
    if (seconds >= 1) {
      const newest = this.#ticks / seconds;
      this.#rate = this.#rate === 0 ? newest : this.#rate * (1 - NEWEST) + newest * NEWEST;
      if (newest === 0 && this.#rate < 0.5) this.#rate = 0;
      this.#ticks = 0;
      this.#counted = now;
      this.#shownRate.put(format.count(this.#rate));
    }
    this.#say(now);
  }

  #linkText(now) {
    const { state, until, code, why } = this.#status;
    switch (state) {
      case "waiting":
        if (!Number.isFinite(until)) return WORDS.waiting;
        return `Reconnecting in ${Math.max(0, Math.ceil((until - now) / 1000))} s`;
      case "stopped":
        return `Stopped: ${code}${why ? ` ${why}` : ""}`;
      default:
        return WORDS[state];
    }
  }

  #say(now) {
    if (now - this.#saidAt < WORDS_MS) return;
    const link = WORDS[this.#status.state];
    const feeds = this.#troubled
      ? `, ${this.#troubled} ${this.#troubled === 1 ? "feed" : "feeds"} in trouble`
      : "";
    const words = `${link}, ${format.count(this.#topics)} topics${feeds}.`;
    if (words === this.#said) return;
    this.#said = words;
    this.#saidAt = now;
    this.#parts.words.textContent = words;
  }

  #set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }
}
