// One feed's rows, kind by kind, under a heading that says how the feed is.
import * as format from "../data/format.js";
import { Section } from "./section.js";

/** What a feed's state is called, and the tone it is shown in. */
const TONES = { up: "good", degraded: "warn", stale: "warn", down: "bad", closed: "quiet", unknown: "quiet" };

/** Credits shown under one feed; more sources than that are one feed's only by mistake. */
const CREDITS_MAX = 5;
const collator = new Intl.Collator("en", { numeric: true });
/** What most people look for stands first. */
const FIRST = ["quote", "trade"];
const rank = (kind) => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);

export class Group {
  rows = new Map();
  /** @type {Map<string, Section>} */
  sections = new Map();
  /** @type {{state: string, since?: number, reason?: string, samples?: number, refused?: number}} */
  state = { state: "up" };

  #shown = "";
  #made;
  #simulated = 0;
  #pill = document.createElement("span");
  #samples = 0;
  #refused = 0;

  /** @param {(kind: string) => Section} make makes a kind's section */
  constructor(feed, make) {
    this.feed = feed;
    this.#made = make;
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
    this.#pill.className = "simulated";
    this.#pill.textContent = "simulated";
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

  /** A row joins its kind's. */
  add(row) {
    const { kind } = row.topic;
    let section = this.sections.get(kind);
    if (!section) {
      section = this.#made(kind);
      this.sections.set(kind, section);
      const compare = (a, b) => rank(a) - rank(b) || collator.compare(a, b);
      const next = [...this.sections.values()].filter((other) => compare(other.kind, kind) > 0).sort((a, b) => compare(a.kind, b.kind))[0];
      const place = next?.heads ?? this.credit;
      this.element.insertBefore(section.heads, place);
      this.element.insertBefore(section.more, place);
    }
    row.section = section;
    this.rows.set(row.topic.name, row);
    section.add(row);
    return section;
  }

  /** A row leaves, for another kind or for ever. */
  drop(row) {
    const { section } = row;
    this.rows.delete(row.topic.name);
    section.drop(row);
    if (row.simulated) this.#simulated -= 1;
    row.simulated = false;
    if (section.rows.size > 0) return;
    section.remove();
    this.sections.delete(section.kind);
  }

  say(notice) {
    this.state = notice;
    const { state, since, samples, refused } = notice;
    if (Number.isFinite(samples)) this.#samples = samples;
    if (Number.isFinite(refused)) this.#refused = refused;
    this.badge.textContent = since > 0 && state !== "up" ? `${state} since ${format.moment(since)}` : state;
    this.badge.dataset.tone = TONES[state] ?? "warn";
    this.#explain();
  }

  #explain() {
    const { state, reason } = this.state;
    const told = state !== "up" ? (reason ?? "") : "";
    // The counts are as old as the list of feeds; a row is newer.
    const isRefused = this.#refused > 0 && this.#samples === 0 && this.rows.size === 0;
    const counted = isRefused ? `all ${format.count(this.#refused)} samples refused` : "";
    const nothing = this.rows.size === 0 && counted === "" && state === "up" ? "no value yet" : "";
    const text = told || counted || nothing;
    if (this.reason.textContent !== text) this.reason.textContent = this.reason.title = text;
  }

  /** Shows what the sources of its rows ask to show beside their values. */
  cite() {
    const credits = new Set();
    for (const { topic } of this.rows.values()) if (topic.credit !== "") credits.add(topic.credit);
    this.credit.firstChild.textContent = [...credits].slice(0, CREDITS_MAX).join(" · ");
    this.credit.hidden = credits.size === 0;
  }

  /** A row's topic is simulated now, or no longer; true if the heading has to be counted again. */
  noteSimulated(row) {
    if (row.simulated === row.topic.simulated) return false;
    row.simulated = row.topic.simulated;
    this.#simulated += row.simulated ? 1 : -1;
    return true;
  }

  /** Counts the rows that the search left, and how many are stale. A feed without rows shows if its name passes. */
  count(isNamed) {
    let left = 0;
    let stale = 0;
    for (const section of this.sections.values()) left += section.count();
    for (const { hidden, topic } of this.rows.values()) if (!hidden && topic.staleSince) stale += 1;
    const all = `${format.count(left)} ${left === 1 ? "topic" : "topics"}`;
    const text = stale > 0 ? `${all}, ${format.count(stale)} stale` : all;
    if (text !== this.#shown) this.size.textContent = this.#shown = text;
    this.element.hidden = left === 0 && !(isNamed && this.rows.size === 0);
    this.#paintSimulated();
    this.#explain();
    return left;
  }

  /** Whether some of its topics are simulated and some are not. */
  get hasPills() {
    return this.#simulated > 0 && this.#simulated < this.rows.size;
  }

  /** Said once where it holds for all of them. */
  #paintSimulated() {
    const isAll = this.#simulated > 0 && this.#simulated === this.rows.size;
    if (isAll && !this.#pill.isConnected) this.toggle.after(this.#pill);
    if (!isAll) this.#pill.remove();
    for (const row of this.rows.values()) row.showsSimulated = row.simulated && !isAll;
  }
}
