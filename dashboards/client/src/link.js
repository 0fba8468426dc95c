// One connection, kept alive: connects, notices silence, comes back by itself.
//
// Browsers slow the timers of hidden pages down to one a minute, so nothing here beats: a deadline is stored,
// moved by every message, and a timer that comes late first gives queued messages a chance to be read.
import { MAX_MS, PROVEN_MS, SEEN_MS, backOffMs, isSentAway, todo, verdict, withinMs } from "./retry.js";

/** Time for the upgrade and `connected` together. */
const OPEN_MS = 10_000;
/** Bounds of the silence that a server may ask for; timers count no further than a few weeks. */
const SILENCE_MIN_MS = 1_000;
const SILENCE_MAX_MS = 3_600_000;
/** A timer later than this was held back by the browser, not by the server. */
const LATE_MS = 1_000;
/** After a wake-up, the time a live server has to say anything. */
const PROBE_MS = 5_000;

export class Link {
  /** @type {any} */
  status = { state: "connecting" };
  /** Tries in a row that did not even open: a browser does not tell a page why. */
  unopened = 0;
  /** Grows with each connection, so that a late answer of an older one is known as such. */
  turn = 0;

  #client;
  #socket = null;
  #attempt = 0;
  #opened = false;
  /** When the server let this client in. */
  #liveSince = Infinity;
  #silenceMs = OPEN_MS;
  #deadline = 0;
  #deadlineTimer;
  #retryTimer;
  #window;

  constructor(client) {
    this.#client = client;
  }

  /** Sends a message; false when there is no open connection to send it on. Consoles are shown `shown`. */
  send(event, data, shown = data) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify({ event, data }));
    this.#client._tell(true, event, shown, JSON.stringify({ event, data: shown }));
    return true;
  }

  /** Whether the last two tries did not even open. After one of another kind come two more, as the server may be back. */
  get isBarred() {
    return this.unopened % 3 === 2;
  }

  /** Connects at once if it waits or has stopped. */
  retry() {
    if (!["connecting", "live"].includes(this.status.state)) this.connect();
  }

  /** Something woke the page: do not wait out a back-off, and do not trust an old socket. */
  wake() {
    const { state } = this.status;
    if (state === "waiting" || state === "offline") this.connect();
    else if (state === "live" && this.send("ping", {})) this.#expect(PROBE_MS);
  }

  /** Leaves the connection, if there is one, and makes another. */
  async connect() {
    const turn = this.turn + 1;
    this.rest({ state: "connecting" });
    let socket;
    try {
      socket = this.#client._socket();
      if (socket.then) socket = await socket;
    } catch (error) {
      if (turn === this.turn) this.lost(error.close ?? 1006, error.message);
      return;
    }
    if (turn !== this.turn) return void socket.close();
    this.#socket = socket;
    this.#silenceMs = OPEN_MS;
    this.#expect(OPEN_MS);
    socket.onopen = () => (this.#opened = true);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.lost(this.#client._identity?.judge(code) ?? code, reason);
    socket.onerror = () => {}; // `close` follows
  }

  /** Ends the connection as if it had been closed with that code. */
  lost(code, why) {
    const asked = verdict(code);
    // `connected` ends the back-off; an open socket alone does not, nor does a server that lets in and sends away.
    if (performance.now() - this.#liveSince >= (isSentAway(code) ? PROVEN_MS : 0)) this.#attempt = 0;
    this.unopened = this.#opened ? 0 : this.unopened + 1;
    // A wait that the server asks for is not shortened for who looks at the page.
    const maxMs = globalThis.document?.hidden || isSentAway(code) ? MAX_MS : SEEN_MS;
    // "At once" is honoured once; a server that keeps saying it without staying gets the back-off.
    const once = asked === "at_once" && this.#attempt === 0;
    const delay = once ? withinMs(this.#window) : backOffMs(this.#attempt, maxMs);
    if (asked === "stop") return this.rest({ state: "stopped", code, why, todo: todo(code) });
    this.#attempt += 1;
    const isOffline = globalThis.navigator?.onLine === false;
    const { unopened } = this;
    this.rest(isOffline ? { state: "offline", code, why } : { state: "waiting", until: performance.now() + delay, code, why, unopened }, delay);
  }

  /** Closes, and comes back after `delay`; without one not until it is woken or told to. */
  rest(status, delay = undefined) {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#retryTimer);
    this.#deadlineTimer = this.#window = undefined;
    this.#liveSince = Infinity;
    this.#opened = false;
    this.turn += 1;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    if (delay !== undefined) this.#retryTimer = setTimeout(() => this.connect(), delay);
    this.become(status);
  }

  #received(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      // Not ours to repair; the next message stands alone.
    }
    const { event, data } = message ?? {};
    const isMessage = typeof event === "string" && data !== null && typeof data === "object";
    if (isMessage && event === "connected") {
      const { heartbeat_ms: beatMs } = data;
      if (Number.isFinite(beatMs)) this.#silenceMs = Math.min(Math.max(2 * beatMs, SILENCE_MIN_MS), SILENCE_MAX_MS);
      this.#liveSince = performance.now();
    }
    this.#expect(this.#silenceMs);
    if (!isMessage) return;
    if (event === "closing") this.#window = data.reconnect_ms;
    try {
      this.#client._received(event, data, text);
    } catch {
      // Of an odd shape. One message is lost, and the connection goes on.
      this.#client.emit("error", new Error(`the server's message "${event}" is not understood`));
    }
  }

  /** Something must arrive within `ms`. Cheap enough to call for every message: it only moves a number. */
  #expect(ms) {
    const before = this.#deadline;
    this.#deadline = performance.now() + ms;
    if (this.#deadlineTimer === undefined || this.#deadline < before) this.#arm(ms);
  }

  #arm(ms) {
    clearTimeout(this.#deadlineTimer);
    const due = performance.now() + ms;
    this.#deadlineTimer = setTimeout(() => {
      const now = performance.now();
      if (now < this.#deadline) this.#arm(this.#deadline - now);
      else if (now - due > LATE_MS) this.#arm(LATE_MS);
      else this.lost(1006, "the server fell silent");
    }, ms);
  }

  become(status) {
    this.status = status;
    this.#client._changed(status);
  }
}
