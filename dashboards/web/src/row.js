// One topic's row: builds its cells, and changes only the text that differs.
import { at, exact, leaves, numeric } from "./fields.js";
import * as format from "./format.js";

/** A row that moves faster than this is moving, and need not flash each time. */
const FLASH_GAP_MS = 900;
const FLASH_MS = 700;
/** Further fields shown beside the main figure. */
const DETAILS_MAX = 6;
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
    this.button.textContent = topic.name;
    this.button.setAttribute("aria-pressed", "false");
    head.append(this.button);
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
    this.#set("value", path === undefined ? "empty" : format.leaf(path, main));
    this.#set("change", change(topic, path, main));
    this.#setDetails(all.filter(([other]) => other !== path).slice(0, DETAILS_MAX));
    const direction = topic.delta > 0 ? "up" : topic.delta < 0 ? "down" : "";
    if (this.#shown.direction !== direction) this.element.dataset.trend = this.#shown.direction = direction;
    const kind = Number.isNaN(topic.number) ? "text" : "figure";
    if (this.#shown.main !== kind) this.element.dataset.main = this.#shown.main = kind;
    if (this.moved) this.#light(direction, now);
    this.moved = false;
  }

  paintAge(serverNow) {
    this.#set("age", this.topic.ts ? format.age(serverNow - this.topic.ts) : "–");
  }

  /** In words, so that it does not hang on a colour. */
  #paintStale() {
    const { staleSince } = this.topic;
    if ((this.#shown.staleSince ?? 0) === staleSince) return;
    this.#shown.staleSince = staleSince;
    this.stale.hidden = staleSince === 0;
    this.stale.textContent = staleSince === 0 ? "" : `stale since ${format.time(staleSince)}`;
    this.element.classList.toggle("stale", staleSince !== 0);
  }

  #set(name, text) {
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    this.#cells[name].textContent = text;
  }

  #setDetails(fields) {
    const parts = fields.map(([path, leaf]) => [format.label(path), format.leaf(path, leaf)]);
    const key = parts.map((part) => part.join(" ")).join(" · ");
    if (this.#shown.details === key) return;
    this.#shown.details = key;
    const cell = this.#cells.details;
    cell.title = key;
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

/** The arrow and the signed step, so that the direction does not hang on a colour. */
function change(topic, path, main) {
  if (path === undefined || Number.isNaN(numeric(main)) || topic.delta === 0) return "";
  const arrow = topic.delta > 0 ? "▲" : "▼";
  return `${arrow} ${format.change(path, topic.delta, format.decimals(path, main))}`;
}
