// The worker's side of `worker.js`: the sockets themselves. What comes is handed over together, once the page has taken what it
// was given before; so a page that is busy has fewer and larger turns.

/** So long it is gathered: well within a frame. */
const GATHER_MS = 4;
/** Letters that may wait for a page that does not take them. Beyond that the connection is given up: the next one recovers. */
const KEPT_MAX = 32 * 1_024 * 1_024;

const sockets = new Map();

class Held {
  #id;
  #socket;
  #waiting = [];
  #letters = 0;
  /** The page has not taken the last ones yet. */
  #isAwaited = false;
  #timer;

  constructor(id, url, protocol) {
    this.#id = id;
    this.#socket = new WebSocket(url, protocol);
    this.#socket.onopen = () => this.#say({ isOpen: true });
    this.#socket.onmessage = ({ data }) => this.#keep(data);
    this.#socket.onclose = ({ code, reason }) => this.#end(code, reason);
  }

  send(text) {
    if (this.#socket.readyState === 1) this.#socket.send(text);
  }

  close() {
    clearTimeout(this.#timer);
    sockets.delete(this.#id);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  taken() {
    this.#isAwaited = false;
    if (this.#waiting.length > 0) this.#gather();
  }

  #keep(text) {
    this.#waiting.push(text);
    this.#letters += text.length;
    if (this.#letters > KEPT_MAX) {
      this.close();
      this.#say({ code: 1006, reason: "the page was too slow" });
    } else if (!this.#isAwaited) this.#gather();
  }

  #gather() {
    this.#timer ??= setTimeout(() => this.#hand(), GATHER_MS);
  }

  #hand() {
    this.#timer = undefined;
    this.#isAwaited = true;
    this.#letters = 0;
    this.#say({ texts: this.#waiting });
    this.#waiting = [];
  }

  /** The server, or the network, has ended it: what came before is read before. */
  #end(code, reason) {
    clearTimeout(this.#timer);
    sockets.delete(this.#id);
    if (this.#waiting.length > 0) this.#hand();
    this.#say({ code, reason });
  }

  #say(what) {
    postMessage({ id: this.#id, ...what });
  }
}

onmessage = ({ data: { id, url, protocol, text, taken } }) => {
  const one = sockets.get(id);
  if (url) {
    try {
      sockets.set(id, new Held(id, url, protocol));
      postMessage({ id, isMade: true });
    } catch (error) {
      // An address that this page may not connect to, say: the other sockets go on.
      postMessage({ id, code: 1006, reason: error.message });
    }
  } else if (text !== undefined) one?.send(text);
  else if (taken) one?.taken();
  else one?.close();
};
