// The page's state in its address, so that a link is a dashboard: `#view=board&topics=sim.AAPL,host.cpu`.
// Each room of the page owns its names; `README.md` lists them.

/** These may stand in a fragment as they are, and are easier to read so. A plus is a plus; a space is `%20`. */
const READABLE = { "+": "%20", "%2B": "+", "%2C": ",", "%2F": "/", "%3A": ":", "%7E": "~" };

export class Address {
  #values = read();
  #handlers = [];
  #writers = [];

  constructor() {
    // Another link was opened in the same page, or somebody went back.
    addEventListener("hashchange", () => this.#read());
    addEventListener("popstate", () => this.#read());
  }

  /** The text under that name, or null. */
  get(name) {
    return this.#values.get(name);
  }

  /** Writes it, or removes it with null. The page's history does not grow. */
  set(name, text) {
    if (this.#values.get(name) === text) return;
    change(this.#values, { [name]: text });
    history.replaceState(history.state, "", write(this.#values));
    this.#written();
  }

  /** Goes to the same page with these values changed: the back button returns to what it is now. */
  go(changes) {
    const link = this.link(changes);
    if (link === write(this.#values)) return;
    history.pushState(null, "", link);
    this.#read();
  }

  /** The fragment with these values changed, for a link. */
  link(changes) {
    const values = new URLSearchParams(this.#values);
    change(values, changes);
    return write(values);
  }

  /** Called when the address was changed from outside, or by `go`. */
  onChange(handler) {
    this.#handlers.push(handler);
  }

  /** Called after every change, also by `set`. */
  onWrite(handler) {
    this.#writers.push(handler);
  }

  #read() {
    const values = read();
    if (String(values) === String(this.#values)) return;
    this.#values = values;
    for (const handler of this.#handlers) handler();
    this.#written();
  }

  #written() {
    for (const writer of this.#writers) writer();
  }
}

const read = () => new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));

function change(values, changes) {
  for (const [name, text] of Object.entries(changes)) {
    if (text === null) values.delete(name);
    else values.set(name, text);
  }
}

/** A name without a text stands alone: `#kiosk`. */
const write = (values) =>
  `#${String(values)
    .replace(/\+|%2[BCF]|%3A|%7E/g, (code) => READABLE[code])
    .replace(/=(?=&|$)/g, "")}`;
