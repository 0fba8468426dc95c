// The topics that a reader has marked: kept in this browser, or in the address, which then goes first.

const KEY = "tickerd.favourites";
const IN_ADDRESS = "fav";
/** More than these are not kept. */
const NAMES_MAX = 500;

export class Favourites {
  /** Called when a topic was marked or unmarked, here or in another tab. */
  onChange = () => {};

  #names = new Set();
  /** This browser's, where it did not store them: they last as long as the page. */
  #unstored = null;
  #address;

  /** @param address the page's, or null for a page that has none */
  constructor(address = null) {
    this.#address = address;
    this.#read();
    address?.onChange(() => this.#again());
    globalThis.addEventListener?.("storage", ({ key }) => key === KEY && this.#again());
  }

  get names() {
    return [...this.#names];
  }

  /** Whether they are the address's, and not those of this browser. */
  get isShared() {
    return (this.#address?.get(IN_ADDRESS) ?? null) !== null;
  }

  get isFull() {
    return this.#names.size >= NAMES_MAX;
  }

  has(name) {
    return this.#names.has(name);
  }

  /** Marks a topic, or unmarks it; false where there are too many already. */
  toggle(name) {
    if (!this.#names.delete(name)) {
      if (this.isFull) return false;
      this.#names.add(name);
    }
    if (this.isShared) this.share();
    else this.#keep();
    this.onChange();
    return true;
  }

  /** Puts them into the address, so that a link carries them. */
  share() {
    this.#address?.set(IN_ADDRESS, this.names.join());
  }

  /** Takes those of the address for this browser's, and takes them out of the address. */
  keep() {
    this.#keep();
    this.#address?.set(IN_ADDRESS, null);
    this.onChange();
  }

  /** Forgets those of the address, for this browser's own. */
  leave() {
    this.#address?.set(IN_ADDRESS, null);
    this.#again();
  }

  #again() {
    const before = this.names.join();
    this.#read();
    if (this.names.join() !== before) this.onChange();
  }

  #read() {
    const shared = this.#address?.get(IN_ADDRESS) ?? null;
    const names = shared === null ? (this.#unstored ?? stored()) : shared.split(",");
    this.#names = new Set(names.filter((name) => typeof name === "string" && name !== "").slice(0, NAMES_MAX));
  }

  #keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.names));
      this.#unstored = null;
    } catch {
      this.#unstored = this.names;
    }
  }
}

function stored() {
  try {
    const names = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(names) ? names : [];
  } catch {
    return [];
  }
}
