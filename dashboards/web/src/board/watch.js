// Follows rules: which topics each means, and whether it is quiet, pending, firing, acknowledged or over for each of them. Pure.
import { at, numeric } from "../data/fields.js";
import { holds, inWords, writeRule } from "./rules.js";
import { matcher, writeTarget } from "./target.js";

/** What began must have ended for so long before it is over: a figure that trembles about a threshold fires once. */
export const HOLD_MS = 5_000;
/** Pairs of a rule and a topic that are followed. */
export const WATCHES_MAX = 10_000;
/** Names looked up; they are looked up again beyond that. */
const NAMES_MAX = 20_000;

/** One rule and one topic. */
export class Watch {
  /** @type {"quiet" | "pending" | "firing" | "acknowledged" | "over"} */
  state = "quiet";
  /** Server's time at which it fired, or was over. */
  since = 0;
  /** The figure at which it fired, as it is written. */
  figure = "";

  #began = null;
  #ended = null;
  #isLost = false;

  constructor(rule, name) {
    this.rule = rule;
    this.name = name;
    this.key = `${name} ${writeRule(rule)}`;
  }

  get isOn() {
    return this.state === "firing" || this.state === "acknowledged";
  }

  /** What it says beside the topic's name: `alert: above 200`. */
  get brief() {
    return { firing: "alert: ", acknowledged: "acknowledged: ", over: "was " }[this.state] + inWords(this.rule);
  }

  /** What it says: `sim.AAPL is above 200: 201.30`. */
  get words() {
    const verb = this.state === "over" ? "was" : "is";
    const figure = this.figure && `: ${this.figure}`;
    return `${writeTarget({ name: this.name, path: this.rule.path })} ${verb} ${inWords(this.rule)}${figure}`;
  }

  /**
   * Looks at the topic, undefined while the page has none of that name. `now` is a clock that never goes back; without
   * `isKnown` nothing is known of the topic now, and what was pending begins again; `isDown`: its feed is known to be down. True when it fires.
   */
  look(topic, now, serverNow, isKnown, isDown = false) {
    if (this.#isLost && topic === undefined) return false;
    this.#isLost = false;
    const { rule } = this;
    let begins;
    let ends;
    if (rule.stale) {
      begins = isDown || (topic !== undefined && (topic.staleSince > 0 || topic.isOld));
      ends = !begins && isKnown;
    } else {
      const number = !isKnown || topic === undefined ? NaN : numberOf(topic, rule.path);
      begins = !Number.isNaN(number) && holds(rule, number);
      ends = !Number.isNaN(number) && (rule.until ? holds(rule.until, number) : !begins);
    }
    if (this.isOn) {
      this.#ended = ends ? (this.#ended ?? now) : null;
      // With its own end there is no trembling.
      if (ends && (rule.until || now - this.#ended >= HOLD_MS)) this.#end(serverNow);
      return false;
    }
    if (!begins) {
      this.#began = null;
      if (this.state === "pending") this.state = "quiet";
      return false;
    }
    this.#began ??= now;
    if (now - this.#began < rule.forMs) {
      if (this.state === "quiet") this.state = "pending";
      return false;
    }
    this.state = "firing";
    this.since = serverNow;
    this.#ended = null;
    return true;
  }

  #end(serverNow) {
    this.state = this.state === "firing" ? "over" : "quiet";
    this.since = serverNow;
    this.#began = this.#ended = null;
  }

  /** Its topic is no more: until it is back, nothing begins. */
  lose(serverNow) {
    this.#isLost = true;
    if (this.state !== "over") this.#end(serverNow);
  }

  /** Somebody has seen it. */
  acknowledge() {
    if (this.state === "firing") this.state = "acknowledged";
    else if (this.state === "over") this.state = "quiet";
  }
}

/** The figure that a rule looks at. */
const numberOf = (topic, path) =>
  path === null || path === topic.figures[0] ? topic.number : numeric(at(topic.value, path));

export class Watches {
  #rules = [];
  /** Topic → its watches: a tick costs what its own rules cost. */
  #byName = new Map();
  #watches = new Map();

  get rules() {
    return this.#rules.map(({ rule }) => rule);
  }

  /** Takes rules; what was firing goes on where its rule is still there. */
  take(rules) {
    this.#rules = rules.map((rule) => ({ rule, text: writeRule(rule), matches: matcher(rule.name) }));
    const texts = new Set(this.#rules.map(({ text }) => text));
    for (const [key, { rule }] of this.#watches) if (!texts.has(writeRule(rule))) this.#watches.delete(key);
    this.#byName.clear();
  }

  /** The watches of a topic. */
  of(name) {
    const known = this.#byName.get(name);
    if (known) return known;
    if (this.#byName.size >= NAMES_MAX) this.#byName.clear();
    const found = [];
    for (const { rule, text, matches } of this.#rules) {
      if (!matches(name)) continue;
      const key = `${name} ${text}`;
      let watch = this.#watches.get(key);
      if (!watch && this.#watches.size >= WATCHES_MAX) continue;
      if (!watch) this.#watches.set(key, (watch = new Watch(rule, name)));
      found.push(watch);
    }
    this.#byName.set(name, found);
    return found;
  }

  /** Forgets what is quiet and of topics that are no more. */
  prune(isThere) {
    for (const [key, { name, state }] of this.#watches) {
      if (state !== "quiet" || isThere(name)) continue;
      this.#watches.delete(key);
      this.#byName.delete(name);
    }
  }

  all() {
    return this.#watches.values();
  }

  /** How many topics a rule follows. */
  count(rule) {
    const text = writeRule(rule);
    let count = 0;
    for (const { key, name } of this.#watches.values()) if (key === `${name} ${text}`) count += 1;
    return count;
  }
}
