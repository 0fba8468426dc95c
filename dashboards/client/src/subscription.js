// What one part of a program wants: topics, how, and where their ticks go.
import { Emitter } from "./emitter.js";
import { Outlet } from "./outlet.js";

export class Subscription {
  topics;
  ready;
  mode;
  rate;
  outlet = new Outlet();
  isClosed = false;

  #client;
  #events = new Emitter();
  #readers = new Set();
  #waiting;
  #settle;
  #granted = { topics: [], patterns: [], failed: [] };

  /** @param {{latest: (topic: string) => any, newest: (one: Subscription) => any[], release: (one: Subscription) => void}} client */
  constructor(client, topics, { mode = "latest", rate = undefined, signal = undefined } = {}) {
    this.#client = client;
    this.topics = [...new Set(typeof topics === "string" ? [topics] : topics)];
    this.mode = mode;
    this.rate = rate;
    this.#waiting = new Set(this.topics);
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.ready.catch(() => {}); // a program that does not look at it is told by `failed`
    if (signal?.aborted) this.close();
    signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  /** A handler of ticks begins with the newest that are here already, as with a snapshot. */
  on(event, handler, options) {
    const off = this.#events.on(event, handler, options);
    const newest = event === "tick" && !this.isClosed ? this.#client.newest(this) : [];
    queueMicrotask(() => this.isClosed || this.#events.repeat("tick", handler, newest));
    return off;
  }

  latest(topic) {
    return this.#client.latest(topic);
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#client.release(this);
    this.#settle.reject(new DOMException("the subscription was closed", "AbortError"));
    this.outlet.take();
    for (const reader of this.#readers) reader.wake();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    this.close();
  }

  /** Ticks as they come; the loop's end ends the subscription. */
  [Symbol.asyncIterator]() {
    const reader = { outlet: new Outlet(), wake: () => {} };
    for (const tick of this.isClosed ? [] : this.#client.newest(this)) reader.outlet.add(tick, true);
    this.#readers.add(reader);
    const end = () => {
      this.#readers.delete(reader);
      return { value: undefined, done: true };
    };
    return {
      next: async () => {
        while (reader.outlet.size === 0) {
          if (this.isClosed) return end();
          await new Promise((resolve) => (reader.wake = resolve));
        }
        return { value: reader.outlet.shift(), done: false };
      },
      return: async () => {
        this.close();
        return end();
      },
    };
  }

  /** A tick of one of its topics. */
  take(tick, isMerged, isFlushed) {
    const merges = isMerged && this.mode !== "all";
    for (const reader of this.#readers) {
      reader.outlet.add(tick, merges);
      reader.wake();
    }
    if (!this.#events.has("tick")) return false;
    if (!isFlushed) this.#events.emit("tick", tick);
    else this.outlet.add(tick, merges);
    return isFlushed;
  }

  /** Hands over what was collected. */
  flush() {
    for (const tick of this.outlet.take()) {
      if (this.isClosed) return;
      this.#events.emit("tick", tick);
    }
  }

  get hasLost() {
    return [this, ...this.#readers].some(({ outlet }) => outlet.lost > 0);
  }

  /** Takes what readers could not: how many ticks, of which topics. */
  losses() {
    const topics = new Set();
    let lost = 0;
    for (const { outlet } of [this, ...this.#readers]) {
      lost += outlet.lost;
      for (const topic of outlet.lostTopics) topics.add(topic);
      outlet.lost = 0;
      outlet.lostTopics.clear();
    }
    return { lost, topics: [...topics] };
  }

  gap(gap) {
    this.#events.emit("gap", gap);
  }

  /** The server has said of some of its names what it grants. */
  answered(kind, name, info) {
    if (!this.#waiting.delete(name)) return;
    this.#granted[kind].push(info);
    if (this.#waiting.size > 0) return;
    const { topics, patterns, failed } = this.#granted;
    if (topics.length + patterns.length > 0 || failed.length === 0) this.#settle.resolve(this.#granted);
    else this.#settle.reject(Object.assign(new Error(failed[0].message), { name: "TickerdError", ...failed[0] }));
  }
}
