// The rows of one kind of a feed: their columns, as the kind's fields and the room allow, their heads and their order.
import { UNMARKED } from "../data/contract.js";
import { layoutOf } from "../data/columns.js";
import { numeric } from "../data/fields.js";
import * as format from "../data/format.js";
import { BLOCK_ROWS, Block } from "./block.js";
import { CHARS_MAX, fit } from "./fit.js";
import { dropRule, setRule } from "./sheet.js";

/** Fields that are told apart in one kind; a kind with more has them in its trees. */
const PATHS_MAX = 64;
/** A badge that says since when a topic is stale has room. */
const STALE_CHARS = 22;
/** A word beside a name: "simulated". */
const PILL_REM = 5;
/** Devices that every kernel has, and nobody uses: as long as they do nothing they are folded away. */
const DEVICE = /^(ifb|zram|loop|ram|dummy|sit|tunl|ip6tnl|gre|gretap|erspan|ip_vti|ip6_vti|ip6gre|teql|nlmon)\d+$/;
const QUIET_MIN = 2;
/** The columns that all kinds have, around their own. */
const TOPIC = { key: "topic", head: "Topic", rank: -1, chars: 8, sort: null };
const LAST = [
  { key: "details", head: "More", title: "further fields", rank: 0, chars: 1, isRest: true },
  { key: "kind", head: "Event", rank: 7.5, chars: 6, isText: true, sort: ({ kind }) => kind },
  { key: "seq", head: "Seq", title: "counts the topic's values", rank: 7, chars: 7, sort: ({ seq }) => seq },
  { key: "age", head: "Age", title: "since the server had it", rank: 2.2, chars: 6, sort: ({ ts }) => -ts },
];
const collator = new Intl.Collator("en", { numeric: true });
export const byName = (a, b) => collator.compare(a.topic.name, b.topic.name);
let made = 0;

export class Section {
  rows = new Map();
  /** Rows were added or removed, or are to be put in order. */
  isUpset = false;
  /** The columns have changed: all rows are to be painted. */
  isNew = true;
  layout;
  /** The fields' column that the head of the value names. */
  main = undefined;

  #id = `s${(made += 1)}`;
  #marks = UNMARKED;
  #paths = new Map();
  #seen = new Map();
  #currencies = new Set();
  #shown = new Set();
  #hasSourceTime = false;
  #isStale = false;
  #isText = false;
  #hasMore = false;
  #needsFit = true;
  #showsIdle = false;
  #order = { key: "topic", down: false };
  #eye;
  #blocks = [];

  /** @param {{feed: string, kind: string, measure: object, settings: object, eye: object, onSort: function, onFold: function}} about */
  constructor({ feed, kind, measure, settings, eye, onSort, onFold }) {
    this.kind = kind;
    this.#eye = eye;
    this.measure = measure;
    this.settings = settings;
    this.heads = document.createElement("tr");
    this.heads.className = "heads";
    this.heads.setAttribute("role", "row");
    this.heads.dataset.kind = kind;
    this.heads.dataset.layout = this.#id;
    this.heads.addEventListener("click", ({ target }) => {
      const key = target.closest("th[data-key]")?.dataset.key;
      if (key && target.closest("button")) onSort(kind, key);
    });
    this.more = document.createElement("tr");
    this.more.className = "more";
    this.more.setAttribute("role", "row");
    this.more.hidden = true;
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    this.unfold = document.createElement("button");
    this.unfold.type = "button";
    this.unfold.addEventListener("click", () => {
      this.#showsIdle = !this.#showsIdle;
      onFold();
    });
    cell.append(this.unfold);
    this.more.append(cell);
    this.more.dataset.of = `${feed} ${kind}`;
    this.#remake();
  }

  /** A row comes, at the end until all are put in order. */
  add(row) {
    this.rows.set(row.topic.name, row);
    this.isUpset = true;
    const last = this.#blocks.at(-1);
    const block = last && last.rows.length < BLOCK_ROWS ? last : this.#grow();
    block.rows.push(row);
    block.element.append(row.element);
    this.#eye.watch(row, block);
  }

  drop(row) {
    this.rows.delete(row.topic.name);
    this.#eye.leave(row);
    row.element.remove();
    const block = this.#blocks.find(({ rows }) => rows.includes(row));
    block?.rows.splice(block.rows.indexOf(row), 1);
    this.isUpset = true;
  }

  #grow() {
    const block = new Block();
    this.#blocks.push(block);
    this.more.before(block.element);
    this.#eye.add(block);
    return block;
  }

  #shrink() {
    const block = this.#blocks.pop();
    this.#eye.drop(block);
    block.element.remove();
  }

  get columns() {
    return this.layout.columns;
  }

  /** What has no room, as its heads call it. */
  cramped = [];

  get all() {
    return [TOPIC, ...this.layout.columns, ...LAST];
  }

  shows(key) {
    return this.#shown.has(key);
  }

  /** Learns from a value which fields the kind has. */
  learn(topic, leaves) {
    let isNews = topic.marks !== this.#marks;
    this.#marks = topic.marks;
    if (this.main === undefined || (isNews && topic.figures.length > 0)) {
      const main = topic.figures[0] ?? (leaves.length === 1 && leaves[0][0] === "" ? "" : undefined);
      isNews ||= main !== this.main;
      this.main = main;
      this.#isText = topic.figures.length === 0;
    }
    for (const [path, leaf] of leaves) {
      if (this.#paths.has(path) || path === "" || this.#paths.size >= PATHS_MAX) continue;
      this.#paths.set(path, topic.figures.includes(path) || (Number.isFinite(numeric(leaf)) && topic.marks.role(path) === "gauge"));
      isNews = true;
    }
    if (topic.sourceTs > 0 && !this.#hasSourceTime) isNews = this.#hasSourceTime = true;
    if (isNews) this.#remake();
  }

  /** A text that a cell shows: the column is as wide as its longest one. */
  note({ key, most = CHARS_MAX }, text) {
    const seen = this.#seen.get(key) ?? 0;
    if (text.length > seen && seen < most) {
      this.#seen.set(key, text.length);
      this.#needsFit = true;
    }
    if (key === "currency" && text !== "" && this.#currencies.size < 2 && !this.#currencies.has(text)) {
      this.#currencies.add(text);
      this.#needsFit = true;
    }
  }

  /** A row has fields that have no column. */
  noteMore() {
    if (this.#hasMore) return;
    this.#hasMore = true;
    this.heads.querySelector(".details").classList.remove("blank");
  }

  noteStale(text) {
    if (text === "" || this.#isStale) return;
    this.#isStale = true;
    this.#needsFit = true;
  }

  /** The room has changed, or what the reader wants to see. */
  refit() {
    this.#needsFit = true;
  }

  sort(order) {
    this.isUpset = true;
    if (order.key === this.#order.key && order.down === this.#order.down) return;
    this.#order = order;
    this.#tellOrder();
  }

  get isSettled() {
    return this.#order.key === "topic";
  }

  /** Brings columns, heads and, where it is due, order up to date; true if rows must be painted anew. */
  settle(isDue = true) {
    if (this.#needsFit) this.#fit();
    if (this.isUpset && isDue) this.#arrange();
    const isNew = this.isNew;
    this.isNew = false;
    return isNew;
  }

  /** Counts the rows that the search left, and folds away devices that do nothing. */
  count() {
    let left = 0;
    const idle = [];
    for (const row of this.rows.values()) {
      const { topic } = row;
      row.wasBusy ||= topic.text !== "" && topic.number !== 0;
      const isIdle = !row.wasBusy && topic.text !== "" && !row.favourite && DEVICE.test(topic.name.slice(topic.name.lastIndexOf(".") + 1));
      if (isIdle && !row.hidden) idle.push(row);
      else row.idle = false;
      if (!row.hidden) left += 1;
    }
    const isFolded = idle.length >= QUIET_MIN && !this.#showsIdle && idle.length < left;
    for (const row of idle) row.idle = isFolded && !row.isOpen;
    for (const block of this.#blocks) block.count();
    const names = idle.map(({ topic }) => topic.name.slice(topic.name.lastIndexOf(".") + 1)).sort(collator.compare);
    this.more.hidden = idle.length < QUIET_MIN || idle.length === left;
    this.heads.hidden = left === 0;
    const text = isFolded ? `Show ${names.length} quiet devices: ${names.slice(0, 8).join(", ")}${names.length > 8 ? " …" : ""}` : `Fold ${names.length} quiet devices`;
    if (this.unfold.textContent !== text) this.unfold.textContent = text;
    this.unfold.setAttribute("aria-expanded", String(!isFolded));
    return left;
  }

  remove() {
    dropRule(this.#id);
    while (this.#blocks.length > 0) this.#shrink();
    this.heads.remove();
    this.more.remove();
  }

  #remake() {
    const { name, columns } = layoutOf(this.kind, this.#marks, this.#paths, { main: this.main, isText: this.#isText, hasSourceTime: this.#hasSourceTime });
    columns.forEach((column, i) => (column.index = i));
    this.layout = {
      id: this.#id,
      name,
      columns,
      placed: new Set([...columns.map(({ path }) => path), ...(columns.some(({ key }) => key === "wind") ? ["wind_deg"] : [])]),
      hasBar: columns.some(({ isBar }) => isBar),
    };
    this.heads.dataset.columns = name;
    this.isNew = true;
    this.#needsFit = true;
    const heads = this.all.map((column) => {
      const head = document.createElement("th");
      head.scope = "col";
      head.setAttribute("role", "columnheader");
      head.className = ["topic", "value", "change", "details", "kind", "seq", "age"].includes(column.key) ? column.key : "";
      if (column.index !== undefined) head.classList.add(`c-${column.index}`);
      if (column.isText) head.classList.add("words");
      head.dataset.key = column.key;
      const words = column.key === "topic" ? this.kind || "topics" : column.key === "details" && !this.#hasMore ? "" : column.head;
      if (column.sort === undefined) {
        head.textContent = words || column.head;
        head.classList.toggle("blank", words === "");
      } else {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = words;
        button.tabIndex = column.key === "topic" ? 0 : -1;
        head.append(button);
      }
      head.title = column.key === "topic" ? `Topics of the kind ${this.kind}` : (column.title ?? "");
      return head;
    });
    this.heads.replaceChildren(...heads);
    this.#tellOrder();
  }

  #fit() {
    this.#needsFit = false;
    const { measure, settings } = this;
    const off = new Set(settings.off);
    if (this.#currencies.size < 2) off.add("currency");
    const columns = this.all.map((column) => {
      const seen = this.#seen.get(column.key) ?? 0;
      if (column === TOPIC) return { ...column, px: Math.min(settings.nameWidth + (settings.hasPills ? PILL_REM * measure.rem : 0), measure.room * 0.4) };
      if (column.key === "details" && this.#isStale) return { ...column, px: STALE_CHARS * measure.ch };
      return { ...column, seen };
    });
    const { tracks, shown, cramped } = fit(columns, { room: measure.room, ch: measure.ch, rem: measure.rem, off });
    if ([...shown].some((key) => !this.#shown.has(key))) this.isNew = true;
    this.#shown = shown;
    this.cramped = cramped;
    const gone = this.all
      .filter(({ key }) => !shown.has(key))
      .map(({ key, index }) => `#topics tr[data-layout="${this.#id}"] > .${index === undefined ? key : `c-${index}`}`);
    const hide = gone.length > 0 ? `${gone.join(", ")} { display: none; }` : "";
    setRule(this.#id, `#topics tr[data-layout="${this.#id}"] { grid-template-columns: ${tracks}; }\n${hide}`);
    const currency = this.#currencies.size === 1 ? [...this.#currencies][0].slice(0, 8) : "";
    const price = this.heads.querySelector('th[data-key="value"] button');
    if (price) price.textContent = `${this.layout.columns[0].head} ${currency}`.trim();
  }

  #tellOrder() {
    for (const head of this.heads.children) {
      if (head.dataset.key === this.#order.key) head.ariaSort = this.#order.down ? "descending" : "ascending";
      else head.removeAttribute("aria-sort");
    }
  }

  /** Puts the rows in order; touches the document only from the first one out of place on. */
  #arrange() {
    this.isUpset = false;
    const { key, down } = this.#order;
    const sort = this.all.find((column) => column.key === key)?.sort;
    const keys = new Map();
    if (sort) for (const row of this.rows.values()) keys.set(row, sort(row.topic));
    const order = (a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      return typeof x === "number" && typeof y === "number" ? (x === y ? 0 : x - y) : collator.compare(x, y);
    };
    const compare = (a, b) => {
      if (this.settings.favouritesFirst && a.favourite !== b.favourite) return a.favourite ? -1 : 1;
      const by = sort ? order(a, b) : byName(a, b);
      return (down ? -by : by) || byName(a, b);
    };
    const wanted = [...this.rows.values()].sort(compare);
    const focused = document.activeElement;
    const size = Math.ceil(wanted.length / BLOCK_ROWS);
    while (this.#blocks.length < size) this.#grow();
    for (const [i, block] of this.#blocks.entries()) this.#fill(block, wanted.slice(i * BLOCK_ROWS, (i + 1) * BLOCK_ROWS));
    while (this.#blocks.length > size) this.#shrink();
    // A row that is moved loses the focus.
    if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  }
  /** Gives a block its rows; those that stand where they should are not touched. */
  #fill(block, wanted) {
    const before = new Set(block.rows);
    block.rows = wanted;
    let place = block.element.firstElementChild;
    for (const row of wanted) {
      if (row.element === place) place = place.nextElementSibling;
      else block.element.insertBefore(row.element, place);
      if (!before.has(row)) this.#eye.watch(row, block);
    }
    block.count();
  }
}
