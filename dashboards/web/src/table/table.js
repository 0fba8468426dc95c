// Every topic, live, in one table: a group per feed, its kinds under their own heads, a search, an order, favourites.
import { csv } from "../data/csv.js";
import { Favourites } from "../data/favourites.js";
import { parse } from "../data/search.js";
import { Eye } from "./eye.js";
import { Group } from "./group.js";
import { listen, SHOWN } from "./keys.js";
import { Measure } from "./measure.js";
import { Row } from "./row.js";
import { SearchBox } from "./search_box.js";
import { Section } from "./section.js";
import { Settings } from "./settings.js";
import { applyRules } from "./sheet.js";
import { Tools } from "./tools.js";

const collator = new Intl.Collator("en", { numeric: true });
/** Orders that the next tick can upset are put right this often: rows that dance cannot be read. */
const REARRANGE_MS = 2_000;
const SETTLE_MS = 700;
/** New rows per frame, at least about as many as are seen at once, and more if time allows: the first ones are soon on the screen. */
const NEW_ROWS_PER_FRAME = 32;
const BUILD_MS = 12;
/** From so many rows on, one has its cells only once it comes into view. */
const EAGER_ROWS = 3_000;
/** Rows whose values are held against the search at once, four times a second: the others' turn comes next. */
const CHECKS_PER_BEAT = 2_500;
/** Beside a name: the star, the arrow that opens, and between them. */
const NAME_EXTRA_REM = 3.7;
const NAME_MAX_REM = 26;
/** What a feed's heading is found by: its name, as if it were a topic of it. */
const asTopic = (feed) => ({ name: feed, kind: "", feed, value: undefined, figures: [], staleSince: 0 });

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
  #text = "";
  #query = parse("");
  /** Rows that have moved since they were held against the search. */
  #unchecked = new Set();
  #arranged = 0;
  #settled = -Infinity;
  #current = null;
  /** Whether the reader has gone to the current row, so that it stays where it is when others come before it. */
  #isGoneTo = false;
  #countNeeded = false;
  /** Feeds that have a heading also while they have no topic. */
  #feeds = new Set();
  #eye;
  #measure;
  /** The topic whose name is the widest. */
  #widest = "";
  #settings;
  #tools;
  #box = null;

  /**
   * @param {HTMLTableElement} table
   * @param {{address?: object, favourites?: Favourites, tools?: HTMLElement, input?: HTMLInputElement}} options where the
   *   page's state is kept, and where the controls go: before the table unless told otherwise
   */
  constructor(table, { address = null, favourites = new Favourites(address), tools, input } = {}) {
    this.#table = table;
    this.favourites = favourites;
    table.deleteTHead();
    this.#measure = new Measure(table);
    this.#settings = new Settings(address);
    this.#settings.onChange = () => this.#resettle();
    this.#eye = new Eye((row, isVisible) => this.#seen(row, isVisible), (name) => this.#rows.get(name));
    new ResizeObserver(() => {
      if (!this.#measure.read()) return;
      this.#settings.nameWidth = this.#nameWidth(); // letters are as large as the screen is
      this.#refit();
    }).observe(table);
    table.addEventListener("click", (event) => this.#clicked(event));
    table.addEventListener("focusin", (event) => {
      const row = this.#rows.get(event.target.closest("tr[data-topic]")?.dataset.topic);
      if (row) this.#goTo(row);
    });
    listen(table, (element) => this.#rows.get(element?.dataset.topic)?.button);
    this.#tools = new Tools({ table, at: tools, settings: this.#settings, favourites, sections: () => this.#sections(), onExport: () => this.#export() });
    favourites.onChange = () => this.#mark();
    if (input) this.#box = new SearchBox(input, { address, onText: (text) => this.filter(text) });
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
    if (this.#query.isLive) this.#unchecked.add(row);
    if (!row.wasBusy && topic.text !== "" && topic.number !== 0) {
      row.wasBusy = true;
      this.#countNeeded = true;
    }
    if (row.section.kind !== topic.kind) this.#move(row);
    if (this.#groups.get(topic.feed).noteSimulated(row)) this.#countNeeded = true;
  }

  remove(name) {
    const row = this.#rows.get(name);
    for (const topic of this.#new) if (topic.name === name) this.#new.delete(topic);
    if (!row) return;
    this.#groups.get(row.topic.feed).drop(row);
    this.#rows.delete(name);
    for (const set of [this.#dirty, this.#visible, this.#unchecked]) set.delete(row);
    if (this.#current === row) this.#current = null;
    this.#countNeeded = true;
  }

  /** Topics went stale or had news. */
  recount() {
    this.#countNeeded = true;
  }

  /** Leaves the rows that a search asks for. While it has a mistake, the search before it holds. */
  filter(text) {
    this.#text = text;
    const query = parse(text);
    this.#box?.say(query.error, text);
    if (query.error !== "") return;
    this.#query = query;
    this.#checkAll();
    this.onWish();
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

  /** It is another day: times of the one before have their day. */
  redate() {
    for (const group of this.#groups.values()) group.say(group.state);
    for (const row of this.#rows.values()) {
      row.dirty = true;
      if (row.visible) this.#dirty.add(row);
    }
  }

  /** Called once per frame in which something moved. */
  paint(serverNow, now) {
    if (this.#new.size > 0) this.#build(serverNow, now);
    this.#paintDirty(serverNow, now);
    // While thousands of rows come, they are put in order now and then only.
    const isDue = this.#new.size === 0 || now - this.#settled > SETTLE_MS;
    if (isDue) this.#settled = now;
    for (const section of this.#sections()) {
      if (!section.settle(isDue)) continue;
      for (const row of section.rows.values()) {
        row.dirty = true;
        if (row.visible) this.#dirty.add(row);
      }
    }
    // Columns that are new have their texts in the same frame.
    this.#paintDirty(serverNow, now);
    applyRules();
    if (this.#countNeeded && isDue) this.#count();
    return this.#new.size > 0 || [...this.#sections()].some((section) => section.isNew);
  }

  #paintDirty(serverNow, now) {
    const rows = [...this.#dirty];
    this.#dirty.clear();
    for (const row of rows) {
      row.paint(serverNow, now);
      this.#cite(row);
    }
  }

  /** Called a few times a second: what changes by waiting alone. */
  paintAges(serverNow, now) {
    for (const row of this.#visible) {
      row.paintAge(serverNow);
      if (row.dirty) this.#dirty.add(row);
    }
    this.#check();
    // A row that is read with the keyboard stays where it is.
    if (now - this.#arranged < REARRANGE_MS || this.#table.querySelector("tr[data-topic] :focus-visible")) return;
    this.#arranged = now;
    for (const section of this.#sections()) if (!section.isSettled) section.isUpset = true;
  }

  *#sections() {
    for (const group of this.#groups.values()) yield* group.sections.values();
  }

  #build(serverNow, now) {
    const end = performance.now() + BUILD_MS;
    let widest = this.#measure.width(this.#widest);
    let built = 0;
    for (const topic of this.#new) {
      if ((built += 1) > NEW_ROWS_PER_FRAME && performance.now() > end) break;
      this.#new.delete(topic);
      const row = new Row(topic);
      const group = this.#group(topic.feed);
      row.chosen = this.#chosen.has(topic.name);
      row.favourite = this.favourites.has(topic.name);
      row.hidden = !this.#passes(row);
      this.#rows.set(topic.name, row);
      group.add(row).sort(this.#settings.order(topic.kind));
      group.noteSimulated(row);
      if (this.#rows.size <= EAGER_ROWS) row.paint(serverNow, now);
      this.#cite(row);
      const px = this.#measure.width(topic.name);
      if (px > widest) [widest, this.#widest] = [px, topic.name];
    }
    const width = this.#nameWidth();
    if (width > this.#settings.nameWidth) {
      this.#settings.nameWidth = width;
      this.#refit();
    }
    this.#countNeeded = true;
  }

  /** A topic whose kind is another now. */
  #move(row) {
    const group = this.#groups.get(row.topic.feed);
    group.drop(row);
    group.add(row).sort(this.#settings.order(row.topic.kind));
    row.dirty = true;
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
    const about = { feed, measure: this.#measure, settings: this.#settings, eye: this.#eye, onSort: (kind, key) => this.#settings.sort(kind, key), onFold: () => this.#count() };
    group = new Group(feed, (kind) => new Section({ ...about, kind }));
    this.#groups.set(feed, group);
    const next = [...this.#groups.values()]
      .filter((other) => other !== group && collator.compare(other.feed, feed) > 0)
      .sort((a, b) => collator.compare(a.feed, b.feed))[0];
    this.#table.insertBefore(group.element, next?.element ?? null);
    return group;
  }

  #passes({ topic }) {
    if (this.#settings.favouritesOnly && !this.favourites.has(topic.name)) return false;
    return this.#query.isEmpty || this.#query.test(topic, { isFavourite: (name) => this.favourites.has(name) });
  }

  #checkAll() {
    this.#unchecked.clear();
    for (const row of this.#rows.values()) row.hidden = !this.#passes(row);
    this.#countNeeded = true;
  }

  /** Holds rows that have moved against the search. */
  #check() {
    let budget = CHECKS_PER_BEAT;
    for (const row of this.#unchecked) {
      if (budget-- === 0) break;
      this.#unchecked.delete(row);
      const hidden = !this.#passes(row);
      if (hidden === row.hidden) continue;
      row.hidden = hidden;
      this.#countNeeded = true;
    }
  }

  #mark() {
    for (const [name, row] of this.#rows) {
      const yes = this.favourites.has(name);
      if (row.favourite !== yes) row.favourite = yes;
    }
    this.#resettle();
  }

  /** The reader's wishes have changed: columns, order, favourites. */
  #resettle() {
    for (const section of this.#sections()) section.sort(this.#settings.order(section.kind));
    this.#tools.paint();
    this.#checkAll();
    this.#refit();
  }

  /** In whole steps, as each new width lays out all rows anew. */
  #nameWidth() {
    const { rem } = this.#measure;
    return Math.min(Math.ceil((this.#measure.width(this.#widest) + NAME_EXTRA_REM * rem) / rem) * rem, NAME_MAX_REM * rem);
  }

  #refit() {
    for (const section of this.#sections()) section.refit();
    this.onWish();
  }

  /** Called when there is something to paint though no tick came. */
  onWish = () => {};

  #count() {
    this.#countNeeded = false;
    let left = 0;
    const { isEmpty } = this.#query;
    const hasPills = [...this.#groups.values()].some((group) => group.hasPills);
    if (hasPills !== this.#settings.hasPills) {
      this.#settings.hasPills = hasPills;
      this.#refit();
    }
    for (const [feed, group] of this.#groups) {
      left += group.count(!this.#settings.favouritesOnly && (isEmpty || this.#query.test(asTopic(feed))));
      if (group.rows.size === 0 && !this.#feeds.has(feed)) {
        group.element.remove();
        this.#groups.delete(feed);
      }
    }
    const { folded } = this.#groups.get(this.#current?.topic.feed) ?? {};
    if (!this.#isGoneTo || !this.#current || this.#current.hidden || this.#current.isIdle || folded) {
      this.#isGoneTo = false;
      const first = this.#table.querySelector(SHOWN);
      if (first) this.#point(this.#rows.get(first.dataset.topic));
    }
    this.#tools.count(left, this.#rows.size);
    this.onCount(left, this.#rows.size);
  }

  #seen(row, isVisible) {
    row.visible = isVisible;
    if (isVisible) {
      this.#visible.add(row);
      row.moved = false;
      if (row.dirty) this.#dirty.add(row);
    } else this.#visible.delete(row);
  }

  /** The one row that the Tab key stops at. */
  #point(row) {
    if (this.#current === row) return;
    if (this.#current) this.#current.button.tabIndex = -1;
    this.#current = row;
    row.button.tabIndex = 0;
  }

  #goTo(row) {
    this.#isGoneTo = true;
    this.#point(row);
  }

  #clicked(event) {
    const element = event.target.closest("tr[data-topic]");
    const row = this.#rows.get(element?.dataset.topic);
    if (!row || event.target.closest("td.tree") || String(getSelection()) !== "") return;
    this.#goTo(row);
    if (event.target === row.star) this.#star(row);
    else if (event.target === row.opener) {
      row.open(!row.isOpen, performance.now());
      row.section.count();
    }
    else this.onChoose(row.topic.name);
  }

  #star(row) {
    if (!this.favourites.toggle(row.topic.name)) this.#tools.say("There is room for 500 favourites. Take the star off another topic first.");
  }

  /** The topics that the search left, as the table orders them. */
  #export() {
    const topics = [...this.#table.querySelectorAll("tbody tr[data-topic]:not([hidden])")].map(({ dataset }) => this.#rows.get(dataset.topic).topic);
    return csv(topics);
  }
}
