// The list of all configured feeds: how each is, since when and why, and how much of what it says is usable.
import { Book } from "./book.js";
import { arrange, paintBadge, paintFigures } from "./cells.js";
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
    const names = feeds.map(({ name }) => name);
    arrange(this.#body, this.#rows, names, (name) => new Row(name));
  }
}

class Row {
  #parts;

  constructor(name) {
    const part = (className) => make("span", { className });
    const parts = { badge: part("badge"), since: part("feed-since"), reason: part("feed-reason") };
    for (const figure of ["topics", "stale", "accepted", "refused", "rate"]) parts[figure] = part("feed-figure");
    const open = make("button", { type: "button", className: "feed-open", data: { feed: name } }, name);
    const { topics, stale, accepted, refused, rate } = parts;
    this.element = row(
      [
        open,
        make("span", { className: "feed-state" }, parts.badge, " ", parts.since, " ", parts.reason),
        topics,
        stale,
        accepted,
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
    paintFigures(parts, feed);
    this.element.classList.toggle("alarmed", feed.isAllRefused || feed.state === "down");
  }
}
