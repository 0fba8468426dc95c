// One topic's row: builds its cells, and changes only the text that differs.
import { at, exact, leaves } from "../data/fields.js";
import * as format from "../data/format.js";
import * as kinds from "../data/kinds.js";
import { Tree } from "./tree.js";

/** A row that moves faster than this is moving, and need not flash each time. */
const FLASH_GAP_MS = 900;
const FLASH_MS = 700;
/** A light fades in so many steps: it is faint, and each step costs a drawing of all that is lit. */
const FLASH_STEPS = 7;
/** An open tree is written anew this often at most: one that dances cannot be read. */
const TREE_MS = 500;
/** Further fields shown beside the columns. */
const DETAILS_MAX = 12;
const TEXT_MAX = 300;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Row {
  /** On screen, or nearly; the others are painted when they come into view. */
  visible = false;
  /** Something has changed since the row was painted. */
  dirty = true;
  /** The credit that its group shows for it. */
  cited = "";
  /** The change calls for a flash. */
  moved = false;
  /** Its figure was not zero, once. */
  wasBusy = false;
  /** What its group has counted it as. */
  simulated = false;
  /** Folded away. */
  isIdle = false;
  /** @type {import("./section.js").Section} */
  section = null;

  #isHidden = false;
  #cells = {};
  #shown = {};
  #layout = null;
  #flashed = 0;
  #flash = null;
  #tree = null;
  #treed = 0;

  constructor(topic) {
    this.topic = topic;
    this.element = document.createElement("tr");
    this.element.setAttribute("role", "row");
    this.element.dataset.topic = topic.name;

    this.head = document.createElement("th");
    this.head.scope = "row";
    this.head.className = "topic";
    this.head.setAttribute("role", "rowheader");
    this.star = button("star", `Favourite ${topic.name}`);
    this.star.setAttribute("aria-pressed", "false");
    this.button = button("name", "");
    this.button.textContent = this.button.title = topic.name;
    this.button.setAttribute("aria-pressed", "false");
    this.opener = button("open", `All fields of ${topic.name}`);
    this.opener.setAttribute("aria-expanded", "false");
    this.pill = document.createElement("span");
    this.pill.className = "simulated";
    this.pill.textContent = "simulated";
    this.pill.hidden = true;
    this.head.append(this.star, this.button, this.pill, this.opener);
    this.element.append(this.head);
    this.stale = document.createElement("span");
    this.stale.className = "badge";
    this.stale.hidden = true;
  }

  set chosen(yes) {
    this.button.setAttribute("aria-pressed", String(yes));
    this.element.classList.toggle("chosen", yes);
  }

  set favourite(yes) {
    this.star.setAttribute("aria-pressed", String(yes));
    this.element.classList.toggle("favourite", yes);
  }

  get favourite() {
    return this.element.classList.contains("favourite");
  }

  set hidden(yes) {
    if (yes !== this.#isHidden) this.element.hidden = this.#isHidden = yes;
  }

  get hidden() {
    return this.#isHidden;
  }

  /** Folded away with its kind's quiet devices. */
  set idle(yes) {
    if (yes === this.isIdle) return;
    this.isIdle = yes;
    this.element.classList.toggle("idle", yes);
  }

  get isOpen() {
    return this.#tree !== null;
  }

  /** Whether all of its topic's rows say so, or this one for itself. */
  set showsSimulated(yes) {
    if (this.pill.hidden === yes) this.pill.hidden = !yes;
  }

  /** Opens all of its value below the row, or closes it. */
  open(yes, now) {
    if (yes === this.isOpen) return;
    this.opener.setAttribute("aria-expanded", String(yes));
    this.element.classList.toggle("opened", yes);
    if (yes) {
      this.#tree = new Tree(this.topic.name);
      this.element.append(this.#tree.element);
      this.#treed = 0;
      this.#paintTree(now);
    } else {
      this.#tree.element.remove();
      this.#tree = null;
    }
  }

  paint(serverNow, now) {
    this.dirty = false;
    const { topic, section } = this;
    this.paintAge(serverNow);
    if (topic.text === "") {
      this.#lay();
      this.#set("value", "–");
      this.#paintLast();
      return;
    }
    const value = exact(topic.text).data.value;
    const all = leaves(value);
    section.learn(topic, all);
    this.#lay();
    this.#paintLast();
    const path = topic.figures[0] ?? (all.length === 1 ? all[0][0] : undefined);
    const main = path === undefined ? undefined : at(value, path);
    const change = kinds.change(topic, value);
    for (const column of section.columns) {
      const { key } = column;
      if (!section.shows(key) && !column.isSecond && key !== "value" && key !== "currency") continue;
      const text = key === "value" ? this.#figure(path, main, all) : (key === "change" ? change.amount : key === "change_pct" ? change.percent : column.text(topic, value)) ?? "";
      this.#set(key, text);
      section.note(column, text);
    }
    if (this.#cells.change) this.#paintChange(change);
    this.#bar(main);
    this.#setDetails(all, path);
    if (this.#shown.direction !== change.direction) this.element.dataset.trend = this.#shown.direction = change.direction;
    const kind = Number.isNaN(topic.number) ? "text" : "figure";
    if (this.#shown.main !== kind) this.element.dataset.main = this.#shown.main = kind;
    if (this.moved) this.#light(kinds.step(topic.kind, path ?? "", main, topic.delta, topic.marks).direction, now);
    this.moved = false;
    if (this.#tree) this.#paintTree(now);
  }

  paintAge(serverNow) {
    if (this.#cells.age) this.#set("age", this.topic.ts ? format.age(serverNow - this.topic.ts) : "–");
  }

  /** Brings the cells in line with the columns of its kind. */
  #lay() {
    const { layout } = this.section;
    if (this.#layout === layout) return;
    this.#layout = layout;
    this.#cells = {};
    this.#shown = {};
    this.element.dataset.layout = layout.id;
    let seconds = 0;
    const cells = layout.columns.map((column) => {
      const cell = document.createElement("td");
      cell.className = `${column.key === "value" || column.key === "change" ? column.key : ""} c-${column.index}`;
      if (column.isText) cell.classList.add("words");
      if (column.isSecond && seconds < 2) {
        seconds += 1;
        cell.classList.add(`second-${seconds}`);
        if (layout.name === "figures") cell.dataset.label = column.head;
      }
      return this.#cell(column.key, cell);
    });
    for (const name of ["details", "kind", "seq", "age"]) {
      const cell = document.createElement("td");
      cell.className = name;
      cells.push(this.#cell(name, cell));
    }
    this.#cells.details.append(this.stale);
    // The head stays where it is: it may have the focus.
    while (this.head.nextSibling) this.head.nextSibling.remove();
    this.element.append(...cells, ...(this.#tree ? [this.#tree.element] : []));
    this.paintAge(NaN);
  }

  #cell(name, cell) {
    cell.setAttribute("role", "cell");
    this.#cells[name] = cell;
    return cell;
  }

  #figure(path, main, all) {
    if (path === undefined) return all.length === 0 ? "empty" : `${format.count(all.length)} fields`;
    // Another field than the head says is named in the cell.
    const { main: usual } = this.section;
    const field = path !== usual && path !== "" ? format.label(path) : "";
    if ((this.#shown.field ?? "") !== field) this.#cells.value.dataset.field = this.#shown.field = field;
    return format.marked(this.topic.marks, path, main).slice(0, TEXT_MAX);
  }

  #paintChange({ title, since = "" }) {
    if ((this.#shown.since ?? "") !== since) this.#cells.change.dataset.since = this.#shown.since = since;
    if (this.#shown.title !== title) this.#cells.change.title = this.#shown.title = title;
  }

  /** A bar behind a percentage. */
  #bar(main) {
    if (!this.section.layout.hasBar) return;
    const share = Math.max(0, Math.min(100, this.topic.number || 0)).toFixed(0);
    if (this.#shown.bar === share || main === undefined) return;
    this.#shown.bar = share;
    this.#cells.value.style.setProperty("--part", `${share}%`);
  }

  #paintLast() {
    this.#set("kind", this.topic.kind);
    this.#set("seq", format.count(this.topic.seq));
    this.#paintStale();
  }

  /** In words, so that it does not hang on a colour. */
  #paintStale() {
    const { staleSince, isOld } = this.topic;
    const text = staleSince ? `stale since ${format.brief(staleSince)}` : isOld ? "stale at its source" : "";
    if ((this.#shown.stale ?? "") === text) return;
    this.#shown.stale = text;
    this.stale.hidden = text === "";
    this.stale.textContent = text;
    this.stale.title = staleSince ? `since ${format.moment(staleSince)}` : "";
    this.element.classList.toggle("stale", text !== "");
    this.section.noteStale(text);
  }

  #set(name, text) {
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    write(this.#cells[name], text);
  }

  #setDetails(all, main) {
    const { kind, marks } = this.topic;
    const { placed } = this.section.layout;
    const key = all.map(([path, leaf]) => `${format.name(path)} ${format.marked(marks, path, leaf)}`.slice(0, TEXT_MAX)).join(" · ");
    if (this.#shown.details === key && this.#shown.placed === placed) return;
    this.#shown.details = key;
    this.#shown.placed = placed;
    const parts = kinds
      .details(kind, all, main, marks)
      .filter(([path]) => !placed.has(path))
      .slice(0, DETAILS_MAX)
      .map(([path, leaf]) => [format.label(path), format.marked(marks, path, leaf).slice(0, TEXT_MAX)]);
    if (parts.length > 0) this.section.noteMore();
    const cell = this.#cells.details;
    cell.title = key; // everything, also what has no room
    // Same fields as before: only their texts move. The first child says whether the topic is stale.
    while (cell.children.length > parts.length + 1) cell.lastChild.remove();
    parts.forEach(([name, text], i) => {
      let field = cell.children[i + 1];
      if (!field) {
        field = document.createElement("span");
        field.append(document.createElement("i"), " ", document.createElement("span"));
        cell.append(field);
      }
      if (field.firstChild.textContent !== name) write(field.firstChild, name);
      if (field.lastChild.textContent !== text) write(field.lastChild, text);
    });
  }

  #paintTree(now) {
    if (now - this.#treed < TREE_MS || this.topic.text === "") {
      this.dirty = this.topic.text !== "";
      return;
    }
    this.#treed = now;
    this.#tree.show(exact(this.topic.text).data.value);
  }

  #light(direction, now) {
    if (this.#flash?.id !== direction) this.#flash?.cancel(); // a light that says the opposite of the arrow
    if (calm.matches || !this.visible || now - this.#flashed < FLASH_GAP_MS) return;
    this.#flashed = now;
    const colour = `var(--flash-${direction || "same"})`;
    this.#flash = this.#cells.value.animate(
      [{ backgroundColor: colour, easing: "ease-out" }, { backgroundColor: "transparent" }],
      { duration: FLASH_MS, easing: `steps(${FLASH_STEPS})`, id: direction },
    );
  }
}

/** Another text node would cost a look at the styles of all that is beside it. */
function write(element, text) {
  if (element.firstChild) element.firstChild.data = text;
  else element.textContent = text;
}

function button(name, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = name;
  made.tabIndex = -1;
  if (label !== "") made.ariaLabel = label;
  return made;
}
