// What a reader has set about the table, kept in the page's address: `cols`, `sort` and `favs`.
import { OFF_AT_FIRST } from "../data/columns.js";

/** Names in one entry of the address. */
const NAMES_MAX = 50;
const list = (text) => (text ?? "").split(",").filter(Boolean).slice(0, NAMES_MAX);

export class Settings {
  onChange = () => {};
  /** Columns that are not to be seen. */
  off = new Set(OFF_AT_FIRST);
  /** `""`, `first` or `only`. */
  favourites = "";
  /** The topics' column, in pixels. */
  nameWidth = 0;
  /** Some topics are simulated in a feed whose others are not. */
  hasPills = false;

  #address;
  #orders = new Map();

  constructor(address) {
    this.#address = address;
    this.#read();
    address?.onChange(() => {
      this.#read();
      this.onChange();
    });
  }

  get favouritesFirst() {
    return this.favourites === "first";
  }

  get favouritesOnly() {
    return this.favourites === "only";
  }

  wish(favourites) {
    this.favourites = favourites;
    this.#address?.set("favs", favourites || null);
    this.onChange();
  }

  /** Shows a column or hides it. The address names what differs from the first look: `cols=seq,-high`. */
  show(key, yes) {
    if (yes) this.off.delete(key);
    else this.off.add(key);
    const differing = [...OFF_AT_FIRST.filter((name) => !this.off.has(name)), ...[...this.off].filter((name) => !OFF_AT_FIRST.includes(name)).map((name) => `-${name}`)];
    this.#address?.set("cols", differing.length > 0 ? differing.join() : null);
    this.onChange();
  }

  /** A kind's order. */
  order(kind) {
    return this.#orders.get(kind) ?? { key: "topic", down: false };
  }

  /** Orders a kind's rows by a column; the same one again turns it round. In the address: `sort=quote:-change_pct`. */
  sort(kind, key) {
    const before = this.order(kind);
    this.#orders.delete(kind);
    this.#orders.set(kind, { key, down: before.key === key && !before.down });
    const told = [...this.#orders]
      .filter(([, order]) => order.key !== "topic" || order.down)
      .slice(-NAMES_MAX)
      .map(([name, order]) => `${encodeURIComponent(name)}:${order.down ? "-" : ""}${encodeURIComponent(order.key)}`);
    this.#address?.set("sort", told.length > 0 ? told.join() : null);
    this.onChange();
  }

  #read() {
    this.off = new Set(OFF_AT_FIRST);
    for (const name of list(this.#address?.get("cols"))) {
      if (name.startsWith("-")) this.off.add(name.slice(1));
      else this.off.delete(name);
    }
    const favourites = this.#address?.get("favs");
    this.favourites = ["first", "only"].includes(favourites) ? favourites : "";
    this.#orders.clear();
    for (const entry of list(this.#address?.get("sort"))) {
      const [, kind, down, key] = /^([^:]+):(-?)(.+)$/.exec(entry) ?? [];
      if (kind !== undefined) this.#orders.set(plain(kind), { key: plain(key), down: down === "-" });
    }
  }
}

function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
