// A value in full, as a tree that opens part by part: exact digits, bounded, with a button that copies all of it.
import { isBranch, leafText, pretty } from "../data/json.js";

/** Levels that can be opened, entries shown at a time, and characters of one text. */
const DEPTH_MAX = 32;
const ENTRIES_STEP = 100;
const TEXT_MAX = 2_000;

export class Tree {
  #value;
  #root = null;
  #copied = document.createElement("span");

  constructor(name) {
    this.element = document.createElement("td");
    this.element.className = "tree";
    this.element.setAttribute("role", "cell");
    this.body = document.createElement("div");
    const copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Copy JSON";
    copy.ariaLabel = `Copy JSON of ${name}`;
    copy.addEventListener("click", () => this.#copy());
    this.#copied.setAttribute("role", "status");
    const foot = document.createElement("p");
    foot.append(copy, " ", this.#copied);
    this.element.append(this.body, foot);
  }

  /** Shows a value as `exact` gives it; what is open stays open. */
  show(value) {
    this.#value = value;
    if (this.#root?.take(value)) return;
    this.#root = new Node("", value, 0);
    this.#root.open();
    this.body.replaceChildren(this.#root.element);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(pretty(this.#value));
      this.#copied.textContent = "Copied.";
    } catch {
      this.#copied.textContent = "The browser does not let this page copy; select the text instead.";
    }
  }
}

/** One entry: a leaf in a line, or a branch whose entries are built when it is opened. */
class Node {
  #key;
  #value;
  #depth;
  #children = null;
  #limit = ENTRIES_STEP;
  #text = "";
  #told = document.createElement("span");

  constructor(key, value, depth) {
    this.#key = key;
    this.#value = value;
    this.#depth = depth;
    const isOpenable = isBranch(value) && depth < DEPTH_MAX && Object.keys(value).length > 0;
    this.element = document.createElement(isOpenable ? "details" : "div");
    const line = document.createElement(isOpenable ? "summary" : "span");
    if (key !== "") {
      const name = document.createElement("i");
      name.textContent = `${String(key).slice(0, TEXT_MAX)}: `;
      line.append(name);
    }
    line.append(this.#told);
    this.element.append(line);
    if (isOpenable) this.element.addEventListener("toggle", () => this.element.open && this.#build());
    this.#tell();
  }

  open() {
    if (this.element.localName !== "details") return;
    this.element.open = true;
    this.#build();
  }

  /** Takes the value that came after; false where it is of another shape, and needs a new entry. */
  take(value) {
    if (isBranch(value) !== isBranch(this.#value) || Array.isArray(value) !== Array.isArray(this.#value)) return false;
    const wasEmpty = isBranch(value) && Object.keys(this.#value).length === 0;
    if (isBranch(value) && wasEmpty !== (Object.keys(value).length === 0)) return false;
    this.#value = value;
    this.#tell();
    if (this.#children) this.#build();
    return true;
  }

  #tell() {
    const text = told(this.#value);
    if (text !== this.#text) this.#told.textContent = this.#text = text;
  }

  /** Builds or mends the entries. */
  #build() {
    const entries = Object.entries(this.#value);
    const before = this.#children ?? new Map();
    this.#children = new Map();
    for (const [key, value] of entries.slice(0, this.#limit)) {
      const known = before.get(key);
      this.#children.set(key, known?.take(value) ? known : new Node(key, value, this.#depth + 1));
    }
    const wanted = [...this.#children.values()].map(({ element }) => element);
    if (entries.length > this.#limit) wanted.push(this.#more(entries.length - this.#limit));
    const shown = [...this.element.children].slice(1);
    const isSame = shown.length === wanted.length && wanted.every((element, i) => element === shown[i]);
    if (!isSame) this.element.replaceChildren(this.element.firstChild, ...wanted);
  }

  #more(left) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Show ${Math.min(left, ENTRIES_STEP)} more of ${left}`;
    button.addEventListener("click", () => {
      this.#limit += ENTRIES_STEP;
      this.#build();
    });
    return button;
  }
}

function told(value) {
  if (isBranch(value)) {
    const size = Object.keys(value).length;
    if (Array.isArray(value)) return size === 0 ? "[ ]" : `[ ${size} ${size === 1 ? "entry" : "entries"} ]`;
    return size === 0 ? "{ }" : `{ ${size} ${size === 1 ? "field" : "fields"} }`;
  }
  const text = leafText(value);
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)} … ${text.length - TEXT_MAX} more characters; copy has them all` : text;
}
