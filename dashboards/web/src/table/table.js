// Every topic, live, in one table: a group per feed, a filter, an order, and keys to move and choose with.
import { Group } from "./group.js";
import { share } from "../data/kinds.js";
import { Row } from "./row.js";

const collator = new Intl.Collator("en", { numeric: true });
const byName = (a, b) => collator.compare(a.topic.name, b.topic.name);
const ORDERS = {
  topic: byName,
  kind: (a, b) => collator.compare(a.topic.kind, b.topic.kind),
  value: (a, b) => figure(a.topic.number) - figure(b.topic.number),
  change: (a, b) => share(a.topic) - share(b.topic),
  seq: (a, b) => a.topic.seq - b.topic.seq,
  age: (a, b) => b.topic.ts - a.topic.ts,
};
/** Orders that the next tick can upset are put right this often: rows that dance cannot be read. */
const REARRANGE_MS = 2_000;
/** New rows built per frame: a thousand topics appearing at once do not freeze the page. */
const NEW_ROWS_PER_FRAME = 200;
const PAGE_ROWS = 10;

const figure = (number) => (Number.isNaN(number) ? -Infinity : number);

export class Table {
  /** Called with a topic's name when its row is chosen. */
  onChoose = () => {};
  /** Called when rows came, went or were filtered: (left, all). */
  onCount = () => {};

  #table;
  #groups = new Map();
  #rows = new Map();
  #dirty = new Set();
  #visible = new Set();
  #new = new Set();
  #chosen = new Set();
  #terms = [];
  #order = { key: "topic", down: false };
  #arranged = 0;
  #upset = new Set();
  #current = null;
  #countNeeded = false;
  /** Feeds that have a heading also while they have no topic. */
  #feeds = new Set();
  #eye;

  constructor(table) {
    this.#table = table;
    this.#eye = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "240px 0px" });
    table.addEventListener("click", (event) => this.#clicked(event));
    table.addEventListener("keydown", (event) => this.#pressed(event));
    table.addEventListener("focusin", (event) => {
      const row = this.#rows.get(event.target.closest("tr[data-topic]")?.dataset.topic);
      if (row) this.#point(row);
    });
    for (const head of table.tHead.querySelectorAll("th[data-key]")) {
      head.querySelector("button").addEventListener("click", () => this.#sortBy(head.dataset.key));
    }
  }

  /** A topic has a new tick, or is new itself. */
  touch(topic, moved) {
    const row = this.#rows.get(topic.name);
    if (!row) {
      this.#new.add(topic);
      return;
    }
    row.dirty = true;
    row.moved ||= moved;
    if (row.visible) this.#dirty.add(row);
  }

  remove(name) {
    const row = this.#rows.get(name);
    for (const topic of this.#new) if (topic.name === name) this.#new.delete(topic);
    if (!row) return;
    const group = this.#groups.get(row.topic.feed);
    this.#eye.unobserve(row.element);
    row.element.remove();
    group.rows.delete(name);
    this.#rows.delete(name);
    this.#dirty.delete(row);
    this.#visible.delete(row);
    if (this.#current === row) this.#current = null;
    this.#countNeeded = true;
  }

  /** Topics went stale or had news. */
  recount() {
    this.#countNeeded = true;
  }

  filter(text) {
    this.#terms = text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.#rows.values()) row.hidden = !this.#passes(row);
    this.#countNeeded = true;
  }

  choose(names) {
    this.#chosen = new Set(names);
    for (const [name, row] of this.#rows) row.chosen = this.#chosen.has(name);
  }

  /** A feed's state, also of feeds that have no topic yet. */
  feed(notice) {
    this.#feeds.add(notice.feed);
    this.#group(notice.feed).say(notice);
    this.#countNeeded = true;
  }

  /** These feeds are configured, and those that are gone from the configuration lose their heading. */
  keepFeeds(names) {
    this.#feeds = new Set(names);
    this.#countNeeded = true;
  }

  /** All feeds at once: not known while the connection is gone; once it is back, those with topics are up until told otherwise. */
  feeds(state) {
    for (const group of this.#groups.values()) group.say({ state: group.rows.size > 0 ? state : "unknown" });
  }

  /** Called once per frame in which something moved. */
  paint(serverNow, now) {
    if (this.#new.size > 0) this.#build(serverNow, now);
    for (const row of this.#dirty) {
      row.paint(serverNow, now);
      this.#cite(row);
    }
    this.#dirty.clear();
    if (this.#upset.size > 0) {
      const compare = this.#compare();
      for (const group of this.#upset) group.arrange(compare);
      this.#upset.clear();
    }
    if (this.#countNeeded) this.#count();
    return this.#new.size > 0;
  }

  /** Called a few times a second: what changes by waiting alone. */
  paintAges(serverNow, now) {
    for (const row of this.#visible) row.paintAge(serverNow);
    const { key } = this.#order;
    const settled = key === "topic" || now - this.#arranged < REARRANGE_MS;
    if (settled || this.#table.contains(document.activeElement?.closest("tbody"))) return;
    this.#arranged = now;
    this.#arrangeAll();
  }

  #build(serverNow, now) {
    let budget = NEW_ROWS_PER_FRAME;
    for (const topic of this.#new) {
      if (budget-- === 0) break;
      this.#new.delete(topic);
      const row = new Row(topic);
      const group = this.#group(topic.feed);
      row.chosen = this.#chosen.has(topic.name);
      row.hidden = !this.#passes(row);
      row.paint(serverNow, now);
      group.rows.set(topic.name, row);
      this.#cite(row);
      group.element.append(row.element);
      this.#rows.set(topic.name, row);
      this.#upset.add(group);
      this.#eye.observe(row.element);
    }
    this.#countNeeded = true;
  }

  #cite(row) {
    if (row.cited === row.topic.credit) return;
    row.cited = row.topic.credit;
    this.#groups.get(row.topic.feed).cite();
  }

  #group(feed) {
    let group = this.#groups.get(feed);
    if (group) return group;
    group = new Group(feed);
    this.#groups.set(feed, group);
    const next = [...this.#groups.values()]
      .filter((other) => other !== group && collator.compare(other.feed, feed) > 0)
      .sort((a, b) => collator.compare(a.feed, b.feed))[0];
    this.#table.insertBefore(group.element, next?.element ?? null);
    return group;
  }

  #passes({ topic }) {
    return this.#matches(`${topic.name} ${topic.kind}`);
  }

  #matches(text) {
    const hay = text.toLowerCase();
    return this.#terms.every((term) => hay.includes(term));
  }

  #count() {
    this.#countNeeded = false;
    let left = 0;
    for (const [feed, group] of this.#groups) {
      left += group.count(this.#matches(feed));
      if (group.rows.size === 0 && !this.#feeds.has(feed)) {
        group.element.remove();
        this.#groups.delete(feed);
      }
    }
    if (!this.#current || this.#current.hidden) {
      const first = this.#table.querySelector("tbody:not([hidden], .folded) tr[data-topic]:not([hidden])");
      if (first) this.#point(this.#rows.get(first.dataset.topic));
    }
    this.onCount(left, this.#rows.size);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.#rows.get(target.dataset.topic);
      if (!row) continue;
      row.visible = isIntersecting;
      if (isIntersecting) {
        this.#visible.add(row);
        row.moved = false;
        if (row.dirty) this.#dirty.add(row);
      } else this.#visible.delete(row);
    }
  }

  #sortBy(key) {
    const down = this.#order.key === key && !this.#order.down;
    this.#order = { key, down };
    for (const head of this.#table.tHead.querySelectorAll("th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.#arrangeAll();
  }

  #compare() {
    const { key, down } = this.#order;
    const order = ORDERS[key];
    return (a, b) => (down ? order(b, a) : order(a, b)) || byName(a, b);
  }

  #arrangeAll() {
    const compare = this.#compare();
    for (const group of this.#groups.values()) group.arrange(compare);
  }

  /** The one row that the Tab key stops at. */
  #point(row) {
    if (this.#current === row) return;
    if (this.#current) this.#current.button.tabIndex = -1;
    this.#current = row;
    row.button.tabIndex = 0;
  }

  #clicked(event) {
    const element = event.target.closest("tr[data-topic]");
    if (!element || String(getSelection()) !== "") return;
    this.#point(this.#rows.get(element.dataset.topic));
    this.onChoose(element.dataset.topic);
  }

  #pressed(event) {
    if (!event.target.closest("tr[data-topic]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: PAGE_ROWS,
      PageUp: -PAGE_ROWS,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const shown = [
      ...this.#table.querySelectorAll("tbody:not([hidden], .folded) tr[data-topic]:not([hidden])"),
    ];
    const from = shown.indexOf(this.#current.element);
    const to = shown[Math.max(0, Math.min(shown.length - 1, from + step))];
    this.#rows.get(to?.dataset.topic)?.button.focus();
  }
}
