// A board of tiles. Which ones, in which order and size, is in the address: `tiles=sim.AAPL,host.cpu:busy_pct*L`.
import { firstTiles } from "./choice.js";
import { csv, save } from "./csv.js";
import { expand, keyOf, moved, readLayout, settled, TILES_MAX, writeLayout } from "./layout.js";
import { Past } from "./past.js";
import { Picker } from "./picker.js";
import { isPattern } from "./target.js";
import { Tile } from "./tile.js";
import { draggable, tools } from "./tools.js";

/** Patterns are matched again this often, besides when there are more topics, or fewer. */
const MATCH_EVERY_MS = 5_000;

export class Board {
  /** Called with a topic to open its chart. */
  onOpen = () => {};

  #topics;
  #address;
  #feeds;
  #alerts;
  #element;
  #past;
  #picker;
  #list = document.createElement("ul");
  #empty = document.createElement("p");
  #flaws = document.createElement("p");
  #said = document.createElement("p");
  #edit = null;
  #spans = null;

  /** As the address has it; null is the page's own choice. */
  #items = [];
  #text = undefined;
  #isOwn = true;
  #tiles = new Map();
  #byName = new Map();
  #seen;
  #isEditing = false;
  #knownTopics = -1;
  #matched = 0;
  #begun = 0;
  #isBeat = true;
  #left = 0;
  #isLive = () => false;

  /**
   * @param bars asks `/v1/bars`: `async (URLSearchParams) => answer or null`
   * @param periods gives the periods of which the server keeps bars, where that is known
   * @param feeds a map of feeds to their states, where that is known
   * @param alerts tells whether a topic is over a threshold
   */
  constructor(element, { topics, address, bars, periods, feeds, alerts }) {
    this.#element = element;
    this.#topics = topics;
    this.#address = address;
    this.#feeds = feeds;
    this.#alerts = alerts;
    this.#past = new Past(bars, periods);
    this.#seen = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: "100px" });
    this.#build();
    this.#picker = new Picker(element, topics);
    this.#picker.isThere = (name) =>
      this.#tiles.has(name) || this.#items.some((item) => item.name === name && isPattern(name));
    this.#picker.onAdd = (name) => this.#add(name);
    address.onChange(() => this.#restore());
    this.#restore();
  }

  /** A topic moved. */
  tick(name) {
    const tiles = this.#byName.get(name);
    if (!tiles) return;
    const topic = this.#topics.get(name);
    if (topic) for (const tile of tiles) tile.tick(topic);
  }

  /** Draws what has changed and is in view. */
  paint(serverNow, now, isLive) {
    this.#isLive = isLive;
    const isBeat = this.#isBeat;
    this.#isBeat = false;
    if (isBeat) this.#keepUp(serverNow, now, isLive);
    for (const tile of this.#tiles.values()) {
      if (isBeat) tile.spark.advance(serverNow, isLive(tile.name));
      if (!tile.visible) continue;
      const topic = this.#topics.get(tile.name);
      if (tile.dirty || isBeat) tile.paint(topic, now);
      if (!isBeat) continue;
      tile.paintAge(topic, serverNow, isLive(tile.name), this.#isDown(tile.name), this.#alerts?.of(tile.name));
    }
  }

  /** Time goes by: the next drawing shows ages too. */
  beat() {
    this.#isBeat = true;
  }

  #isDown(name) {
    return this.#feeds?.get(name.split(".", 1)[0]) === "down";
  }

  #build() {
    const add = (tag, parent, properties = {}) => {
      const one = document.createElement(tag);
      parent.append(Object.assign(one, properties));
      return one;
    };
    this.#element.classList.add("board");
    const header = add("header", this.#element);
    add("h2", header, { textContent: "Board" });
    const bar = add("div", header, { className: "bar-tools" });
    const label = add("label", bar, { textContent: "Lines show the last " });
    this.#spans = add("select", label);
    for (const [key, { words }] of Object.entries(Past.spans)) this.#spans.append(new Option(words, key));
    this.#spans.addEventListener("change", () => {
      this.#address.set("spark", this.#spans.selectedIndex === 0 ? null : this.#spans.value);
      this.#setSpan();
    });
    const button = (textContent, act) => {
      const one = add("button", bar, { type: "button", textContent });
      one.addEventListener("click", act);
      return one;
    };
    button("Add tiles", () => this.#picker.open());
    this.#edit = button("Edit", () => this.#setEditing(!this.#isEditing));
    this.#edit.setAttribute("aria-pressed", "false");
    button("Export CSV", () => this.export());
    for (const one of [this.#flaws, this.#empty]) one.className = "sentence";
    this.#flaws.setAttribute("role", "status");
    this.#flaws.hidden = true;
    this.#empty.textContent = "The board is empty. Choose “Add tiles” to fill it, for example with sim.*";
    this.#list.className = "tiles";
    this.#list.setAttribute("role", "list");
    this.#list.setAttribute("aria-label", "Tiles");
    this.#said.className = "unseen";
    this.#said.setAttribute("role", "status");
    this.#element.append(this.#flaws, this.#empty, this.#list, this.#said);
    this.#list.addEventListener("click", ({ target }) => {
      const open = target.closest(".open");
      if (open) this.onOpen(this.#tiles.get(open.closest(".tile").dataset.key).name);
    });
    draggable(this.#list, () => this.#isEditing, (element) => this.#dropped(element));
  }

  /** Takes the tiles that the address names. */
  #restore() {
    this.#setSpan();
    const text = this.#address.get("tiles");
    if (text === this.#text) return;
    this.#text = text;
    this.#items = readLayout(text ?? "").items;
    this.#isOwn = text === null;
    this.#begun = 0;
    this.#arrange();
  }

  #setSpan() {
    const asked = this.#address.get("spark");
    this.#spans.value = Object.hasOwn(Past.spans, asked ?? "") ? asked : Object.keys(Past.spans)[0];
    if (this.#past.choose(this.#spans.value)) this.#rewind();
  }

  /** Lines of another window. */
  #rewind() {
    for (const tile of this.#tiles.values()) tile.window = this.#past.window;
  }

  /** Looks whether there are other topics now, and whether pasts are missing. */
  #keepUp(serverNow, now, isLive) {
    if (this.#isOwn && this.#items.length === 0) {
      this.#begun ||= this.#topics.size > 0 ? now : 0;
      const items = this.#begun > 0 ? firstTiles(this.#topics.all(), now - this.#begun) : null;
      if (items) this.#items = items;
      if (items) this.#arrange();
    } else if (this.#topics.size !== this.#knownTopics || now - this.#matched > MATCH_EVERY_MS) {
      this.#knownTopics = this.#topics.size;
      this.#matched = now;
      if (this.#items.some(({ name }) => isPattern(name))) this.#arrange();
    }
    if (this.#past.fits()) this.#rewind();
    // Asked last, as the answer takes a layout.
    const isSeen = () => this.#list.checkVisibility();
    this.#past.keepUp(this.#tiles, this.#topics, serverNow, now, isLive, isSeen);
  }

  #names() {
    return [...this.#topics.all()].map(({ name }) => name);
  }

  /** Makes the document as the layout says; tiles that stay keep their lines. */
  #arrange() {
    const { tiles, left } = expand(this.#items, this.#names());
    const wanted = new Set(tiles.map(keyOf));
    for (const [key, tile] of this.#tiles) {
      if (wanted.has(key)) continue;
      this.#seen.unobserve(tile.element);
      tile.element.remove();
      this.#tiles.delete(key);
    }
    const before = this.#tiles;
    this.#tiles = new Map();
    this.#byName.clear();
    let place = this.#list.firstElementChild;
    for (const item of tiles) {
      const key = keyOf(item);
      const tile = before.get(key) ?? this.#make(key, item);
      tile.size = item.size;
      this.#tiles.set(key, tile);
      this.#byName.set(item.name, [...(this.#byName.get(item.name) ?? []), tile]);
      if (tile.element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(tile.element, place);
    }
    this.#left = left;
    this.#sayFlaws();
    this.#empty.hidden = tiles.length > 0 || (this.#isOwn && this.#items.length === 0);
  }

  #sayFlaws() {
    const flaws = readLayout(this.#text ?? "").flaws;
    if (this.#left > 0) flaws.push(`${TILES_MAX} tiles are the most; ${this.#left} more topics match.`);
    const text = flaws.join(" ");
    if (this.#flaws.textContent !== text) this.#flaws.textContent = text;
    this.#flaws.hidden = text === "";
  }

  #make(key, item) {
    const tile = new Tile(key, item, this.#past.window);
    const topic = this.#topics.get(item.name);
    if (topic) tile.tick(topic);
    if (this.#isEditing) this.#addTools(tile);
    this.#seen.observe(tile.element);
    return tile;
  }

  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      const tile = this.#tiles.get(target.dataset.key);
      if (!tile) continue;
      tile.visible = isIntersecting;
      tile.dirty = true;
    }
    this.#isBeat = true;
  }

  /** The layout is another: the address has it from now on. */
  #keep(items, words) {
    this.#items = items;
    this.#isOwn = false;
    this.#text = writeLayout(items);
    this.#address.set("tiles", this.#text);
    this.#arrange();
    this.#isBeat = true;
    this.#said.textContent = words;
  }

  #add(name) {
    if (this.#tiles.size >= TILES_MAX && !isPattern(name)) {
      this.#said.textContent = `${TILES_MAX} tiles are the most. Remove one first.`;
      return;
    }
    this.#keep([...this.#items, { name, path: null, size: "M" }], `Added ${name}.`);
  }

  #setEditing(yes) {
    this.#isEditing = yes;
    this.#edit.setAttribute("aria-pressed", String(yes));
    this.#edit.textContent = yes ? "Done" : "Edit";
    this.#element.classList.toggle("editing", yes);
    for (const tile of this.#tiles.values()) {
      if (yes) this.#addTools(tile);
      else tile.element.querySelector(".tools")?.remove();
    }
  }

  #addTools(tile) {
    const topic = this.#topics.get(tile.name);
    const box = tools(tile, topic, {
      move: (step) => this.#move(tile, step),
      size: (size) => this.#change(tile, { ...tile.item, size }, `${tile.key} has size ${size}.`),
      field: (path) => this.#change(tile, { ...tile.item, path }, `The tile of ${tile.name} shows another field.`),
      remove: () => this.#remove(tile),
    });
    tile.element.append(box);
  }

  #settled() {
    return settled(this.#items, this.#names());
  }

  #place(tile) {
    return [...this.#tiles.keys()].indexOf(tile.key);
  }

  #move(tile, step) {
    const from = this.#place(tile);
    const to = Math.max(0, Math.min(this.#tiles.size - 1, from + step));
    const focus = document.activeElement;
    const words = `${tile.key} is at place ${to + 1} of ${this.#tiles.size}.`;
    if (to === from) this.#said.textContent = words;
    else this.#keep(moved(this.#settled(), from, to), words);
    // An element that is put elsewhere loses the focus.
    if (tile.element.contains(focus)) focus.focus();
    tile.element.scrollIntoView({ block: "nearest" });
  }

  #change(tile, item, words) {
    const place = this.#place(tile);
    const list = this.#settled();
    if (item.path !== tile.path && this.#tiles.has(keyOf(item))) {
      this.#said.textContent = `${keyOf(item)} has a tile already.`;
      return;
    }
    list[place] = item;
    this.#keep(list, words);
    if (keyOf(item) !== tile.key) this.#tiles.get(keyOf(item)).element.querySelector(".tools select")?.focus();
  }

  #remove(tile) {
    const place = this.#place(tile);
    this.#keep(this.#settled().filter((_, i) => i !== place), `Removed ${tile.key}.`);
    const next = [...this.#tiles.values()][Math.min(place, this.#tiles.size - 1)];
    (next?.element.querySelector(".remove") ?? this.#edit).focus();
  }

  /** A tile was dragged: the order is the document's now. */
  #dropped(element) {
    const keys = [...this.#list.children].map(({ dataset }) => dataset.key);
    const to = keys.indexOf(element.dataset.key);
    const from = this.#place({ key: element.dataset.key });
    if (to === from) return;
    this.#keep(moved(this.#settled(), from, to), `${element.dataset.key} is at place ${to + 1} of ${keys.length}.`);
  }

  /** The current values as a file. */
  export() {
    const tiles = [...this.#tiles.values()].map(({ item }) => item);
    const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    save(`board-${time}.csv`, csv(tiles, this.#topics, this.#isLive, (name) => this.#isDown(name)));
  }
}
