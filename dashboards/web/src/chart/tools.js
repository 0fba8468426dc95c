// The buttons below a chart: its style, zoom and pan, filling the page, comparing, saving.
import { PAN, ZOOM } from "./gestures.js";

const NAMES_MAX = 60;
let lists = 0;

export class Tools {
  /** The topic to compare with was chosen; answers with what is wrong with it, or "". */
  onCompare = () => "";
  onCandles = () => {};
  onFull = () => {};
  onSave = () => {};
  /** Names of topics that may be compared with. */
  names = () => [];

  #parts = {};

  constructor(name, view) {
    this.element = document.createElement("div");
    this.element.className = "tools";
    this.element.innerHTML = `
      <div class="row">
        <button type="button" data-do="candles" aria-pressed="false">Candles</button>
        <button type="button" data-do="back">‹</button><button type="button" data-do="out">−</button><button
          type="button" data-do="in">+</button><button type="button" data-do="forward">›</button><button type="button" data-do="reset">⟲</button>
        <button type="button" data-do="full" aria-pressed="false">⤢</button>
        <button type="button" data-do="more" aria-expanded="false">⋯</button>
      </div>
      <div class="row more" hidden>
        <form><input type="text" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="Compare with topic"><datalist></datalist><button>Add</button></form>
        <button type="button" data-do="csv">CSV</button><button type="button" data-do="png">PNG</button>
        <p class="why" role="alert"></p>
      </div>`;
    for (const button of this.element.querySelectorAll("[data-do]")) this.#parts[button.dataset.do] = button;
    for (const part of [".more", "form", "input", "datalist", ".why"]) this.#parts[part] = this.element.querySelector(`.row.more${part === ".more" ? "" : ` ${part}`}`);
    const say = (part, label, keys) => {
      this.#parts[part].setAttribute("aria-label", `${label}, ${name}`);
      this.#parts[part].title = keys ? `${label} (key ${keys})` : label;
    };
    say("back", "Earlier", "←");
    say("forward", "Later", "→");
    say("in", "Zoom in", "+");
    say("out", "Zoom out", "−");
    say("reset", "Back to now", "0");
    say("full", "Fill the page", "F");
    say("more", "More: compare, CSV, PNG");
    say("csv", "CSV of what is shown");
    say("png", "PNG of the chart");
    say("candles", "Candles", "C");
    const { input, datalist, form, more } = this.#parts;
    datalist.id = `names-${(lists += 1)}`;
    input.setAttribute("list", datalist.id);
    input.setAttribute("aria-label", `Compare with topic, ${name}`);
    const work = {
      back: () => view.pan(-PAN),
      forward: () => view.pan(PAN),
      in: () => view.zoom(1 / ZOOM),
      out: () => view.zoom(ZOOM),
      reset: () => view.reset(),
      candles: () => this.onCandles(),
      full: () => this.onFull(),
      more: () => this.#toggle(),
      csv: () => this.onSave("csv"),
      png: () => this.onSave("png"),
    };
    for (const [part, does] of Object.entries(work)) this.#parts[part].addEventListener("click", does);
    input.addEventListener("input", () => this.#suggest());
    input.addEventListener("focus", () => this.#suggest());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say(this.onCompare(input.value.trim()));
      if (this.#parts[".why"].textContent === "") input.value = "";
    });
    more.setAttribute("aria-controls", `${datalist.id}-more`);
    this.#parts[".more"].id = `${datalist.id}-more`;
  }

  /** What is wrong, below the buttons; "" when all is well. */
  say(sentence) {
    this.#parts[".why"].textContent = sentence;
    if (sentence) this.#toggle(true);
  }

  /** @param state `candles` and `full` are on; `whyNot` there can be no candles, or ""; `isPlain` the window is as chosen */
  show({ isCandles, isFull, whyNot, isPlain, isFollowing }) {
    const { candles, full, reset, forward } = this.#parts;
    pressed(candles, isCandles);
    pressed(full, isFull);
    // Not `disabled`: it can be reached, and says why it does nothing.
    candles.setAttribute("aria-disabled", String(whyNot !== ""));
    const title = whyNot || "Candles (key C)";
    if (candles.title !== title) candles.title = title;
    reset.classList.toggle("wanted", !isPlain);
    reset.setAttribute("aria-disabled", String(isPlain));
    forward.setAttribute("aria-disabled", String(isFollowing));
  }

  #toggle(open = this.#parts[".more"].hidden) {
    this.#parts[".more"].hidden = !open;
    this.#parts.more.setAttribute("aria-expanded", String(open));
  }

  #suggest() {
    const { input, datalist } = this.#parts;
    const typed = input.value.trim().toLowerCase();
    const found = [];
    for (const name of this.names()) {
      if (name.toLowerCase().includes(typed)) found.push(name);
      if (found.length === NAMES_MAX) break;
    }
    datalist.replaceChildren(...found.map((name) => new Option(name, name)));
  }
}

function pressed(button, is) {
  button.setAttribute("aria-pressed", String(is));
}
