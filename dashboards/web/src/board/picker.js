// The dialog that adds tiles: a search among the topics; a pattern adds all that it matches.
import { flaw, isPattern, matcher } from "./target.js";

/** More are not read through. */
const SHOWN_MAX = 100;

export class Picker {
  /** Called with a topic or a pattern to add. */
  onAdd = () => {};
  /** Says which topics have a tile. */
  isThere = () => false;

  #topics;
  #dialog = document.createElement("dialog");
  #input = document.createElement("input");
  #list = document.createElement("ul");
  #said = document.createElement("p");

  constructor(parent, topics) {
    this.#topics = topics;
    this.#dialog.className = "picker";
    this.#dialog.setAttribute("aria-labelledby", "picker-title");
    const title = document.createElement("h2");
    title.id = "picker-title";
    title.textContent = "Add tiles";
    const label = document.createElement("label");
    label.textContent = "Topic or pattern ";
    Object.assign(this.#input, { type: "search", autocomplete: "off", spellcheck: false, placeholder: "sim.AAPL or sim.*" });
    label.append(this.#input);
    this.#said.setAttribute("role", "status");
    this.#list.setAttribute("role", "list");
    const done = document.createElement("button");
    done.type = "button";
    done.textContent = "Done";
    done.addEventListener("click", () => this.#dialog.close());
    this.#dialog.append(title, label, this.#said, this.#list, done);
    this.#input.addEventListener("input", () => this.#search());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#list.querySelector("button:not([disabled])")?.click();
    });
    // A click beside the dialog closes it.
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.#dialog.close());
    parent.append(this.#dialog);
  }

  open() {
    this.#input.value = "";
    this.#search();
    this.#dialog.showModal();
    this.#input.focus();
  }

  #search() {
    const text = this.#input.value.trim();
    const problem = isPattern(text) ? flaw(text) : "";
    const matches = isPattern(text) && !problem ? matcher(text) : (name) => name.toLowerCase().includes(text.toLowerCase());
    const names = problem ? [] : [...this.#topics.all()].map(({ name }) => name).filter(matches).sort();
    const rows = [];
    if (isPattern(text) && !problem) {
      rows.push(this.#row(text, `Add all that match ${text}, also those to come (now ${names.length})`));
    } else if (text !== "" && names.length === 0 && flaw(text) === "") {
      rows.push(this.#row(text, `Add ${text}, which has not spoken yet`));
    }
    for (const name of names.slice(0, SHOWN_MAX)) rows.push(this.#row(name, name));
    this.#list.replaceChildren(...rows);
    const more = names.length > SHOWN_MAX ? `; the first ${SHOWN_MAX} are listed` : "";
    this.#said.textContent = problem ? `${problem}.` : `${names.length} ${names.length === 1 ? "topic" : "topics"}${more}`;
  }

  #row(name, words) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const paint = () => {
      const isThere = this.isThere(name);
      button.disabled = isThere;
      button.textContent = isThere ? `${words}: on the board` : words;
    };
    button.addEventListener("click", () => {
      this.onAdd(name);
      paint();
      if (!button.disabled) return;
      this.#said.textContent = `Added ${name}.`;
      this.#input.focus(); // a button that is off loses the focus
    });
    paint();
    row.append(button);
    return row;
  }
}
