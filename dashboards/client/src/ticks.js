// Ticks as they come: the newest of each topic, what was missed, and who gets them.
import { Outlet } from "./outlet.js";
import { covers, isPattern } from "./names.js";

/** Ticks are handed over this often while nobody sees the page, and where frames are held back. */
const FLUSH_MS = 1_000;
const ROUTES_MAX = 20_000;
const GAP_MS = 50;

const isOwn = (topic) => topic.startsWith("tickerd.");

export class Ticks {
  latest = new Map();
  epoch;

  #client;
  #stale = new Map();
  /** Topic → whether each of its values matters, where that is known. */
  #events = new Map();
  #routes = new Map();
  /** Topics whose next tick tells whether some were missed while there was no connection. */
  #returning = new Map();
  #missed = new Set();
  /** For handlers of the client's own. Subscriptions tell what is lost. */
  #outlet = new Outlet(() => {});
  #waiting = new Set();
  #isDue = false;
  #timer;

  constructor(client) {
    this.#client = client;
  }

  /** One as a program gets it. */
  made(event, data, text) {
    return { event, stale: this.#stale.get(data.topic) ?? 0, skipped: 0, text, ...data };
  }

  take(event, data, text) {
    const { topic, seq, ts, to } = data;
    const readers = this.#route(topic);
    if (readers.length === 0) return; // it was on its way when the last one left
    const tick = this.made(event, data, text);
    // A direct message counts apart from its room.
    if (to === undefined) {
      if (seq > this.#returning.get(topic) + 1) this.#miss(topic);
      this.#returning.delete(topic);
      const before = this.latest.get(topic);
      if (before) {
        if (seq < before.seq || (seq === before.seq && ts === before.ts)) return;
        if (!isOwn(topic)) tick.skipped = Math.max(0, seq - before.seq - 1);
      }
      this.latest.set(topic, tick);
    }
    // Of a pattern's topics it is not known whether each value matters, so none is merged. Within a frame there is seldom more than one.
    const isMerged = to === undefined && this.#isState(topic);
    const isFramed = this.#client._options.flush === "frame";
    let isLate = false;
    for (const one of readers) {
      if (!one.take(tick, isMerged, isFramed)) continue;
      this.#waiting.add(one);
      isLate = true;
    }
    if (this.#client.has("tick")) {
      this.#outlet.add(tick, isMerged && readers.every(({ mode }) => mode !== "all"));
      if (isFramed) isLate = true;
      else this.#whole();
    }
    if (isLate && !this.#isDue) this.#schedule();
  }

  /** Subscriptions came or went. */
  rerouted() {
    this.#routes.clear();
  }

  /** A subscription has ended: what nobody else wants is forgotten. */
  release(one) {
    this.rerouted();
    this.#waiting.delete(one);
    for (const topic of this.latest.keys()) if (covers(one.topics, topic) && this.#route(topic).length === 0) this.remove(topic);
  }

  /** The newest ticks of a subscription's topics. */
  newest({ topics }) {
    if (!topics.some(isPattern)) return topics.map((topic) => this.latest.get(topic)).filter(Boolean);
    return [...this.latest.values()].filter(({ topic }) => covers(topics, topic));
  }

  remove(topic) {
    for (const map of [this.latest, this.#stale, this.#events, this.#returning]) map.delete(topic);
  }

  /** All of it: another user, or another history. */
  forget() {
    for (const map of [this.latest, this.#stale, this.#returning]) map.clear();
  }

  /** A new connection, to the history of that name. */
  begin(epoch) {
    const every = [...this.latest.keys()].filter((topic) => !isOwn(topic) && this.#isEvery(topic) !== false);
    const isOther = this.epoch && epoch !== this.epoch;
    if (isOther && every.length > 0) this.gap(every, false, "restarted");
    if (isOther) this.forget();
    else for (const topic of every) if (this.position(topic) === undefined) this.#returning.set(topic, this.latest.get(topic).seq);
    this.stale([...this.#stale.keys()], 0);
    if (this.epoch !== epoch) this.#client.emit("epoch", (this.epoch = epoch));
  }

  /** Where this client is in a topic of which each tick matters; undefined where that is of no use. */
  position(name) {
    if (isPattern(name) || this.#client._wants.granted(name)?.mode !== "all") return undefined;
    return this.latest.get(name)?.seq ?? 0;
  }

  /** What the server granted, and whether it had what was missed. */
  granted({ topics }) {
    for (const isRecovered of [true, false]) {
      const names = topics.filter(({ recovered }) => recovered === isRecovered).map(({ topic }) => topic);
      if (names.length > 0) this.gap(names, isRecovered, "reconnected");
    }
  }

  stale(topics, since) {
    for (const topic of topics) {
      this.#stale.set(topic, since);
      if (!since) this.#stale.delete(topic);
      const tick = this.latest.get(topic);
      if (tick) tick.stale = since;
    }
    if (topics.length > 0) this.#client.emit("stale", { topics, since });
  }

  gap(topics, recovered, why) {
    this.flush(); // what came before the gap is handed over before it
    const gap = { topics, recovered, why };
    this.#client.emit("gap", gap);
    for (const one of new Set(topics.flatMap((topic) => this.#route(topic)))) {
      one.gap({ ...gap, topics: topics.filter((topic) => covers(one.topics, topic)) });
    }
  }

  /** A reader was too slow. */
  lost(skipped, topics) {
    this.#client.emit("lag", { by: "reader", skipped });
    queueMicrotask(() => this.gap(topics, false, "overflow"));
  }

  /** Hands over all that was collected. */
  flush() {
    this.#isDue = false;
    clearTimeout(this.#timer);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const one of waiting) one.flush();
    this.#whole();
  }

  #whole() {
    for (const tick of this.#outlet.take()) this.#client.emit("tick", tick);
  }

  #route(topic) {
    let found = this.#routes.get(topic);
    if (!found) {
      if (this.#routes.size >= ROUTES_MAX) this.#routes.clear();
      this.#routes.set(topic, (found = this.#client._wants.route(topic)));
    }
    return found;
  }

  #isState(topic) {
    return topic.startsWith("tickerd.bar.") || this.#client._wants.granted(topic)?.mode === "latest";
  }

  /** Whether each tick of a topic matters to somebody; undefined where that is not known. */
  #isEvery(topic) {
    if (this.#route(topic).some(({ mode }) => mode === "all")) return true;
    return this.#isState(topic) ? false : this.#events.get(topic);
  }

  /** The topic has jumped while there was no connection. That is a gap if each of its values matters, which the server knows. */
  #miss(topic) {
    if (this.#missed.add(topic).size > 1) return;
    setTimeout(async () => {
      const missed = [...this.#missed];
      this.#missed.clear();
      const unknown = missed.filter((one) => this.#isEvery(one) === undefined);
      for (const feed of new Set(unknown.map((one) => one.split(".")[0]))) {
        for (const one of await this.#client.topics(`${feed}.**`).catch(() => [])) this.#events.set(one.topic, one.class === "event");
      }
      const topics = missed.filter((one) => this.#isEvery(one) !== false);
      if (topics.length > 0) this.gap(topics, false, "reconnected");
    }, GAP_MS);
  }

  #schedule() {
    this.#isDue = true;
    const run = () => this.#isDue && this.flush();
    if (!globalThis.document?.hidden) globalThis.requestAnimationFrame?.(run);
    this.#timer = setTimeout(run, FLUSH_MS);
  }
}
