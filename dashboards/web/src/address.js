// The page's state in its address, so that a link is a dashboard: `#view=board&topics=sim.AAPL,host.cpu`.
// Each room of the page owns its names; `README.md` lists them.

/** Where one is: the back button changes these alone. What was set since stays, as rules of alerts and the rate do. */
const PLACE = ["view", "feed", "kiosk"];
/** These may stand in a fragment as they are, and are easier to read so. A plus is a plus; a space is `%20`. */
const READABLE = { "+": "%20", "%2B": "+", "%2C": ",", "%2F": "/", "%3A": ":", "%7E": "~" };

export class Address {
  #values = read();
  #handlers = [];
  #writers = [];
  /** Tells the entries of the history that came from one link from those of another. */
  #link = history.state?.link;

  constructor() {
    // Another link was opened in the same page, or somebody went back.
    addEventListener("hashchange", () => this.#arrive());
    addEventListener("popstate", () => this.#arrive());
    if (this.#link === undefined) this.#begin();
  }

  /** The text under that name, or null. */
  get(name) {
    return this.#values.get(name);
  }

  /** Writes it, or removes it with null. The page's history does not grow. */
  set(name, text) {
    if (this.#values.get(name) === text) return;
    change(this.#values, { [name]: text });
    this.#keep();
    this.#written();
  }

  /** Goes to the same page with these values changed: the back button returns to what it is now. */
  go(changes) {
    const link = this.link(changes);
    if (link === write(this.#values)) return;
    history.pushState(history.state, "", link);
    this.#take(read());
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

  #arrive() {
    const values = read();
    const link = history.state?.link;
    if (link !== this.#link) {
      this.#link = link;
      if (link === undefined) this.#begin();
      this.#take(values);
      return;
    }
    const merged = new URLSearchParams(this.#values);
    change(merged, Object.fromEntries(PLACE.map((name) => [name, values.get(name)])));
    this.#take(merged);
    this.#keep();
  }

  /** Here begins another link. */
  #begin() {
    this.#link = Math.random();
    history.replaceState({ link: this.#link }, "");
  }

  #keep() {
    history.replaceState({ link: this.#link }, "", write(this.#values));
  }

  #take(values) {
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
