// What all subscriptions together want, and what the server was told of it: the difference is sent.
import { isPattern, matches, rateMs } from "./names.js";

/** Bytes of names in one command; the server takes 64 KiB, unless configured otherwise. */
const NAMES_BYTES = 24_000;

export class Wants {
  /** The slowest rate that will do while nobody looks, or undefined. */
  floor;

  #client;
  /** Name → the subscriptions that hold it. */
  #holders = new Map();
  /** Name → what the server was told on this connection: `mode rate`. */
  #told = new Map();
  /** Name → what the server granted. */
  #granted = new Map();
  #dirty = new Set();
  #isDue = false;
  /** Ends with the connection. */
  #turn = null;

  constructor(client) {
    this.#client = client;
  }

  get subscriptions() {
    return new Set([...this.#holders.values()].flatMap((set) => [...set]));
  }

  /** What the server granted of a name that is still wanted, on this connection or the one before. */
  granted(name) {
    return this.#holders.has(name) ? this.#granted.get(name) : undefined;
  }

  /** The subscriptions that a topic's ticks go to. */
  route(topic) {
    const found = new Set(this.#holders.get(topic));
    for (const [name, holders] of this.#holders) {
      if (isPattern(name) && matches(name, topic)) for (const one of holders) found.add(one);
    }
    return [...found];
  }

  hold(subscription) {
    this.#client._ticks.rerouted();
    for (const name of subscription.topics) {
      if (!this.#holders.has(name)) this.#holders.set(name, new Set());
      this.#holders.get(name).add(subscription);
      const info = this.#granted.get(name);
      if (info && this.#told.has(name)) subscription.answered(isPattern(name) ? "patterns" : "topics", name, info);
      this.#mark(name);
    }
  }

  release(subscription) {
    for (const name of subscription.topics) {
      const holders = this.#holders.get(name);
      holders?.delete(subscription);
      if (holders?.size === 0) this.#holders.delete(name);
      this.#mark(name);
    }
    this.#client._ticks.release(subscription);
  }

  /** A new connection: nothing is told yet. */
  open() {
    this.shut();
    this.#turn = new AbortController();
    this.slow(this.floor);
  }

  /** The connection is gone. What was granted is known until the next one: recovery needs it. */
  shut() {
    this.#turn?.abort(new Error("the connection is gone"));
    this.#turn = null;
    this.#told.clear();
  }

  /** What failed may be granted now, as rights are others. */
  again() {
    for (const name of this.#holders.keys()) {
      if (!this.#granted.has(name)) this.#told.delete(name);
      this.#mark(name);
    }
  }

  forget() {
    this.#granted.clear();
  }

  slow(floor) {
    this.floor = floor;
    for (const name of this.#holders.keys()) this.#mark(name);
  }

  #mark(name) {
    this.#dirty.add(name);
    // A topic that a pattern also covers is asked for as the more demanding of the two.
    if (isPattern(name)) for (const other of this.#holders.keys()) if (!isPattern(other) && matches(name, other)) this.#dirty.add(other);
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#flush();
    });
  }

  /** The most demanding of what is wanted of a name, as `[mode, rate]`. */
  #wanted(name) {
    let mode = "latest";
    let rate;
    const exact = this.#holders.get(name);
    const others = isPattern(name) ? [] : this.route(name);
    for (const one of new Set([...exact, ...others])) {
      if (one.mode === "all") mode = "all";
      const own = one.rate ?? this.#client._options.rate ?? "";
      if (rate === undefined || rateMs(own) < rateMs(rate)) rate = own;
    }
    if (mode === "latest" && this.floor && rateMs(rate) < rateMs(this.floor)) rate = this.floor;
    return [mode, rate];
  }

  #flush() {
    if (!this.#turn) return;
    const groups = new Map();
    const gone = [];
    for (const name of this.#dirty) {
      if (!this.#holders.has(name)) {
        this.#granted.delete(name);
        if (this.#told.delete(name)) gone.push(name);
        continue;
      }
      const wanted = this.#wanted(name).join(" ");
      if (this.#told.get(name) === wanted) continue;
      // On a new connection: where this client was before.
      const position = this.#told.has(name) ? undefined : this.#client._ticks.position(name);
      this.#told.set(name, wanted);
      const key = `${wanted} ${position !== undefined}`;
      if (!groups.has(key)) groups.set(key, new Map());
      groups.get(key).set(name, position);
    }
    this.#dirty.clear();
    for (const names of split(gone)) this.#ask("unsubscribe", { topics: names }).catch(() => {});
    // Positions first: the newest that a pattern brings would hide what was missed before it.
    for (const [key, positions] of [...groups].sort(([a], [b]) => b.endsWith("true") - a.endsWith("true"))) {
      const [mode, rate, returns] = key.split(" ");
      for (const topics of split([...positions.keys()])) {
        const since = { epoch: this.#client._ticks.epoch, seq: Object.fromEntries(topics.map((topic) => [topic, positions.get(topic)])) };
        this.#subscribe({ topics, ...(rate && { rate }), ...(mode === "all" && { mode }), ...(returns === "true" && { since }) });
      }
    }
  }

  async #subscribe(data) {
    let answer;
    try {
      answer = await this.#ask("subscribe", data);
    } catch (error) {
      if (!error.code) return; // the connection is gone, or nobody wants it any more
      answer = { topics: [], patterns: [], failed: data.topics.map((topic) => ({ topic, code: error.code, message: error.message })) };
    }
    this.granting(answer);
    this.#client._ticks.granted(answer);
  }

  /** Takes what the server says of subscriptions. */
  granting({ topics = [], patterns = [], failed = [] }) {
    for (const [kind, list] of Object.entries({ topics, patterns, failed })) {
      for (const info of list) {
        const name = info.topic ?? info.pattern;
        if (kind === "failed") this.#granted.delete(name);
        else this.#granted.set(name, info);
        for (const one of this.#holders.get(name) ?? []) one.answered(kind, name, info);
        if (kind === "failed") this.#client.emit("failed", info);
      }
    }
  }

  #ask(event, data) {
    return this.#client._commands.ask(event, data, { signal: this.#turn.signal });
  }
}

/** Parts of a list of names, each fit for one command. */
function split(names) {
  const parts = [];
  let bytes = Infinity;
  for (const name of names) {
    bytes += name.length + 24;
    if (bytes > NAMES_BYTES || parts.at(-1).length >= 1_000) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1).push(name);
  }
  return parts;
}
