// Who gets ticks: handlers, as they come or once per frame.
import { Emitter } from "./emitter.js";
import { Outlet } from "./outlet.js";

export class Reader extends Emitter {
  mode;
  _outlet;

  /** @param {(skipped: number, topics: string[]) => void} onLost called when ticks are lost, as it was too slow */
  constructor(onLost) {
    super();
    this._outlet = new Outlet(onLost);
  }

  /** A tick of one of its topics; true if it waits for the next flush. */
  take(tick, isMerged, isFramed) {
    if (!this.has("tick")) return false;
    if (isFramed) this._outlet.add(tick, isMerged && this.mode !== "all");
    else this.emit("tick", tick);
    return isFramed;
  }

  /** Hands over what was collected. */
  flush() {
    for (const tick of this._outlet.take()) this.emit("tick", tick);
  }
}
