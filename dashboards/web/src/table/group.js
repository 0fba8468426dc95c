// One feed's rows, under a heading that says how the feed is.
import * as format from "../data/format.js";

/** What a feed's state is called, and the tone it is shown in. */
const TONES = { up: "good", degraded: "warn", stale: "warn", down: "bad", closed: "quiet", unknown: "quiet" };

/** Credits shown under one feed; more sources than that are one feed's only by mistake. */
const CREDITS_MAX = 5;

export class Group {
  rows = new Map();
  /** @type {{state: string, since?: number, reason?: string}} */
  state = { state: "up" };

  #shown = "";

  constructor(feed) {
    this.feed = feed;
    this.element = document.createElement("tbody");
    this.element.setAttribute("role", "rowgroup");
    this.element.dataset.feed = feed;

    const heading = document.createElement("tr");
    heading.className = "feed";
    heading.setAttribute("role", "row");
    const cell = document.createElement("th");
    cell.scope = "rowgroup";
    cell.colSpan = 7;
    cell.setAttribute("role", "rowheader");
    this.toggle = document.createElement("button");
    this.toggle.type = "button";
    this.toggle.textContent = feed;
    this.toggle.setAttribute("aria-expanded", "true");
    this.toggle.addEventListener("click", () => this.fold(!this.folded));
    this.badge = document.createElement("span");
    this.badge.className = "badge";
    this.reason = document.createElement("span");
    this.reason.className = "reason";
    this.size = document.createElement("span");
    this.size.className = "size";
    cell.append(this.toggle, this.badge, this.reason, this.size);
    heading.append(cell);
    this.credit = document.createElement("tr");
    this.credit.className = "credit";
    this.credit.setAttribute("role", "row");
    this.credit.hidden = true;
    const credits = document.createElement("td");
    credits.colSpan = 7;
    credits.setAttribute("role", "cell");
    this.credit.append(credits);
    this.element.append(heading, this.credit);
    this.say(this.state);
  }

  get folded() {
    return this.element.classList.contains("folded");
  }

  fold(yes) {
    this.element.classList.toggle("folded", yes);
    this.toggle.setAttribute("aria-expanded", String(!yes));
  }

  say(notice) {
    this.state = notice;
    const { state, since, reason } = notice;
    this.badge.textContent = since > 0 && state !== "up" ? `${state} since ${format.time(since)}` : state;
    this.badge.dataset.tone = TONES[state] ?? "warn";
    this.#explain();
  }

  #explain() {
    const { state, reason } = this.state;
    const text = state !== "up" ? (reason ?? "") : this.rows.size === 0 ? "no value yet" : "";
    if (this.reason.textContent !== text) this.reason.textContent = this.reason.title = text;
  }

  /** Shows what the sources of its rows ask to show beside their values. */
  cite() {
    const credits = new Set();
    for (const { topic } of this.rows.values()) if (topic.credit !== "") credits.add(topic.credit);
    this.credit.firstChild.textContent = [...credits].slice(0, CREDITS_MAX).join(" · ");
    this.credit.hidden = credits.size === 0;
  }

  /** Counts the rows that the filter left, and how many are stale. A feed without rows shows if its name passes the filter. */
  count(isNamed) {
    let left = 0;
    let stale = 0;
    for (const { hidden, topic } of this.rows.values()) {
      if (hidden) continue;
      left += 1;
      if (topic.staleSince) stale += 1;
    }
    const all = `${format.count(left)} ${left === 1 ? "topic" : "topics"}`;
    const text = stale > 0 ? `${all}, ${format.count(stale)} stale` : all;
    if (text !== this.#shown) this.size.textContent = this.#shown = text;
    this.element.hidden = left === 0 && !(isNamed && this.rows.size === 0);
    this.#explain();
    return left;
  }

  /** Puts the rows in order, above the credit; touches the document only from the first one out of place on. */
  arrange(compare) {
    const wanted = [...this.rows.values()].sort(compare);
    let place = this.element.firstElementChild.nextElementSibling;
    for (const { element } of wanted) {
      if (element === place) place = place.nextElementSibling;
      else this.element.insertBefore(element, place);
    }
  }
}
