// Who gets ticks: handlers, as they come or once per frame.
import { Emitter } from "./emitter.js";
import { Outlet } from "./outlet.js";

export class Reader extends Emitter {
  mode;

  /** @param {any} [client] the client, unless it is this */
  constructor(client) {
    super();
    this._client = client ?? this;
    this._outlet = new Outlet(this._client);
  }

  latest(topic) {
    return this._client._ticks.latest(topic);
  }

  /** Whether a newer tick replaces this one, if it still waits. */
  _isMerged({ topic, to }) {
    return this.mode !== "all" && to === undefined && this._client._ticks.isState(topic);
  }

  /** A tick of one of its topics; true if it waits for the next flush. */
  take(tick) {
    if (!this.has("tick")) return false;
    if (this._client._options.flush !== "frame") return this.emit("tick", tick);
    this._outlet.add(tick, this._isMerged(tick));
    return true;
  }

  /** Hands over what was collected. */
  flush() {
    for (const tick of this._outlet.take()) this.emit("tick", tick);
  }
}
