// The page's state in its address, so that a link is a dashboard: `#view=board&topics=sim.AAPL,host.cpu`.
// Each room of the page owns its names; `README.md` lists them.

export class Address {
  #values = new URLSearchParams(location.hash.slice(1));
  #handlers = [];

  constructor() {
    // Another link was opened in the same page, or somebody went back.
    addEventListener("hashchange", () => {
      this.#values = new URLSearchParams(location.hash.slice(1));
      for (const handler of this.#handlers) handler();
    });
  }

  /** The text under that name, or null. */
  get(name) {
    return this.#values.get(name);
  }

  /** Writes it, or removes it with null. The page's history does not grow. */
  set(name, text) {
    if (text === null) this.#values.delete(name);
    else this.#values.set(name, text);
    // Commas and colons may stand in a fragment as they are, and are easier to read so.
    const written = String(this.#values).replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
    history.replaceState(history.state, "", `#${written}`);
  }

  /** Called when the address was changed from outside. */
  onChange(handler) {
    this.#handlers.push(handler);
  }
}
