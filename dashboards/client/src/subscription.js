// What one part of a program wants: topics, how, and where their ticks go.
import { TickerdError } from "./commands.js";
import { disposing, onAbort } from "./emitter.js";
import { Outlet } from "./outlet.js";
import { Reader } from "./reader.js";

export class Subscription extends Reader {
  topics;
  ready;
  rate;

  #client;
  /** Loops over its ticks. */
  #loops = new Set();
  /** Names of which the server has said nothing yet. */
  #unknown;
  #settle;
  #granted = { topics: [], patterns: [], failed: [] };

  constructor(client, topics, { mode = "latest", rate = undefined, signal = undefined } = {}) {
    super((...lost) => client._ticks.lost(...lost));
    this.#client = client;
    this.topics = [...new Set([topics].flat())];
    this.mode = mode;
    this.rate = rate;
    this.#unknown = new Set(this.topics);
    this.ready = new Promise((...settle) => (this.#settle = settle));
    this.ready.catch(() => {}); // a program that does not look at it is told by `failed`
    onAbort(signal, () => this.close());
  }

  latest(topic) {
    return this.#client.latest(topic);
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#client._wants.release(this);
    this.#settle[1](new DOMException("the subscription was closed", "AbortError"));
    this._outlet.take();
    for (const { wake } of this.#loops) wake();
  }

  async [disposing]() {
    this.close();
  }

  /** Ticks as they come; the loop's end ends the subscription. */
  [Symbol.asyncIterator]() {
    const loop = { outlet: new Outlet((...lost) => this.#client._ticks.lost(...lost)), wake() {} };
    for (const tick of this._first("tick")) loop.outlet.add(tick, true);
    this.#loops.add(loop);
    return {
      next: async () => {
        while (loop.outlet.size === 0 && !this.isClosed) await new Promise((resolve) => (loop.wake = () => resolve(undefined)));
        const [value] = loop.outlet.take(1);
        return { value, done: !value };
      },
      return: async () => {
        this.#loops.delete(loop);
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  take(tick, isMerged, isFramed) {
    for (const { outlet, wake } of this.#loops) {
      outlet.add(tick, isMerged && this.mode !== "all");
      wake();
    }
    return super.take(tick, isMerged, isFramed);
  }

  /** The server has said of one of its names what it grants. */
  answered(kind, name, info) {
    if (!this.#unknown.delete(name)) return;
    this.#granted[kind].push(info);
    if (this.#unknown.size > 0) return;
    const { topics, patterns, failed } = this.#granted;
    if (topics.length + patterns.length > 0) this.#settle[0](this.#granted);
    else this.#settle[1](new TickerdError(failed[0].code, failed[0].message));
  }

  /** A handler of ticks begins with the newest that are here already, as with a snapshot. */
  _first(event) {
    return event === "tick" && !this.isClosed ? this.#client._ticks.newest(this) : [];
  }
}
