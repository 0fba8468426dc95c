// Ticks as they come: the newest of each topic, what was missed, and who gets them.
import { covers, isPattern, list } from "./names.js";

/** Ticks are handed over this often while nobody sees the page, and where frames are held back. */
const FLUSH_MS = 1_000;
/** Jumps that follow each other this closely are told together. */
const GAP_MS = 50;

export const isOwn = (topic) => topic.startsWith("tickerd.");

export class Ticks {
  epoch;

  #client;
  /**
   * Topic → its newest tick, who reads it, whether only its newest matters, since when it is stale, and the last seq
   * of the connection before while none came on this one. And whose tick came after its last one.
   */
  #topics = new Map();
  /** The topic of the last tick. Beats name topics in one order, so the next one is guessed: finding it by name costs more. */
  #last = {};
  /** Readers that have something for the next flush. */
  #waiting = new Set();
  #timer;
  #missed = new Set();

  constructor(client) {
    this.#client = client;
  }

  /** One as a program gets it: the data of the message, and what is known besides. A copy would cost more than all else here. */
  made(event, data, text, stale = 0) {
    data.event = event;
    data.stale = stale;
    data.skipped = 0;
    data.text = text;
    return data;
  }

  latest(topic) {
    return this.#topics.get(topic) && this.#wanted(topic)?.tick;
  }

  take(event, data, text) {
    const { topic, seq, ts, to } = data;
    let state = this.#last.next;
    if (state?.topic !== topic || !state.readers) this.#last.next = state = this.#wanted(topic);
    if (!state) return; // it was on its way when the last one left
    this.#last = state;
    const tick = this.made(event, data, text, state.stale);
    // A direct message counts apart from its room.
    if (to === undefined) {
      const { tick: before, before: last } = state;
      state.before = undefined;
      if (seq > last + 1) this.#miss(topic);
      if (before) {
        if (seq < before.seq || (seq === before.seq && ts === before.ts)) return;
        // Another server counts on from a multiple of 2 ** 32: that is no jump.
        const skipped = seq - before.seq - 1;
        if (!isOwn(topic) && skipped > 0 && skipped < seq % 2 ** 32) tick.skipped = skipped;
      }
      state.tick = tick;
    }
    for (const one of state.readers) {
      if (!one.take(tick)) continue;
      if (!this.#waiting.size) this.#schedule();
      this.#waiting.add(one);
    }
  }

  /** Subscriptions or what was granted to them changed. */
  rerouted() {
    for (const state of this.#topics.values()) state.readers = undefined;
  }

  /** Nobody holds that name any more: what no other name wants is forgotten. */
  release(name) {
    for (const topic of this.#covered([name])) if (!this.#wanted(topic)) this.remove(topic);
  }

  /** The newest ticks of a subscription's topics. */
  newest({ topics }) {
    return list(this.#covered(topics).map((topic) => this.latest(topic)));
  }

  remove(topic) {
    const state = this.#topics.get(topic);
    // It may be guessed still, and must not hold those that came after it.
    if (state) state.readers = state.next = undefined;
    this.#last = {};
    this.#topics.delete(topic);
  }

  /** All of it: another user, or another history. */
  forget() {
    this.#topics.clear();
    this.#last = {};
  }

  /** A new connection, to the history of that name. */
  begin(epoch) {
    const all = [...this.#topics.keys()];
    const every = all.filter((topic) => !isOwn(topic) && !this.isState(topic));
    if (epoch === this.epoch) {
      // Where the server is told the position, it answers whether it had what was missed. Elsewhere the next tick tells.
      for (const topic of every) if (this.position(topic) === undefined) this.#topics.get(topic).before = this.latest(topic)?.seq;
    } else {
      this.gap(every, false, "restarted");
      this.forget();
      this.#client.emit("epoch", (this.epoch = epoch));
    }
    this.stale(all.filter((topic) => this.#topics.get(topic)?.stale), 0);
  }

  /** Where this client is in a topic of which each tick matters; undefined where that is of no use. */
  position = (name) => (isPattern(name) || this.#client._wants.granted(name)?.mode !== "all" ? undefined : this.latest(name)?.seq ?? 0);

  /** What the server granted, and whether it had what was missed. */
  granted(topics) {
    this.rerouted();
    for (const isRecovered of [true, false]) {
      const answers = topics.filter(({ recovered }) => recovered === isRecovered);
      this.gap(answers.map(({ topic }) => topic), isRecovered, "reconnected");
    }
  }

  stale(topics, since = 0) {
    for (const topic of topics) {
      const state = this.#wanted(topic);
      if (!state) continue;
      state.stale = since;
      if (state.tick) state.tick.stale = since;
    }
    if (topics[0]) this.#client.emit("stale", { topics, since });
  }

  gap(topics, recovered, why) {
    if (!topics[0]) return;
    this.flush(); // what came before the gap is handed over before it
    this.#client.emit("gap", { topics, recovered, why });
    for (const one of new Set(topics.flatMap((topic) => this.#client._wants.route(topic)))) {
      one.emit("gap", { topics: topics.filter((topic) => covers(one.topics, topic)), recovered, why });
    }
  }

  /** Hands over all that was collected. */
  flush() {
    clearTimeout(this.#timer);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const one of waiting) one.flush();
  }

  /** Whether only the newest of a topic matters. Of a pattern's topics that is not known. */
  isState(topic) {
    return this.#wanted(topic)?.isState;
  }

  /** The topics here that these names cover. */
  #covered(names) {
    return names.some(isPattern) ? [...this.#topics.keys()].filter((topic) => covers(names, topic)) : names;
  }

  /** What is known of a topic that somebody wants. */
  #wanted(topic) {
    let state = this.#topics.get(topic);
    if (state?.readers) return state;
    const { _wants } = this.#client;
    const readers = _wants.route(topic);
    if (!readers[0]) return undefined;
    if (!state) this.#topics.set(topic, (state = { topic, stale: 0 }));
    state.readers = [...readers, this.#client];
    state.isState = topic.startsWith("tickerd.bar.") || (_wants.granted(topic)?.mode === "latest" && readers.every(({ mode }) => mode !== "all"));
    return state;
  }

  /** The topic has jumped while there was no connection. That is a gap if each of its values matters. */
  #miss(topic) {
    if (this.#missed.add(topic).size > 1) return;
    setTimeout(async () => {
      const topics = [...this.#missed];
      this.#missed.clear();
      const gaps = import("./missed.js").then(({ gapsOf }) => gapsOf(this.#client, topics));
      this.gap(await gaps.catch(() => topics), false, "reconnected");
    }, GAP_MS);
  }

  #schedule() {
    const run = () => this.flush();
    if (!globalThis.document?.hidden) globalThis.requestAnimationFrame?.(run);
    this.#timer = setTimeout(run, FLUSH_MS);
  }
}
