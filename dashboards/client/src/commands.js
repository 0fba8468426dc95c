// Commands and their answers: each waits for the connection, keeps the server's pace, and ends.

import { onAbort } from "./emitter.js";

/** What a connection may send at once, and then each second; a little less than the server allows. */
const BURST = 18;
const PER_S = 9;
/** Commands that may wait. */
const WAITING_MAX = 256;
const ANSWER_MS = 30_000;
const TRIES = 4;

export class TickerdError extends Error {
  constructor(code, message, { temporary = false, retry_after_ms: retryAfterMs = undefined } = {}) {
    super(message);
    this.name = "TickerdError";
    this.code = code;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Commands {
  #client;
  #isOpen = false;
  #waiting = [];
  #sent = new Map();
  #ids = 0;
  #allowance = BURST;
  #allowedAt = 0;
  #timer;

  constructor(client) {
    this.#client = client;
  }

  /** Resolves with the data of the answer. */
  ask(event, data = {}, { signal = undefined } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= WAITING_MAX) {
        throw new TickerdError(429, `${WAITING_MAX} commands wait already; wait for their answers`, { temporary: true });
      }
      const command = { id: undefined, event, data, tries: 0, resolve, reject, timer: undefined };
      command.timer = setTimeout(() => this.#end(command, new TickerdError(408, "there was no answer within 30 s", { temporary: true })), ANSWER_MS);
      onAbort(signal, () => this.#end(command, signal.reason));
      this.#waiting.push(command);
      this.#pump();
    });
  }

  /** The connection takes commands. */
  open() {
    this.#isOpen = true;
    this.#allowance = BURST;
    this.#allowedAt = performance.now();
    this.#pump();
  }

  /** The connection is gone: whether the server did what was sent is not known. What was not sent waits, unless no other comes. */
  shut({ state, why }) {
    this.#isOpen = false;
    const lost = new TickerdError(0, "the connection was lost before the answer", { temporary: true });
    for (const command of [...this.#sent.values()]) this.#end(command, lost);
    if (state === "stopped") for (const command of [...this.#waiting]) this.#end(command, new TickerdError(0, why));
  }

  /** Takes an answer or an error; false when no command waits for it. */
  take(event, data) {
    const command = this.#sent.get(data.id);
    if (!command) return false;
    if (event !== "error") this.#end(command, null, data);
    else if (data.code === 429 && (command.tries += 1) < TRIES) {
      this.#sent.delete(data.id);
      // Refused, so not done: it may be sent again.
      setTimeout(() => {
        if (command.timer === undefined) return;
        this.#waiting.push(command);
        this.#pump();
      }, data.retry_after_ms ?? 1_000);
    } else this.#end(command, new TickerdError(data.code, data.message, data));
    return true;
  }

  #end(command, error, data = undefined) {
    if (command.timer === undefined) return;
    clearTimeout(command.timer);
    command.timer = undefined;
    this.#sent.delete(command.id);
    const at = this.#waiting.indexOf(command);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (error) command.reject(error);
    else command.resolve(data);
  }

  #pump() {
    if (!this.#isOpen) return;
    const now = performance.now();
    this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#allowedAt) * PER_S) / 1_000);
    this.#allowedAt = now;
    while (this.#waiting.length > 0 && this.#allowance >= 1) {
      const command = this.#waiting[0];
      command.id = this.#ids += 1;
      if (!this.#client._link.send(command.event, { id: command.id, ...command.data })) return;
      this.#waiting.shift();
      this.#sent.set(command.id, command);
      this.#allowance -= 1;
    }
    clearTimeout(this.#timer);
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#pump(), ((1 - this.#allowance) * 1_000) / PER_S + 1);
  }
}
