// One feed's own page: how it is and was, what is refused, what to do next, its topics, and what its values are.
import * as format from "../data/format.js";
import { Book } from "./book.js";
import { paintBadge, paintFigures } from "./cells.js";
import { kindsOf } from "./kinds.js";
import { make, row, say, sentence, table } from "./make.js";
import { FeedTopics } from "./topics.js";
import * as words from "./words.js";

const AGE_MS = 1_000;
const FIGURES = { accepted: "Accepted", refused: "Refused", rate: "Rate", topics: "Topics", stale: "Stale topics" };

/** What the server answers at a path, without a token; null where it has nothing there. */
async function ask(path) {
  const answer = await fetch(new URL(path, location.href), { cache: "no-cache" });
  return answer.ok ? answer.json() : null;
}

export class FeedPage {
  /** Called when the reader goes back to all feeds. */
  onClose = () => {};

  #book = new Book();
  #name = null;
  #ask;
  #asked = 0;
  #element;
  #topics;
  #parts = {};
  #figures = {};
  #painted = { version: -1, at: -Infinity, credits: "" };

  /**
   * @param options `topics`: what the page knows of topics; `onChart`: called with the name of a topic to draw; `ask`: gets
   * the JSON at a path of the server, or null.
   */
  constructor(element, { topics, onChart = () => {}, ask: asks = ask }) {
    this.#element = element;
    this.#ask = asks;
    element.classList.add("feed-page");
    const back = make("button", { type: "button", className: "feed-back" }, "← All feeds");
    back.addEventListener("click", () => this.onClose());
    const parts = this.#parts;
    parts.name = make("h2", { tabIndex: -1 });
    parts.badge = make("span", { className: "badge" });
    parts.since = make("span", { className: "feed-since" });
    parts.reason = make("p", { className: "feed-reason" });
    parts.next = make("span");
    parts.absent = make("p", { className: "sentence", hidden: true });
    parts.whole = make("div", { className: "feed-parts" });
    parts.alarm = make("p", { className: "feed-alarm", hidden: true });
    const figures = make("dl", { className: "feed-figures" });
    for (const [name, title] of Object.entries(FIGURES)) {
      this.#figures[name] = make("dd");
      figures.append(make("div", {}, make("dt", {}, title), this.#figures[name]));
    }
    const head = make("header", { className: "feed-head" }, back, parts.name, parts.badge, parts.since);
    element.append(head, parts.absent, parts.whole);
    parts.credit = make("p", { className: "credit", hidden: true });
    parts.whole.append(
      parts.alarm,
      parts.reason,
      make("p", { className: "feed-todo" }, make("strong", {}, "What to do: "), parts.next),
      figures,
    );
    parts.refusals = this.#section("Refused samples, by reason");
    parts.changes = this.#section("How it was");
    parts.topics = this.#section("Topics");
    parts.topics.append(make("p", { className: "small" }, "Choose a topic to draw its chart."));
    this.#topics = new FeedTopics(parts.topics, topics, onChart);
    parts.topics.append(parts.credit);
    parts.kinds = this.#section("What its values are");
    this.show(null);
  }

  #section(title) {
    const list = make("div");
    this.#parts.whole.append(make("section", {}, make("h3", {}, title), list));
    return list;
  }

  /** Shows the feed of that name, or nothing. */
  show(name) {
    if (name !== null && name === this.#name) return;
    this.#name = name;
    this.#element.hidden = name === null;
    this.#painted = { version: -1, at: -Infinity, credits: "" };
    if (name === null) return;
    say(this.#parts.name, name);
    this.#topics.show(name);
    this.#parts.kinds.replaceChildren(make("p", { className: "small" }, "Asking the server."));
    this.#read(name);
  }

  /** Moves the focus to the name of the feed, after a reader has chosen it. */
  focus() {
    this.#parts.name.focus();
  }

  /** Takes the feeds of `GET /v1/feeds`. */
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

  paint(serverNow, now) {
    if (this.#name === null) return;
    const feed = this.#book.get(this.#name);
    const isNew = this.#painted.version !== this.#book.version;
    if (isNew || now - this.#painted.at >= AGE_MS) {
      Object.assign(this.#painted, { version: this.#book.version, at: now });
      this.#paintState(feed, serverNow);
      if (isNew && feed) this.#paintLists(feed, serverNow);
    }
    if (!feed) return;
    this.#topics.paint(serverNow, now);
    const credits = this.#topics.credits.join(" · ");
    if (this.#painted.credits === credits) return;
    this.#painted.credits = credits;
    say(this.#parts.credit, credits);
    this.#parts.credit.hidden = credits === "";
  }

  #paintState(feed, serverNow) {
    const { badge, since, reason, next, alarm, absent, whole } = this.#parts;
    absent.hidden = whole.hidden = false;
    absent.hidden = feed !== undefined;
    whole.hidden = badge.hidden = feed === undefined;
    if (!feed) {
      say(since, "");
      const names = this.#book.all.map(({ name }) => name).join(", ") || "none";
      say(
        absent,
        this.#book.isListed
          ? `There is no feed “${this.#name}”. The feeds of this server are: ${names}.`
          : "Asking the server for its feeds.",
      );
      return;
    }
    paintBadge(badge, feed.state, words.lookOf(feed));
    say(since, words.since(feed.since, serverNow));
    say(reason, feed.reason);
    reason.hidden = feed.reason === "";
    alarm.hidden = !feed.isAllRefused;
    if (feed.isAllRefused) say(alarm, `✕ ${sentenceCase(words.refused(feed))}.`);
    const todo = words.next(feed);
    if (next.dataset.text !== todo) {
      next.dataset.text = todo;
      next.replaceChildren(...sentence(todo));
    }
    paintFigures(this.#figures, feed);
  }

  #paintLists(feed, serverNow) {
    const { refusals, changes } = this.#parts;
    refusals.parentElement.hidden = feed.refusals.length === 0;
    const codes = table("feed-rows", "Refused samples, by reason", ["Code", "How many", "What it means"]);
    for (const [code, n] of feed.refusals)
      codes.body.append(row([make("code", {}, code), format.count(n), words.codeWords(code)]));
    refusals.replaceChildren(codes.element);
    changes.parentElement.hidden = feed.changes.length === 0;
    const past = table("feed-rows", "Changes of its state, newest first", ["Since", "State", "Reason"]);
    for (const { state, since, reason } of feed.changes) {
      const badge = make("span", { className: "badge" });
      paintBadge(badge, state);
      past.body.append(row([format.moment(since, serverNow), badge, reason]));
    }
    changes.replaceChildren(past.element);
  }

  /** Reads what the feed's values are. Without that the page shows what it has. */
  async #read(name) {
    const asked = (this.#asked += 1);
    const document = await this.#ask("v1/asyncapi.json").catch(() => null);
    if (asked !== this.#asked) return;
    const found = kindsOf(document, name);
    if (found.length === 0) {
      const why = document === null ? "The server does not say." : "The feed has not said what its values look like.";
      this.#parts.kinds.replaceChildren(make("p", { className: "small" }, why));
      return;
    }
    this.#parts.kinds.replaceChildren(...found.map(kind));
  }
}

function kind({ kind, className, about, fields }) {
  const title = make("h4", {}, make("code", {}, kind), className && ` of class ${className}`);
  const list = table("feed-rows", `Fields of ${kind}`, ["Field", "Unit or type", "Meaning"]);
  for (const { path, unit, type, about, isMain } of fields) {
    const meaning = [isMain ? "The main figure." : "", about].filter(Boolean).join(" ");
    list.body.append(row([make("code", {}, path), unit || type, make("span", {}, ...sentence(meaning))]));
  }
  return make(
    "div",
    { className: "feed-kind" },
    title,
    make("p", { className: "small" }, ...sentence(about)),
    list.element,
  );
}

const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);
