// One WebSocket to the daemon, kept alive: connects, notices silence, comes back by itself.
//
// Browsers slow the timers of hidden pages down to one a minute, so nothing here beats: a deadline is stored,
// moved by every message, and a timer that comes late first gives queued messages a chance to be read.
import {
  PROVEN_MS,
  RETRY_MAX_MS,
  RETRY_SEEN_MS,
  backOffMs,
  isSentAway,
  verdict,
  withinMs,
} from "./retry.js";

const SUBPROTOCOL = "tickerd.v1.json";
/** Time for the upgrade and `connected` together. */
const OPEN_MS = 10_000;
/** A timer later than this was held back by the browser, not by the server. */
const LATE_MS = 1_000;
/** After a wake-up, the time a live server has to say anything. */
const PROBE_MS = 5_000;

/**
 * `unopened` counts the tries in a row that did not even open: a browser does not tell a page why.
 * @typedef {{name: "connecting"} | {name: "live"} | {name: "waiting", until: number, code: number, reason: string, unopened: number}
 *   | {name: "stopped", code: number, reason: string}} State
 */
export class Connection {
  /** @type {State} */
  state = { name: "connecting" };
  /** Set by the owner. */
  onState = () => {};
  onMessage = () => {};

  #url;
  #socket = null;
  #attempt = 0;
  #opened = false;
  #unopened = 0;
  #liveSince = 0;
  #silenceMs = OPEN_MS;
  #deadline = 0;
  #deadlineTimer = 0;
  #retryTimer = 0;
  #reconnectWindow = null;

  constructor(url) {
    this.#url = url;
  }

  start() {
    addEventListener("online", () => this.wake());
    addEventListener("pageshow", (event) => event.persisted && this.wake());
    addEventListener("pagehide", (event) => event.persisted && this.#lost(1000, "the page was put aside"));
    document.addEventListener(
      "visibilitychange",
      () => document.visibilityState === "visible" && this.wake(),
    );
    document.addEventListener("resume", () => this.wake());
    this.#connect();
  }

  /** Sends a command; false when there is no open connection to send it on. */
  send(event, data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ event, data }));
    return true;
  }

  /** Connects at once if waiting or stopped. */
  retryNow() {
    if (this.state.name === "waiting" || this.state.name === "stopped") this.#connect();
  }

  /** Leaves the connection, if there is one, and connects anew. */
  again() {
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
    }
    this.#connect();
  }

  /** Something woke the page: do not wait out a back-off, and do not trust an old socket. */
  wake() {
    if (this.state.name === "waiting") this.#connect();
    else if (this.state.name === "live" && this.send("ping", {})) this.#expect(PROBE_MS);
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    this.#reconnectWindow = null;
    this.#become({ name: "connecting" });
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#silenceMs = OPEN_MS;
    this.#expect(OPEN_MS);
    this.#opened = false;
    socket.onopen = () => (this.#opened = true);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #received(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not ours to repair; the next frame stands alone
    }
    const { event, data } = message ?? {};
    if (typeof event !== "string" || data === null || typeof data !== "object") return;
    if (event === "connected") {
      if (data.heartbeat_ms > 0) this.#silenceMs = 2 * data.heartbeat_ms;
      this.#liveSince = performance.now();
      this.#become({ name: "live" });
    } else if (event === "closing") {
      this.#reconnectWindow = data.reconnect_ms;
    }
    this.#expect(this.#silenceMs);
    this.onMessage(event, data, text);
  }

  /** Something must arrive within `ms`. Cheap enough to call for every message: it only moves a number. */
  #expect(ms) {
    const before = this.#deadline;
    this.#deadline = performance.now() + ms;
    if (!this.#deadlineTimer || this.#deadline < before) this.#arm(ms);
  }

  #arm(ms) {
    clearTimeout(this.#deadlineTimer);
    const due = performance.now() + ms;
    this.#deadlineTimer = setTimeout(() => {
      const now = performance.now();
      if (now < this.#deadline) this.#arm(this.#deadline - now);
      else if (now - due > LATE_MS) this.#arm(LATE_MS);
      else this.#lost(1006, "the server fell silent");
    }, ms);
  }

  #lost(code, reason) {
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const asked = verdict(code);
    // `connected` ends the back-off; an open socket alone does not, nor does a server that lets in and sends away.
    const lived = this.#liveSince > 0 ? performance.now() - this.#liveSince : -1;
    if (lived >= (isSentAway(code) ? PROVEN_MS : 0)) this.#attempt = 0;
    this.#liveSince = 0;
    this.#unopened = this.#opened ? 0 : this.#unopened + 1;
    if (asked === "stop") {
      this.#become({ name: "stopped", code, reason });
      return;
    }
    // A wait that the server asks for is not shortened for who looks at the page.
    const maxMs = document.hidden || isSentAway(code) ? RETRY_MAX_MS : RETRY_SEEN_MS;
    // "At once" is honoured once; a server that keeps saying it without staying gets the back-off.
    const delay =
      asked === "at_once" && this.#attempt === 0
        ? withinMs(this.#reconnectWindow)
        : backOffMs(this.#attempt, maxMs);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#become({ name: "waiting", until: performance.now() + delay, code, reason, unopened: this.#unopened });
  }

  #become(state) {
    this.state = state;
    this.onState(state);
  }
}
