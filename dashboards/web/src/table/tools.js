// What one can do with the table: choose columns, see favourites first or only, take it away as CSV.
import * as format from "../data/format.js";
import { OFF_AT_FIRST } from "../data/columns.js";

const WISHES = [
  ["", "Favourites: as they come"],
  ["first", "Favourites first"],
  ["only", "Favourites only"],
];
/** A message leaves by itself after this long. */
const MESSAGE_MS = 10_000;

export class Tools {
  #settings;
  #favourites;
  #sections;
  #onExport;
  #said = document.createElement("p");
  #wish = document.createElement("select");
  #columns = document.createElement("div");
  #shared = document.createElement("span");
  #last = 0;

  /** @param {{table: HTMLElement, at?: HTMLElement, settings: object, favourites: object, sections: function, onExport: function}} parts */
  constructor({ table, at, settings, favourites, sections, onExport }) {
    this.#settings = settings;
    this.#favourites = favourites;
    this.#sections = sections;
    this.#onExport = onExport;
    const bar = at ?? document.createElement("div");
    bar.classList.add("table-tools");
    if (!at) table.before(bar);

    this.#wish.ariaLabel = "Favourites";
    this.#wish.append(...WISHES.map(([value, text]) => new Option(text, value)));
    this.#wish.addEventListener("change", () => settings.wish(this.#wish.value));

    const columns = button("Columns");
    this.#columns.id = "columns";
    this.#columns.popover = "auto";
    columns.setAttribute("popovertarget", this.#columns.id);
    this.#columns.addEventListener("beforetoggle", ({ newState }) => newState === "open" && this.#listColumns());

    const save = button("Export CSV");
    save.title = "The topics that the search left, with every field. Texts that a spreadsheet would take for a formula begin with an apostrophe.";
    save.addEventListener("click", () => this.#save());
    this.#said.className = "said";
    this.#said.setAttribute("role", "status");
    bar.append(this.#wish, this.#shared, columns, this.#columns, save, this.#said);
    this.paint();
  }

  /** Brings the controls in line with what is set. */
  paint() {
    this.#wish.value = this.#settings.favourites;
    const { isShared, names } = this.#favourites;
    const key = `${isShared} ${names.length > 0}`;
    if (this.#shared.dataset.of === key) return;
    this.#shared.dataset.of = key;
    const act = (text, title, does) => {
      const made = button(text);
      made.title = title;
      made.addEventListener("click", () => {
        does();
        this.paint();
      });
      return made;
    };
    this.#shared.replaceChildren();
    if (isShared) {
      this.#shared.append(
        act("Keep as mine", "These favourites came with the link. Keep them in this browser instead of its own.", () => this.#favourites.keep()),
        act("Back to mine", "These favourites came with the link. Show those of this browser again.", () => this.#favourites.leave()),
      );
    } else if (names.length > 0) {
      this.#shared.append(act("Put into link", "Puts the favourites into the page's address, so that a copied link has them.", () => this.#favourites.share()));
    }
  }

  count(left, all) {
    this.#last = left;
    this.#wish.title = `${format.count(left)} of ${format.count(all)} topics are shown`;
  }

  say(text) {
    this.#said.textContent = text;
    setTimeout(() => {
      if (this.#said.textContent === text) this.#said.textContent = "";
    }, MESSAGE_MS);
  }

  #listColumns() {
    const columns = new Map();
    const cramped = new Set();
    for (const section of this.#sections()) {
      for (const { key, head, rank } of section.all) if (rank > 0 && !columns.has(key)) columns.set(key, head);
      for (const key of section.cramped) if (!this.#settings.off.has(key)) cramped.add(key);
    }
    for (const key of OFF_AT_FIRST) if (!columns.has(key)) columns.set(key, key);
    for (const key of this.#settings.off) if (!columns.has(key)) columns.set(key, key);
    const title = document.createElement("h2");
    title.textContent = "Columns";
    const list = document.createElement("ul");
    for (const [key, head] of columns) {
      const label = document.createElement("label");
      const check = document.createElement("input");
      check.type = "checkbox";
      check.name = key;
      check.checked = !this.#settings.off.has(key);
      check.addEventListener("change", () => this.#settings.show(key, check.checked));
      label.append(check, ` ${head}`);
      if (cramped.has(key)) {
        const told = document.createElement("small");
        told.textContent = " no room in some kinds";
        label.append(told);
      }
      const item = document.createElement("li");
      item.append(label);
      list.append(item);
    }
    const end = document.createElement("p");
    end.textContent = "Where there is no room for a column, open a row with its arrow: it shows all fields.";
    this.#columns.replaceChildren(title, list, end);
  }

  #save() {
    const { text, cut } = this.#onExport();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = `tickerd-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    const missing = cut > 0 ? `; ${format.count(cut)} fields have no column` : "";
    this.say(`Saved ${format.count(this.#last)} topics as ${link.download}${missing}.`);
  }
}

function button(text) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}
