// Commands and their answers: each waits for the connection, keeps the server's pace, and ends.

import { onAbort } from "./emitter.js";

/** What a connection may send at once, and then each second; a little less than the server allows. */
const BURST = 18;
const PER_S = 9;
/** Commands that may have no answer yet. */
const OPEN_MAX = 256;
const ANSWER_MS = 30_000;
const TRIES = 4;

export class TickerdError extends Error {
  name = "TickerdError";

  constructor(code, message, { temporary = false, retry_after_ms: retryAfterMs = undefined } = {}) {
    super(message);
    this.code = code;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }
}

const failure = (code, message) => new TickerdError(code, message, { temporary: true });

export class Commands {
  #client;
  /** Id → a command that has no answer yet, in the order in which they were asked. */
  #open = new Map();
  #ids = 0;
  #allowance = BURST;
  #allowedAt = 0;
  #timer;

  constructor(client) {
    this.#client = client;
  }

  /** Resolves with the data of the answer. With `isBound` it ends with the connection, also if it was not sent. */
  ask(event, data = {}, { signal = undefined, isBound = false } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#open.size >= OPEN_MAX) throw failure(429, `${OPEN_MAX} commands have no answer yet; wait for them`);
      const id = (this.#ids += 1);
      const end = (error, answer) => {
        clearTimeout(timer);
        this.#open.delete(id);
        if (error) reject(error);
        else resolve(answer);
      };
      const timer = setTimeout(() => end(failure(408, "no answer within 30 s")), ANSWER_MS);
      this.#open.set(id, { id, event, data, end, isBound, isSent: false, tries: 0 });
      onAbort(signal, () => end(signal.reason));
      this.#pump();
    });
  }

  /** A new connection takes commands. */
  open() {
    this.#allowance = BURST;
    this.#allowedAt = performance.now();
    this.#pump();
  }

  /** The connection is gone: whether the server did what was sent is not known. What was not sent waits, unless no other comes. */
  shut({ state, why }) {
    for (const { isSent, isBound, end } of [...this.#open.values()]) {
      if (state === "stopped") end(new TickerdError(0, why));
      else if (isSent || isBound) end(failure(0, "the connection was lost before the answer"));
    }
  }

  /** Takes an answer or an error; false when no command waits for it. */
  take(event, data) {
    const command = this.#open.get(data.id);
    if (!command?.isSent) return false;
    if (event !== "error") command.end(null, data);
    else if (data.code === 429 && (command.tries += 1) < TRIES) {
      // Refused, so not done: it may be sent again, when the server says.
      command.isSent = false;
      const afterMs = Number.isFinite(data.retry_after_ms) ? Math.min(Math.max(data.retry_after_ms, 0), ANSWER_MS) : 1_000;
      this.#allowance = 1 - (afterMs * PER_S) / 1_000;
      this.#allowedAt = performance.now();
      this.#pump();
    } else command.end(new TickerdError(data.code, data.message, data));
    return true;
  }

  #pump() {
    const now = performance.now();
    this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#allowedAt) * PER_S) / 1_000);
    this.#allowedAt = now;
    clearTimeout(this.#timer);
    if (this.#client.status.state !== "live") return;
    for (const command of this.#open.values()) {
      if (command.isSent) continue;
      if (this.#allowance < 1) {
        this.#timer = setTimeout(() => this.#pump(), ((1 - this.#allowance) * 1_000) / PER_S + 1);
        return;
      }
      const { id, event, data } = command;
      command.isSent = this.#client._link.send(event, { id, ...data });
      this.#allowance -= 1;
    }
  }
}
