// The list of all configured feeds: how each is, since when and why, and how much of what it says is usable.
import * as format from "../data/format.js";
import { Book } from "./book.js";
import { make, row, say, table } from "./make.js";
import * as words from "./words.js";

const HEADS = ["Feed", "State", "Topics", "Stale", "Accepted", "Refused", "Rate"];
/** Ages move by themselves this often. */
const AGE_MS = 1_000;
const collator = new Intl.Collator("en", { numeric: true });

export class FeedList {
  /** Called with a feed's name when it is chosen. */
  onOpen = () => {};

  #book = new Book();
  #rows = new Map();
  #body;
  #element;
  #summary = make("p", { className: "feeds-summary", role: "status" });
  #painted = { version: -1, at: -Infinity };

  constructor(element) {
    const { element: list, body } = table("feeds", "All configured feeds, those that need a hand first", HEADS);
    this.#element = element;
    this.#body = body;
    say(this.#summary, "Asking the server for its feeds.");
    element.append(this.#summary, list);
    body.addEventListener("click", ({ target }) => {
      const { feed } = target.closest("button")?.dataset ?? {};
      if (feed !== undefined) this.onOpen(feed);
    });
  }

  /** The names of the feeds, as they stand. */
  get names() {
    return [...this.#rows.keys()];
  }

  /** Takes the feeds of `GET /v1/feeds`. Two of them some seconds apart give the rates. */
  take(feeds) {
    this.#book.take(feeds);
  }

  /** Takes a notice of type `feed`. */
  feed(notice) {
    this.#book.told(notice);
  }

  /** There is no connection: nothing is known of how the feeds are. */
  lose() {
    this.#book.lose();
  }

  /** Draws what is another since the last time, and the ages once a second. */
  paint(serverNow, now) {
    const isNew = this.#painted.version !== this.#book.version;
    if (!isNew && now - this.#painted.at < AGE_MS) return;
    this.#painted = { version: this.#book.version, at: now };
    const feeds = this.#book.all.sort((a, b) => words.rank(a) - words.rank(b) || collator.compare(a.name, b.name));
    if (isNew) this.#arrange(feeds);
    for (const feed of feeds) this.#rows.get(feed.name).paint(feed, serverNow);
  }

  #arrange(feeds) {
    if (this.#book.isListed || feeds.length > 0) say(this.#summary, words.summary(feeds));
    this.#element.classList.toggle("troubled", feeds.some(words.isTroubled));
    const names = new Set(feeds.map(({ name }) => name));
    for (const [name, { element }] of this.#rows) {
      if (names.has(name)) continue;
      element.remove();
      this.#rows.delete(name);
    }
    const held = document.activeElement;
    let place = this.#body.firstElementChild;
    for (const { name } of feeds) {
      if (!this.#rows.has(name)) this.#rows.set(name, new Row(name));
      const { element } = this.#rows.get(name);
      if (element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(element, place);
    }
    // A row that is moved loses the focus.
    if (held !== document.activeElement && this.#body.contains(held)) held.focus({ preventScroll: true });
  }
}

class Row {
  #parts;

  constructor(name) {
    const part = (className) => make("span", { className });
    const parts = { badge: part("badge"), since: part("feed-since"), reason: part("feed-reason") };
    for (const figure of ["topics", "stale", "samples", "refused", "rate"]) parts[figure] = part("feed-figure");
    const open = make("button", { type: "button", className: "feed-open", data: { feed: name } }, name);
    const { topics, stale, samples, refused, rate } = parts;
    this.element = row(
      [
        open,
        make("span", { className: "feed-state" }, parts.badge, " ", parts.since, " ", parts.reason),
        topics,
        stale,
        samples,
        refused,
        rate,
      ],
      HEADS,
    );
    this.element.dataset.feed = name;
    this.#parts = parts;
  }

  paint(feed, serverNow) {
    const parts = this.#parts;
    paintBadge(parts.badge, feed.state, words.lookOf(feed));
    say(parts.since, words.since(feed.since, serverNow));
    say(parts.reason, feed.state === "up" ? "" : feed.reason);
    const figure = (n) => (feed.isListed ? format.count(n) : "–");
    say(parts.topics, figure(feed.topics));
    say(parts.stale, figure(feed.stale));
    say(parts.samples, figure(feed.samples));
    say(parts.refused, feed.isListed ? words.refused(feed) : "–");
    say(parts.rate, words.rate(feed.rate));
    parts.stale.classList.toggle("warned", feed.stale > 0);
    parts.refused.classList.toggle("warned", feed.refused > 0 && !feed.isAllRefused);
    parts.refused.classList.toggle("alarming", feed.isAllRefused);
    this.element.classList.toggle("alarmed", feed.isAllRefused || feed.state === "down");
  }
}

/** A state as a sign and a word. */
export function paintBadge(badge, state, { sign, tone } = words.look(state)) {
  if (badge.dataset.state === state && badge.dataset.tone === tone) return;
  badge.dataset.state = state;
  badge.dataset.tone = tone;
  badge.replaceChildren(make("span", { "aria-hidden": "true" }, sign), ` ${state}`);
}
