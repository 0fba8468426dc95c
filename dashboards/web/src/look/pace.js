// How often the page moves: a pause that freezes the drawing, and a slower rate that the server is asked for.
import * as format from "../data/format.js";

export const RATES = ["250ms", "1s", "5s"];

export class Pace {
  #parts;
  #address;
  #paused = false;
  #missed = 0;

  /** Called with true when the drawing is frozen, with false when it goes on. */
  onPause = () => {};
  /** Called with the rate ("" for as fast as it comes) when it is another. */
  onRate = () => {};

  /** @param parts the elements: pause (a button), select (of rates); and `signs`, which say what is slower than it could be */
  constructor(parts, address) {
    this.#parts = parts;
    this.#address = address;
    parts.pause.addEventListener("click", () => this.pause(!this.#paused));
    parts.select.addEventListener("change", () => {
      address.set("rate", parts.select.value || null);
      this.onRate(this.rate);
    });
    let before = this.rate;
    address.onChange(() => {
      this.#restore();
      if (this.rate !== before) this.onRate(this.rate);
      before = this.rate;
    });
    address.onWrite(() => (before = this.rate));
    this.#restore();
  }

  get isPaused() {
    return this.#paused;
  }

  /** What the address asks for, or "". */
  get rate() {
    const asked = this.#address.get("rate");
    return RATES.includes(asked) ? asked : "";
  }

  pause(yes) {
    if (yes === this.#paused) return;
    this.#paused = yes;
    this.#missed = 0;
    this.#parts.pause.textContent = yes ? "Resume" : "Pause";
    document.documentElement.toggleAttribute("data-paused", yes);
    this.onPause(yes);
    this.paint();
  }

  /** A tick came. */
  tick() {
    if (this.#paused) this.#missed += 1;
  }

  /** Called a few times a second. */
  paint() {
    const { signs } = this.#parts;
    const ticks = `${format.count(this.#missed)} ${this.#missed === 1 ? "tick" : "ticks"}`;
    signs.put("paused", this.#paused ? `Paused: ${ticks} not drawn` : "");
    const rate = this.rate.replace(/(\d)(m?s)$/, "$1 $2");
    signs.put("rate", rate && `Slowed to ${rate}`, "Each topic has at most one value in that time.");
  }

  #restore() {
    this.#parts.select.value = this.rate;
    this.paint();
  }
}
