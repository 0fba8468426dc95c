// Commands and their answers: each waits for the connection, keeps the server's pace, and ends.

import { onAbort } from "./emitter.js";
import { clamp } from "./names.js";

/** A connection may send 18 commands at once, and then one each 110 ms; a little less than the server allows. */
const EACH_MS = 110;
const AHEAD_MS = 17 * EACH_MS;
/** Commands of a program that may have no answer yet. */
const OPEN_MAX = 256;
const ANSWER_MS = 30_000;

export class TickerdError extends Error {
  name = "TickerdError";

  /** @param {any} [more] what the server said besides */
  constructor(code, message, more) {
    super(message);
    this.code = code;
    this.temporary = more?.temporary === true;
    this.retryAfterMs = more?.retry_after_ms;
  }
}

/** What may go better another time. */
const failure = (code, message, temporary = true) => new TickerdError(code, message, { temporary });

export class Commands {
  #client;
  /** Id → a command that has no answer yet, in the order in which they were asked. */
  #open = new Map();
  #ids = 0;
  /** What was sent takes up the pace until then. */
  #busyUntil = 0;
  #timer;

  constructor(client) {
    this.#client = client;
  }

  /**
   * Resolves with the data of the answer. With `isBound` it ends with the connection, also if it was not sent.
   * @param {any} [options]
   */
  ask(event, data, options) {
    return new Promise((resolve, reject) => {
      const { state, why } = this.#client.status;
      if (state === "stopped") throw failure(0, why, false);
      if (this.#open.size >= OPEN_MAX && !options?.isBound) throw failure(429, "too many");
      const id = (this.#ids += 1);
      let release;
      const end = (error, answer) => {
        clearTimeout(timer);
        this.#open.delete(id);
        release?.();
        if (error) reject(error);
        else resolve(answer);
      };
      const timer = setTimeout(() => end(failure(408, "no answer")), ANSWER_MS);
      this.#open.set(id, { event, data: { id, ...data }, end, isBound: options?.isBound, isSent: false });
      release = onAbort(options?.signal, () => end(options.signal.reason));
      this.pump();
    });
  }

  /** A new connection takes commands. */
  open() {
    this.#busyUntil = 0;
    this.pump();
  }

  /** The connection is gone: whether the server did what was sent is not known. What was not sent waits, unless no other comes. */
  shut({ state, why }) {
    const isOver = state === "stopped";
    for (const { isSent, isBound, end } of [...this.#open.values()]) {
      if (isSent || isBound || isOver) end(failure(0, isSent ? "no answer" : why, !isOver));
    }
  }

  /** Takes an answer or an error; false when no command waits for it. */
  take(event, data) {
    const command = this.#open.get(data.id);
    if (!command?.isSent) return false;
    if (event !== "error") command.end(null, data);
    else if (data.code === 429) {
      // Refused, so not done: it may be sent again, when the server says.
      command.isSent = false;
      this.#busyUntil = performance.now() + AHEAD_MS + clamp(data.retry_after_ms, 1_000, 0, ANSWER_MS);
      this.pump();
    } else command.end(new TickerdError(data.code, data.message, data));
    return true;
  }

  /** Sends what may be sent. */
  pump() {
    clearTimeout(this.#timer);
    if (this.#client.status.state !== "live" || this.#client._identity?.asked) return;
    for (const command of this.#open.values()) {
      if (command.isSent) continue;
      const now = performance.now();
      const wait = this.#busyUntil - AHEAD_MS - now;
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      this.#busyUntil = Math.max(now, this.#busyUntil) + EACH_MS;
      command.isSent = this.#client._link.send(command.event, command.data);
    }
  }
}
