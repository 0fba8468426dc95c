// Ticks as they come: the newest of each topic, what was missed, and who gets them.
import { isPattern, matches } from "./names.js";
import { Outlet } from "./outlet.js";

/** While nobody sees the page, ticks are handed over this often; also where frames are held back. */
const FLUSH_MS = 1_000;
const ROUTES_MAX = 20_000;
/** Lists of topics are asked for no more often. */
const LIST_MS = 2_000;
const GAP_MS = 50;

const isOwn = (topic) => topic.startsWith("tickerd.");

export class Ticks {
  latest = new Map();
  epoch;

  #client;
  #isFramed;
  #outlet = new Outlet();
  #stale = new Map();
  /** Topic → `state` or `event`: states are merged, events are not. */
  #classes = new Map();
  #routes = new Map();
  /** Topics whose next tick tells whether some were missed while there was no connection. */
  #returning = new Map();
  #missed = new Set();
  /** Names of which it is not known yet whether each value matters. */
  #unknown = new Set();
  #waiting = new Set();
  #isDue = false;
  #timer;
  #learning;
  #listAt = 0;

  /** @param {{wants: any, emit: (event: string, data: any) => void, has: (event: string) => boolean, list: (match: string) => Promise<any[]>}} client */
  constructor(client, isFramed) {
    this.#client = client;
    this.#isFramed = isFramed;
  }

  /** One as a program gets it. */
  made(event, data, text) {
    return { event, stale: this.#stale.get(data.topic) ?? 0, skipped: 0, text, ...data };
  }

  take(event, data, text) {
    const { topic, seq, ts } = data;
    const readers = this.#route(topic);
    if (readers.length === 0) return; // it was on its way when the last one left
    const tick = this.made(event, data, text);
    if (data.to === undefined) {
      const was = this.#returning.get(topic);
      this.#returning.delete(topic);
      if (seq > was + 1) this.#miss(topic);
      const before = this.latest.get(topic);
      if (before) {
        if (seq < before.seq || (seq === before.seq && ts === before.ts)) return;
        if (!isOwn(topic)) tick.skipped = Math.max(0, seq - before.seq - 1);
      }
      this.latest.set(topic, tick);
    }
    this.#deliver(tick, readers, data.to === undefined && this.#isMerged(topic, readers));
  }

  /** A subscription begins. */
  hold() {
    this.#routes.clear();
  }

  /** The newest ticks of a subscription's topics. */
  newest({ topics }) {
    if (!topics.some(isPattern)) return topics.map((topic) => this.latest.get(topic)).filter(Boolean);
    return [...this.latest.values()].filter(({ topic }) => covers(topics, topic));
  }

  /** A subscription has ended: what nobody else wants is forgotten. */
  release(one) {
    this.#routes.clear();
    this.#waiting.delete(one);
    for (const topic of this.latest.keys()) if (covers(one.topics, topic) && this.#client.wants.route(topic).length === 0) this.remove(topic);
  }

  remove(topic) {
    for (const map of [this.latest, this.#stale, this.#classes, this.#routes, this.#returning]) map.delete(topic);
  }

  /** All of it: another user, or another history. */
  forget() {
    for (const map of [this.latest, this.#stale, this.#routes, this.#returning]) map.clear();
  }

  /** A new connection, to the history of that name. */
  begin(epoch) {
    const every = [...this.latest.keys()].filter((topic) => !isOwn(topic) && (this.#isUnknown(topic) || this.#isEvery(topic)));
    this.#stale.clear();
    for (const tick of this.latest.values()) tick.stale = 0;
    const isOther = this.epoch !== undefined && epoch !== this.epoch;
    if (isOther) this.forget();
    this.#returning.clear();
    if (!isOther) for (const topic of every) if (this.position(topic) === undefined) this.#returning.set(topic, this.latest.get(topic).seq);
    const before = this.epoch;
    this.epoch = epoch;
    if (before !== epoch) this.#client.emit("epoch", epoch);
    if (isOther && every.length > 0) this.gap(every, false, "restarted");
  }

  /** Where this client is in a topic of which each tick matters; undefined where that is of no use. */
  position(name) {
    if (isPattern(name) || this.#client.wants.granted(name)?.mode !== "all") return undefined;
    return this.latest.get(name)?.seq ?? 0;
  }

  /** What the server granted, and whether it had what was missed. */
  granted({ topics }) {
    const told = { true: [], false: [] };
    for (const { topic, mode, recovered } of topics) {
      if (mode === "all" && !this.#client.wants.route(topic).some((one) => one.mode === "all")) this.#classes.set(topic, "event");
      if (recovered !== undefined) told[recovered].push(topic);
    }
    for (const [recovered, names] of Object.entries(told)) if (names.length > 0) this.gap(names, recovered === "true", "reconnected");
  }

  stale(topics, since) {
    for (const topic of topics) {
      if (since) this.#stale.set(topic, since);
      else this.#stale.delete(topic);
      const tick = this.latest.get(topic);
      if (tick) tick.stale = since;
    }
    this.#client.emit("stale", { topics, since });
  }

  gap(topics, recovered, why) {
    this.flush(); // what came before the gap is handed over before it
    const gap = { topics, recovered, why };
    this.#client.emit("gap", gap);
    const own = new Map();
    for (const topic of topics) for (const one of this.#route(topic)) own.set(one, [...(own.get(one) ?? []), topic]);
    for (const [one, its] of own) one.gap({ ...gap, topics: its });
  }

  /** Hands over all that was collected. */
  flush() {
    this.#isDue = false;
    clearTimeout(this.#timer);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const one of waiting) one.flush();
    for (const tick of this.#outlet.take()) this.#client.emit("tick", tick);
    for (const one of waiting) this.#losses(one);
  }

  #route(topic) {
    let found = this.#routes.get(topic);
    if (!found) {
      if (this.#routes.size >= ROUTES_MAX) this.#routes.clear();
      this.#routes.set(topic, (found = this.#client.wants.route(topic)));
    }
    return found;
  }

  #isUnknown(topic) {
    return !this.#classes.has(topic) && this.#client.wants.granted(topic)?.mode !== "latest" && !this.#isEvery(topic);
  }

  #isEvery(topic) {
    return this.#classes.get(topic) === "event" || this.#route(topic).some((one) => one.mode === "all");
  }

  #isMerged(topic, readers) {
    if (isOwn(topic)) return !topic.startsWith("tickerd.bars.");
    const known = this.#classes.get(topic);
    if (known) return known === "state";
    const granted = this.#client.wants.granted(topic);
    if (granted?.mode === "latest") return true;
    const all = readers.every(({ mode }) => mode === "all");
    if (!all && granted && readers.every(({ mode }) => mode !== "all")) return false; // an event, as nobody asked for all
    const pattern = readers.flatMap(({ topics }) => topics).find((name) => isPattern(name) && matches(name, topic));
    if (!all) this.#learn(granted ? topic : (pattern ?? topic));
    return false;
  }

  /** A pattern does not say of its topics whether each value matters. Until the server has said, none is merged. */
  #learn(name) {
    this.#unknown.add(name);
    this.#learning ??= new Promise((resolve) => {
      setTimeout(async () => {
        const names = [...this.#unknown];
        this.#unknown.clear();
        for (const one of names) for (const { topic, class: its } of await this.#client.list(one).catch(() => [])) this.#classes.set(topic, its);
        this.#listAt = performance.now() + LIST_MS;
        this.#learning = undefined;
        resolve();
      }, this.#listAt - performance.now());
    });
    return this.#learning;
  }

  /** The topic has jumped while there was no connection. That is a gap if each of its values matters. */
  #miss(topic) {
    this.#missed.add(topic);
    if (this.#missed.size > 1) return;
    setTimeout(async () => {
      const missed = [...this.#missed];
      this.#missed.clear();
      const unknown = missed.filter((one) => this.#isUnknown(one));
      await Promise.all(unknown.map((one) => this.#learn(one)));
      const topics = missed.filter((one) => this.#isUnknown(one) || this.#isEvery(one));
      if (topics.length > 0) this.gap(topics, false, "reconnected");
    }, GAP_MS);
  }

  #deliver(tick, readers, isMerged) {
    let isLate = false;
    for (const one of readers) {
      if (one.take(tick, isMerged, this.#isFramed)) {
        this.#waiting.add(one);
        isLate = true;
      } else if (one.hasLost) this.#losses(one);
    }
    if (this.#client.has("tick")) {
      if (this.#isFramed) this.#outlet.add(tick, isMerged && readers.every(({ mode }) => mode !== "all"));
      else this.#client.emit("tick", tick);
      isLate ||= this.#isFramed;
    }
    if (isLate && !this.#isDue) this.#schedule();
  }

  #schedule() {
    this.#isDue = true;
    const run = () => this.#isDue && this.flush();
    if (!globalThis.document?.hidden) globalThis.requestAnimationFrame?.(run);
    this.#timer = setTimeout(run, FLUSH_MS);
  }

  #losses(one) {
    const { lost, topics } = one.losses();
    if (lost === 0) return;
    this.#client.emit("lag", { by: "reader", skipped: lost });
    this.gap(topics, false, "overflow");
  }
}

const covers = (names, topic) => names.some((name) => name === topic || (isPattern(name) && matches(name, topic)));
