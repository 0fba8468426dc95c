// What one part of a program wants: topics, how, and where their ticks go.
import { TickerdError } from "./commands.js";
import { disposing, onAbort } from "./emitter.js";
import { Reader } from "./reader.js";

export class Subscription extends Reader {
  topics;
  ready;
  rate;

  /** Names of which the server has said nothing yet. */
  #unknown;
  #settle;
  #granted = { topics: [], patterns: [], failed: [] };

  constructor(client, topics, { mode = "latest", rate = undefined, signal = undefined } = {}) {
    super(client);
    this.topics = [...new Set([topics].flat())];
    this.mode = mode;
    this.rate = rate;
    this.#unknown = new Set(this.topics);
    this.ready = new Promise((...settle) => (this.#settle = settle));
    this.ready.catch(() => {}); // a program that does not look at it is told by `failed`
    onAbort(signal, () => this.close());
  }

  latest(topic) {
    return this._client.latest(topic);
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this._client._wants.release(this);
    this.#settle[1](new DOMException("the subscription was closed", "AbortError"));
    this._outlet.take();
    this.emit("close");
  }

  async [disposing]() {
    this.close();
  }

  /** Ticks as they come; the loop's end ends the subscription. */
  [Symbol.asyncIterator]() {
    const outlet = this._newOutlet();
    let wake;
    this.on("tick", (tick) => {
      outlet.add(tick, this._isMerged(tick));
      wake?.();
    });
    this.on("close", () => wake?.());
    return {
      next: async () => {
        for (;;) {
          const [value] = outlet.take(1);
          if (value || this.isClosed) return { value, done: !value };
          await new Promise((resolve) => (wake = resolve));
        }
      },
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
    };
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
    return event === "tick" && !this.isClosed ? this._client._ticks.newest(this) : [];
  }
}
