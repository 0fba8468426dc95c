// The search box: its text is the page's `q`, a mistake is told below it, and a help lists the forms.
import { FORMS } from "../data/search.js";

export class SearchBox {
  #input;
  #error = document.createElement("p");

  /** @param {HTMLInputElement} input within its label; the help and the errors are put after that */
  constructor(input, { address, onText }) {
    this.#input = input;
    const label = input.closest("label") ?? input;
    const around = document.createElement("div");
    around.className = "search";
    label.replaceWith(around);
    this.#error.className = "search-error";
    this.#error.id = "search-error";
    this.#error.setAttribute("role", "alert");
    this.#error.hidden = true;
    input.setAttribute("aria-describedby", this.#error.id);
    around.append(label, ...this.#help(), this.#error);
    input.addEventListener("input", () => {
      address?.set("q", input.value.trim() === "" ? null : input.value);
      onText(input.value);
    });
    const read = () => {
      const text = address?.get("q") ?? "";
      if (input.value === text) return;
      input.value = text;
      onText(text);
    };
    address?.onChange(read);
    // What asks for topics must be there first.
    queueMicrotask(read);
  }

  /** What is wrong with the search, or "". */
  say(error) {
    this.#error.hidden = error === "";
    if (this.#error.textContent !== error) this.#error.textContent = error;
    this.#input.setAttribute("aria-invalid", String(error !== ""));
  }

  #help() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "search-help";
    button.textContent = "?";
    button.ariaLabel = "How to search";
    const sheet = document.createElement("div");
    sheet.id = "search-forms";
    sheet.popover = "auto";
    button.setAttribute("popovertarget", sheet.id);
    const title = document.createElement("h2");
    title.textContent = "Search";
    const list = document.createElement("dl");
    for (const [form, meaning] of FORMS) {
      const code = document.createElement("code");
      code.textContent = form;
      const term = document.createElement("dt");
      term.append(code);
      const told = document.createElement("dd");
      told.textContent = meaning;
      list.append(term, told);
    }
    const end = document.createElement("p");
    end.textContent = "Several terms: all of them must hold. The search is kept in the page's address.";
    sheet.append(title, list, end);
    return [button, sheet];
  }
}
