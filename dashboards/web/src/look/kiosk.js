// The page on a wall: no header, no controls, large, and a screen that stays on. `?kiosk` or `#kiosk` asks for it.

/** A pointer that rests this long is hidden. */
const POINTER_MS = 3_000;

export class Kiosk {
  #address;
  #lock = null;
  #timer = 0;
  #on = false;

  /** Called with whether the page is in kiosk mode now. */
  onChange = () => {};

  constructor(address) {
    this.#address = address;
    address.onChange(() => this.restore());
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#on && !document.querySelector("dialog[open]")) this.leave();
    });
    addEventListener("pointermove", () => this.#moved());
    // The system takes the lock away from a hidden page, and does not give it back by itself.
    document.addEventListener("visibilitychange", () => this.#keepAwake());
  }

  get isOn() {
    return this.#on;
  }

  restore() {
    const on = this.#address.get("kiosk") !== null || new URLSearchParams(location.search).has("kiosk");
    if (on === this.#on) return;
    this.#on = on;
    document.documentElement.toggleAttribute("data-kiosk", on);
    this.#moved();
    this.#keepAwake();
    this.onChange(on);
  }

  enter() {
    this.#address.go({ kiosk: "" });
  }

  leave() {
    const search = new URLSearchParams(location.search);
    search.delete("kiosk");
    const query = String(search);
    history.replaceState(history.state, "", `${location.pathname}${query && `?${query}`}${location.hash}`);
    this.#address.set("kiosk", null);
    this.restore();
  }

  #moved() {
    clearTimeout(this.#timer);
    document.documentElement.removeAttribute("data-resting");
    if (!this.#on) return;
    this.#timer = setTimeout(() => document.documentElement.setAttribute("data-resting", ""), POINTER_MS);
  }

  /** Browsers give the lock on HTTPS and localhost only; elsewhere the system's own setting keeps the screen on. */
  async #keepAwake() {
    if (!this.#on) {
      this.#lock?.release().catch(() => {});
      this.#lock = null;
      return;
    }
    if (document.hidden || !navigator.wakeLock) return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this.#on) this.#lock = lock;
      else await lock.release();
    } catch {
      // Low battery, or not allowed here.
    }
  }
}
