// `<tickerd-ticker topics="sim.*">`: a strip of topics, which moves where it is wider than its place.
import { Base } from "./base.js";
import { View, linkWords, make, say } from "./view.js";

const TOPICS_MAX = 200;
const PIXELS_PER_S = 50;

export class Ticker extends Base {
  /** Two views of each topic: the second strip follows the first one while it moves. */
  #views = new Map();
  #track;
  #strips;
  #state;
  #sizes;

  names() {
    return this.words("topics");
  }

  start() {
    if (!this.#track) {
      this.#track = make("div", "track", this.box);
      this.#strips = ["false", "true"].map((hidden) => make("div", "strip", this.#track, { "aria-hidden": hidden }));
      this.#state = make("div", "state", this.box, { role: "status" });
      this.#sizes = new ResizeObserver(() => this.invalidate());
    }
    this.#sizes.observe(this);
    const names = this.names();
    this.onRemoved([...this.#views.keys()].filter((topic) => !names.includes(topic) && !this.sub?.latest(topic)));
    for (const topic of names) if (!topic.includes("*")) this.onTick({ topic });
  }

  stop() {
    this.#sizes?.disconnect();
  }

  onTick({ topic }) {
    if (this.#views.has(topic) || this.#views.size >= TOPICS_MAX) return;
    this.#views.set(
      topic,
      this.#strips.map((strip) => new View(strip, topic)),
    );
  }

  onRemoved(topics) {
    for (const topic of topics) {
      for (const view of this.#views.get(topic) ?? []) view.row.remove();
      this.#views.delete(topic);
    }
  }

  draw() {
    const words = this.mistake || linkWords(this.link);
    const failed = this.names()
      .map((name) => name.includes("*") && this.link?.failed.get(name))
      .filter(Boolean);
    say(this.#state, words || failed[0] || (this.#views.size > 0 ? "" : "no value yet"));
    this.box.className = words && "lost";
    for (const [topic, views] of this.link ? this.#views : []) {
      // What is said of the connection is said once, beside the strip.
      for (const view of views) view.show(this, this.sub?.latest(topic), undefined, undefined, words && " ");
    }
    const width = this.#strips[0].scrollWidth;
    const speed = Number(this.get("speed") ?? PIXELS_PER_S);
    const isWide = width > this.clientWidth;
    this.#track.className = isWide && speed > 0 ? "moves" : "";
    this.#track.style.setProperty("--lap", `${width / speed}s`);
    // It can be scrolled, and stopped, with the keyboard too.
    for (const [name, text] of [
      ["tabindex", "0"],
      ["role", "group"],
      ["aria-label", this.get("label") ?? "Ticker"],
    ]) {
      if (isWide) this.#track.parentNode.setAttribute(name, text);
      else this.#track.parentNode.removeAttribute(name);
    }
  }
}
