// What one part of a program wants: topics, how, and where their ticks go.
import { TickerdError } from "./commands.js";
import { onAbort } from "./emitter.js";
import { Outlet } from "./outlet.js";
import { Reader } from "./reader.js";

export class Subscription extends Reader {

  /** Names of which the server has said nothing yet. */
  #unknown;
  #settle;
  #granted = { topics: [], patterns: [], failed: [] };

  /** @param {any} [options] */
  constructor(client, topics, options) {
    super(client);
    this.topics = [...new Set([topics].flat())];
    this.mode = options?.mode;
    this.rate = options?.rate ?? client._options.rate ?? "";
    this.#unknown = new Set(this.topics);
    this.ready = new Promise((...settle) => (this.#settle = settle));
    this.ready.catch(() => {}); // a program that does not look at it is told by `failed`
    client._wants.hold(this);
    this.on("close", onAbort(options?.signal, () => this.close()));
  }

  close() {
    if (this.isClosed) return;
    super.close();
    this._client._wants.release(this);
    this.#settle[1](AbortSignal.abort().reason);
  }

  /** Ticks as they come; the loop's end ends the subscription. */
  [Symbol.asyncIterator]() {
    const outlet = new Outlet(this._client);
    const waiting = [];
    const wake = () => waiting.splice(0).forEach((go) => go());
    this.on("tick", (tick) => {
      outlet.add(tick, this._isMerged(tick));
      wake();
    });
    this.on("close", wake);
    const next = async () => {
      const [value] = outlet.take(1);
      if (value || this.isClosed) return { value, done: !value };
      await new Promise((resolve) => waiting.push(resolve));
      return next();
    };
    const end = async () => {
      this.close();
      return { done: true };
    };
    return { next, return: end };
  }

  /** The server has said of one of its names what it grants, or with which code it refuses. */
  answered(info) {
    if (!this.#unknown.delete(info.topic ?? info.pattern)) return;
    const { topics, patterns, failed } = this.#granted;
    const granted = info.topic ? topics : patterns;
    (info.code ? failed : granted).push(info);
    if (this.#unknown.size) return;
    if (topics[0] ?? patterns[0]) this.#settle[0](this.#granted);
    else this.#settle[1](new TickerdError(info.code, info.message, info));
  }

  /** A handler of ticks begins with the newest that are here already, as with a snapshot. */
  _first(event) {
    if (event !== "tick" || this.isClosed) return [];
    this._client._ticks.flush(); // what waits is for the handlers before
    return this._client._ticks.newest(this);
  }
}
