// One connection, kept alive: connects, notices silence, comes back by itself.
//
// A message sets a flag, and a timer looks at it now and then: a clock read for each message would cost as much as the message.
// Browsers slow the timers of hidden pages down to one a minute. One that comes late first lets queued messages be read.
import { clamp } from "./names.js";
import { backOffMs, isAtOnce, isFinal, todo, withinMs } from "./retry.js";

/** Time for the upgrade and `connected` together. */
const OPEN_MS = 10_000;
/** Bounds of the time between signs of life that a server may name; timers count no further than a few weeks. */
const BEAT_MIN_MS = 500;
const BEAT_MAX_MS = 1_800_000;
/** A server that sends a client away sooner than this after `connected` does so again: the back-off goes on growing. */
const PROVEN_MS = 5_000;
/** A timer later than this was held back by the browser, not by the server. */
const LATE_MS = 1_000;

export class Link {
  /** @type {any} */
  status = { state: "connecting" };
  /** Tries in a row that did not even open: a browser does not tell a page why. */
  unopened = 0;
  /** Grows with each connection, so that a late answer of an older one is known as such. */
  turn = 0;

  #client;
  #socket;
  #attempt = 0;
  #opened = false;
  /** When the server let this client in. */
  #liveSince = Infinity;
  #beatMs;
  /** Something came since the timer last looked. */
  #heard;
  #watchTimer;
  #retryTimer;
  #window;

  constructor(client) {
    this.#client = client;
  }

  /** Sends a message; false when there is no open connection to send it on. Consoles are shown `shown`. */
  send(event, data, shown = data) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify({ event, data }));
    for (const name of ["message", "control"]) this.#client._show(name, event, shown, JSON.stringify({ event, data: shown }), true);
    return true;
  }

  /** Connects at once if it waits or has stopped, which both have the code of a close. */
  retry() {
    if (this.status.code) this.connect();
  }

  /** Leaves the connection, if there is one, and makes another. */
  async connect() {
    if (this.#client.isClosed) return undefined;
    const turn = this.turn + 1;
    this.rest({ state: "connecting" });
    let socket;
    try {
      socket = await this.#client._socket();
    } catch (error) {
      return turn === this.turn && this.lost(error.close ?? 1006, error.message);
    }
    socket.onerror = () => {}; // `close` follows; one that nobody hears would end a program in Node
    if (turn !== this.turn) return socket.close();
    this.#socket = socket;
    this.#beatMs = OPEN_MS;
    this.watch(OPEN_MS);
    socket.onopen = () => (this.#opened = true);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.lost(this.#client._identity?.judge(code) ?? code, reason);
  }

  /** Ends the connection as if it had been closed with that code. */
  lost(code, why) {
    // A connection that lasted ends the back-off; an open socket does not, nor does a server that lets in and sends away.
    if (performance.now() - this.#liveSince >= PROVEN_MS) this.#attempt = 0;
    const unopened = (this.unopened = this.#opened ? 0 : this.unopened + 1);
    if (isFinal(code)) return this.rest({ state: "stopped", code, why, todo: todo(code) });
    // "At once" is honoured once; a server that keeps saying it without staying gets the back-off.
    const delay = isAtOnce(code) && this.#attempt === 0 ? withinMs(this.#window) : backOffMs(this.#attempt, code);
    this.#attempt += 1;
    const state = globalThis.navigator?.onLine === false ? "offline" : "waiting";
    this.rest({ state, until: performance.now() + delay, code, why, unopened }, delay);
  }

  /**
   * Closes, and comes back after `delay`; without one not until it is woken or told to.
   * @param {number} [delay]
   */
  rest(status, delay) {
    clearTimeout(this.#watchTimer);
    clearTimeout(this.#retryTimer);
    this.#window = undefined;
    this.#liveSince = Infinity;
    this.#opened = false;
    this.turn += 1;
    const socket = this.#socket; // closed more than once, maybe: that is no fault
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    if (delay >= 0) this.#retryTimer = setTimeout(() => this.connect(), delay);
    this.become(status);
  }

  #received(text) {
    this.#heard = true;
    try {
      const { event, data } = JSON.parse(text) ?? {};
      if (typeof event !== "string" || data !== Object(data)) return;
      if (event === "connected") {
        this.#beatMs = clamp(data.heartbeat_ms, OPEN_MS / 2, BEAT_MIN_MS, BEAT_MAX_MS);
        this.#liveSince = performance.now();
        this.watch(this.#beatMs, 1);
      }
      if (event === "closing") this.#window = data.reconnect_ms;
      this.#client._received(event, data, text);
    } catch (error) {
      // No JSON, or of an odd shape. One message is lost, and the connection goes on.
      this.#client.emit("error", error);
    }
  }

  /** Something must arrive within `ms`, or within as much again for each one in `spare`. From then on, within two heartbeats. */
  watch(ms, spare = 0) {
    clearTimeout(this.#watchTimer);
    this.#heard = false;
    const due = performance.now() + ms;
    this.#watchTimer = setTimeout(() => {
      if (this.#heard) this.watch(this.#beatMs, 1);
      else if (performance.now() - due > LATE_MS) this.watch(LATE_MS);
      else if (spare) this.watch(ms, spare - 1);
      else this.lost(1006, "silence");
    }, ms);
  }

  become(status) {
    this.status = status;
    const step = status.state === "live" ? "open" : "shut";
    this.#client._commands[step](status);
    this.#client._wants[step]();
    this.#client.emit("status", status);
  }
}
