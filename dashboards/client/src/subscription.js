// What one part of a program wants: topics, how, and where their ticks go.
import { TickerdError } from "./commands.js";
import { Emitter, call, disposing, onAbort } from "./emitter.js";
import { Outlet } from "./outlet.js";

export class Subscription {
  topics;
  ready;
  mode;
  rate;
  isClosed = false;

  #client;
  #events = new Emitter();
  #outlet;
  /** Loops over its ticks. */
  #readers = new Set();
  #waiting;
  #settle;
  #granted = { topics: [], patterns: [], failed: [] };

  constructor(client, topics, { mode = "latest", rate = undefined, signal = undefined } = {}) {
    this.#client = client;
    this.topics = [...new Set([topics].flat())];
    this.mode = mode;
    this.rate = rate;
    this.#outlet = new Outlet((...lost) => client._ticks.lost(...lost));
    this.#waiting = new Set(this.topics);
    this.ready = new Promise((...settle) => (this.#settle = settle));
    this.ready.catch(() => {}); // a program that does not look at it is told by `failed`
    onAbort(signal, () => this.close());
  }

  /** A handler of ticks begins with the newest that are here already, as with a snapshot. */
  on(event, handler, options) {
    const newest = event === "tick" ? this.#newest() : [];
    let off = this.#events.on(event, handler, options);
    queueMicrotask(() => newest.forEach((tick) => off && !this.isClosed && call(handler, tick)));
    return () => {
      off?.();
      off = undefined;
    };
  }

  latest(topic) {
    return this.#client.latest(topic);
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#client._wants.release(this);
    this.#settle[1](new DOMException("the subscription was closed", "AbortError"));
    this.#outlet.take();
    for (const { wake } of this.#readers) wake();
  }

  async [disposing]() {
    this.close();
  }

  /** Ticks as they come; the loop's end ends the subscription. */
  [Symbol.asyncIterator]() {
    const reader = { outlet: new Outlet((...lost) => this.#client._ticks.lost(...lost)), wake() {} };
    for (const tick of this.#newest()) reader.outlet.add(tick, true);
    this.#readers.add(reader);
    return {
      next: async () => {
        while (reader.outlet.size === 0 && !this.isClosed) await new Promise((resolve) => (reader.wake = () => resolve(undefined)));
        const [value] = reader.outlet.take(1);
        return { value, done: value === undefined };
      },
      return: async () => {
        this.#readers.delete(reader);
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  /** A tick of one of its topics; true if it waits for the next flush. */
  take(tick, isMerged, isFramed) {
    const merges = isMerged && this.mode !== "all";
    for (const { outlet, wake } of this.#readers) {
      outlet.add(tick, merges);
      wake();
    }
    if (!this.#events.has("tick")) return false;
    if (isFramed) this.#outlet.add(tick, merges);
    else this.#events.emit("tick", tick);
    return isFramed;
  }

  /** Hands over what was collected. */
  flush() {
    for (const tick of this.#outlet.take()) this.#events.emit("tick", tick);
  }

  gap(gap) {
    this.#events.emit("gap", gap);
  }

  /** The server has said of one of its names what it grants. */
  answered(kind, name, info) {
    if (!this.#waiting.delete(name)) return;
    this.#granted[kind].push(info);
    if (this.#waiting.size > 0) return;
    const { topics, patterns, failed } = this.#granted;
    if (topics.length + patterns.length > 0) this.#settle[0](this.#granted);
    else this.#settle[1](new TickerdError(failed[0].code, failed[0].message));
  }

  #newest() {
    return this.isClosed ? [] : this.#client._ticks.newest(this);
  }
}
