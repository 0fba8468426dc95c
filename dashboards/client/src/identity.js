// Who one is: a token, where to get the next one, and how the server takes it. Loaded when there is a token.

/** After a token that could not be got while the old one is still good. */
const AGAIN_MS = 5_000;
/** Tokens refused in a row, after which another one would be refused as well. */
const REFUSED_MAX = 2;
/** Time for the answer to `auth`. */
const ANSWER_MS = 30_000;

export class Identity {
  /** The token in use; undefined until there is one, null where there is none to be had. */
  token;
  user;

  #client;
  #source;
  #reason = "connect";
  #refused = 0;
  /** The one question that is on its way. */
  #asking = null;
  #timer;
  /** The `auth` that has no answer yet: commands wait for it, as they may be another user's. */
  asked;
  #ids = 0;

  constructor(client) {
    this.#client = client;
    this.set(client._options.token);
  }

  /** Another source. What is on its way from the old one is dropped. True if the connection stays, and is told. */
  set(source) {
    this.#asking?.control.abort();
    this.#asking = this.asked = null;
    clearTimeout(this.#timer);
    this.#source = source;
    this.#reason = "connect";
    this.#refused = 0;
    this.token = typeof source === "function" ? undefined : source || null;
    // A shared connection has one token, so another one is another connection.
    const stays = this.#client.status.state === "live" && !this.#client._options.tabs && this.say();
    if (!stays) this.user = undefined;
    return stays;
  }

  /** The token for a new connection. It throws where there is to be no connection, or not yet. */
  ready() {
    return this.token === undefined ? this.#ask() : this.token;
  }

  /** Says the token on this connection; false if there is none. Without an answer the connection is given up. */
  say(token = this.token) {
    const id = (this.asked = token && `auth-${(this.#ids += 1)}`);
    if (!id) return false;
    const { turn } = this.#client._link;
    this.#client._link.send("auth", { id, token }, { id, token: "…" }); // a token is shown to nobody
    /** @type {any} */
    const timer = setTimeout(() => turn === this.#client._link.turn && id === this.asked && this.#client._link.lost(1006, "no answer"), ANSWER_MS);
    timer.unref?.(); // of no use to a program in Node that has nothing else to do
    return true;
  }

  /** Takes what the server says of tokens; true if it was that. */
  take(event, data) {
    const isAnswer = this.asked && data.id === this.asked;
    if (isAnswer) this.asked = null;
    if (event === "authenticated") {
      const { user } = this;
      this.user = data.user;
      // Of another user than the connection before: a token was set while that one was lost.
      if (user && user !== data.user) this.#client._restart();
      // Else of a cookie or a certificate, or of a token before this one, which has its own answer.
      else if (isAnswer) {
        this.#reason = "connect";
        this.#refused = 0;
        this.#known();
      }
      return true;
    }
    if (isAnswer) this.#error(data);
    else if (event === "notice") this.#notice(data);
    return isAnswer;
  }

  /** As which close code a close is to be treated: with a source of tokens, a refused one is not the end. */
  judge(code) {
    if (code === 4001 || code === 4008) this.#refused += 1;
    else if (code !== 4103) return code;
    if (typeof this.#source !== "function") return 4001;
    this.token = undefined;
    this.#reason = code === 4103 ? "expired" : "refused";
    if (this.#refused < REFUSED_MAX) return 4103;
    this.#refused = 0; // whoever tries again gets another one
    return 4001;
  }

  #notice(data) {
    if (data.type === "auth_expiring") {
      this.#client.emit("expiring", data);
      this.#renew(this.#client._link.turn);
    } else if (data.type === "revoked") {
      const { topics = [], patterns = [] } = data;
      const why = { code: 403, message: "the new token does not grant this" };
      const failed = [...topics.map((topic) => ({ topic, ...why })), ...patterns.map((pattern) => ({ pattern, ...why }))];
      this.#client._wants.granting({ failed });
    }
  }

  #known() {
    this.#client._commands.pump();
    this.#client._known();
  }

  #error({ code, message, temporary }) {
    if (code === 409) {
      // Of another user than the connection.
      this.user = undefined;
      this.#client._restart();
    } else if (code === 405) this.#known(); // this server asks nobody who they are
    else this.#client._link.lost(temporary ? 4104 : this.judge(4001), message);
  }

  /** The token ends soon. */
  async #renew(turn) {
    if (typeof this.#source !== "function") return;
    this.#reason = "expiring";
    const before = this.token;
    try {
      await this.#ask();
      if (turn === this.#client._link.turn) this.say();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.token = before;
      this.#timer = setTimeout(() => turn === this.#client._link.turn && this.#renew(turn), AGAIN_MS);
    }
  }

  /** Asks the source: once, however many want to know. */
  #ask() {
    if (this.#asking) return this.#asking.answer;
    const control = new AbortController();
    const source = this.#source;
    const answer = (async () => {
      const token = await source({ reason: this.#reason, signal: control.signal });
      control.signal.throwIfAborted();
      if (token === "") throw Object.assign(new Error("no token was given"), { close: 4001 });
      return (this.token = token ?? null);
    })();
    const asking = (this.#asking = { control, answer });
    const done = () => {
      if (this.#asking === asking) this.#asking = null;
    };
    answer.then(done, done);
    return answer;
  }
}
