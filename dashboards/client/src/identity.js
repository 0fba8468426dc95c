// Who one is: a token, and where to get the next one.

/** After a token that could not be got while the old one is still good. */
const AGAIN_MS = 5_000;
/** Tokens refused in a row, after which another one would be refused as well. */
const REFUSED_MAX = 2;

/** An error with the close code that it is to be treated as. */
const closing = (close, message) => Object.assign(new Error(message), { close });

export class Identity {
  /** The token in use; undefined until there is one, null where there is none to be had. */
  token;

  #source;
  #reason = "connect";
  #refused = 0;
  /** The one question that is on its way. */
  #asking = null;
  #timer;

  constructor(source = null) {
    this.set(source);
  }

  /** Another source. What is on its way from the old one is dropped. */
  set(source) {
    this.#asking?.control.abort();
    this.#asking = null;
    clearTimeout(this.#timer);
    this.#source = source;
    this.#reason = "connect";
    this.#refused = 0;
    this.token = typeof source === "function" ? undefined : source || null;
  }

  /** The token for a new connection. It throws where there is to be no connection, or not yet. */
  ready() {
    return this.token === undefined ? this.#ask() : this.token;
  }

  /** The server took it. */
  accepted() {
    this.#refused = 0;
    this.#reason = "connect";
  }

  /** The server did not take it, or takes it no longer. The close code that is to follow: to try again with another, or to stop. */
  refused(reason) {
    if (reason === "refused") this.#refused += 1;
    if (typeof this.#source !== "function" || this.#refused >= REFUSED_MAX) return 4001;
    this.token = undefined;
    this.#reason = reason;
    return 4103;
  }

  /** The token ends soon: `send` gets the next one, if there is one, while `isCurrent` says that it is still of use. */
  async renew(isCurrent, send) {
    if (typeof this.#source !== "function") return;
    this.#reason = "expiring";
    const before = this.token;
    try {
      const token = await this.#ask();
      if (token && isCurrent()) send(token);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.token = before;
      this.#timer = setTimeout(() => isCurrent() && this.renew(isCurrent, send), AGAIN_MS);
    }
  }

  /** Asks the source: once, however many want to know. */
  #ask() {
    if (this.#asking) return this.#asking.answer;
    const control = new AbortController();
    const reason = this.#reason;
    const source = this.#source;
    const answer = (async () => {
      const token = await source({ reason, signal: control.signal });
      control.signal.throwIfAborted();
      if (token === "") throw closing(4001, "no token was given");
      this.token = token ?? null;
      return this.token;
    })();
    const asking = { control, answer };
    this.#asking = asking;
    const done = () => this.#asking === asking && (this.#asking = null);
    answer.then(done, done);
    return answer;
  }
}
