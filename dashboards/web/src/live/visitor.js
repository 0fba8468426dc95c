// Who the reader is to the server: a token from the box goes to the client, and what the server says of it to the box.
import { closeWords, wantsToken } from "../head/closes.js";

const EXPIRED = /^token_expired/;

export class Visitor {
  /** Whether the server shows nothing without a token. */
  isShut = false;
  /** Called when the server knows the reader now, on a connection that was live before. */
  onKnown = () => {};

  #client;
  #box;
  /** Ends the wait for the server's word on a token. */
  #unheard = null;

  constructor(client, box) {
    this.#client = client;
    this.#box = box;
    box.onToken = () => {
      this.#hear();
      client.setIdentity(box.token);
    };
    // The client's own event is about a token that it was given. One in a cookie ends too.
    client.on("control", ({ event, data: { type, in_ms: ms } }) => {
      if (event !== "notice" || type !== "auth_expiring") return;
      const when = ms > 0 ? `in ${Math.ceil(ms / 1000)} s` : "soon";
      box.ask(`The token ends ${when}. Enter a new one.`);
    });
  }

  /** The connection's status is another. */
  link({ state, code, why }) {
    if (state === "live") {
      if (this.#box.token) this.#accepted();
    } else if (state === "stopped" && wantsToken(code)) {
      const hasEnded = EXPIRED.test(why);
      const hadToken = this.#box.token !== "";
      this.#unheard?.();
      this.#box.refused(`${hasEnded ? closeWords(4103) : closeWords(code)}. Enter a token.`);
      // There may be something to see for those without one.
      if (hadToken && hasEnded) queueMicrotask(() => this.#client.setIdentity(null));
    }
  }

  /** Something was not granted for want of a token. */
  need() {
    this.isShut = true;
    if (!this.#box.token) this.#box.ask("This server shows what it has to those who have a token.");
  }

  /** A live connection says by a message alone that it took a token. */
  #hear() {
    this.#unheard?.();
    if (this.#client.status.state !== "live") return;
    this.#unheard = this.#client.on("control", ({ out, event }) => {
      if (out || event !== "authenticated") return;
      this.#accepted();
      if (this.#client.status.state === "live") this.onKnown();
    });
  }

  #accepted() {
    this.#unheard?.();
    this.#unheard = null;
    this.isShut = false;
    this.#box.done();
  }
}
