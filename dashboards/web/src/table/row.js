// One topic's row: builds its cells, and changes only the text that differs.
import { at, exact, leaves } from "../data/fields.js";
import * as format from "../data/format.js";
import * as kinds from "../data/kinds.js";

/** A row that moves faster than this is moving, and need not flash each time. */
const FLASH_GAP_MS = 900;
const FLASH_MS = 700;
/** Further fields shown beside the main figure. */
const DETAILS_MAX = 12;
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

  #cells = {};
  #shown = {};
  #flashed = 0;
  #flash = null;

  constructor(topic) {
    this.topic = topic;
    this.element = document.createElement("tr");
    this.element.setAttribute("role", "row");
    this.element.dataset.topic = topic.name;

    const head = document.createElement("th");
    head.scope = "row";
    head.className = "topic";
    head.setAttribute("role", "rowheader");
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.tabIndex = -1;
    this.button.textContent = this.button.title = topic.name;
    this.button.setAttribute("aria-pressed", "false");
    this.simulated = document.createElement("span");
    this.simulated.className = "simulated";
    this.simulated.textContent = "simulated";
    this.simulated.hidden = true;
    head.append(this.button, this.simulated);
    this.element.append(head);
    for (const name of ["kind", "value", "change", "details", "seq", "age"]) {
      const cell = document.createElement("td");
      cell.className = name;
      cell.setAttribute("role", "cell");
      this.element.append(cell);
      this.#cells[name] = cell;
    }
    this.stale = document.createElement("span");
    this.stale.className = "badge";
    this.stale.hidden = true;
    this.#cells.details.append(this.stale);
  }

  set chosen(yes) {
    this.button.setAttribute("aria-pressed", String(yes));
    this.element.classList.toggle("chosen", yes);
  }

  set hidden(yes) {
    this.element.hidden = yes;
  }

  get hidden() {
    return this.element.hidden;
  }

  paint(serverNow, now) {
    this.dirty = false;
    const { topic } = this;
    this.#set("kind", topic.kind);
    this.#set("seq", format.count(topic.seq));
    this.paintAge(serverNow);
    this.#paintStale();
    if (topic.text === "") {
      this.#set("value", "–");
      return;
    }
    const value = exact(topic.text).data.value;
    const all = leaves(value);
    const path = topic.figures[0] ?? all[0]?.[0];
    const main = path === undefined ? undefined : at(value, path);
    this.#set("value", path === undefined ? "empty" : format.marked(topic.marks, path, main));
    const { text, direction, title, since = "" } = kinds.change(topic, value);
    this.#set("change", text);
    if ((this.#shown.since ?? "") !== since) this.#cells.change.dataset.since = this.#shown.since = since;
    if (this.#shown.title !== title) this.#cells.change.title = this.#shown.title = title;
    this.#setDetails(kinds.details(topic.kind, all, path, topic.marks).slice(0, DETAILS_MAX), all);
    if (this.#shown.direction !== direction) this.element.dataset.trend = this.#shown.direction = direction;
    if (this.simulated.hidden === topic.simulated) this.simulated.hidden = !topic.simulated;
    const kind = Number.isNaN(topic.number) ? "text" : "figure";
    if (this.#shown.main !== kind) this.element.dataset.main = this.#shown.main = kind;
    if (this.moved) this.#light(kinds.step(topic.kind, path ?? "", main, topic.delta, topic.marks).direction, now);
    this.moved = false;
  }

  paintAge(serverNow) {
    this.#set("age", this.topic.ts ? format.age(serverNow - this.topic.ts) : "–");
  }

  /** In words, so that it does not hang on a colour. */
  #paintStale() {
    const { staleSince, isOld } = this.topic;
    const text = staleSince ? `stale since ${format.time(staleSince)}` : isOld ? "stale at its source" : "";
    if ((this.#shown.stale ?? "") === text) return;
    this.#shown.stale = text;
    this.stale.hidden = text === "";
    this.stale.textContent = text;
    this.element.classList.toggle("stale", text !== "");
  }

  #set(name, text) {
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    this.#cells[name].textContent = text;
  }

  #setDetails(fields, all) {
    const parts = fields.map(([path, leaf]) => [format.label(path), format.marked(this.topic.marks, path, leaf)]);
    const key = all.map(([path, leaf]) => `${format.name(path)} ${format.marked(this.topic.marks, path, leaf)}`).join(" · ");
    if (this.#shown.details === key) return;
    this.#shown.details = key;
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
      if (field.firstChild.textContent !== name) field.firstChild.textContent = name;
      if (field.lastChild.textContent !== text) field.lastChild.textContent = text;
    });
  }

  #light(direction, now) {
    if (this.#flash?.id !== direction) this.#flash?.cancel(); // a light that says the opposite of the arrow
    if (calm.matches || !this.visible || now - this.#flashed < FLASH_GAP_MS) return;
    this.#flashed = now;
    const colour = `var(--flash-${direction || "same"})`;
    this.#flash = this.#cells.value.animate(
      [{ backgroundColor: colour }, { backgroundColor: "transparent" }],
      {
        duration: FLASH_MS,
        easing: "ease-out",
        id: direction,
      },
    );
  }
}
