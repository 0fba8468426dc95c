// Handlers of events, and the ends of things.

/** Calls it when the signal ends, or at once if it has. What it returns takes that back: a signal may live long. */
export function onAbort(signal, end) {
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  return () => signal?.removeEventListener("abort", end);
}

/** A handler that fails stops no other; it is reported as any error of the page. */
function call(handler, data) {
  try {
    handler(data);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** What has handlers, and an end. */
export class Emitter {
  isClosed = false;

  #handlers = { __proto__: null };

  /**
   * Calls `handler` at each `event`, until the function that it returns is called, or `signal` ends it.
   * @param {any} [options]
   */
  on(event, handler, options) {
    const first = this._first(event); // before it is one of them
    const all = (this.#handlers[event] ??= new Set());
    const one = { handler };
    const off = () => all.delete(one);
    all.add(one);
    const release = onAbort(options?.signal, off);
    queueMicrotask(() => first.forEach((data) => all.has(one) && call(handler, data)));
    return () => {
      off();
      release();
    };
  }

  /** What a new handler begins with. */
  _first(event) {
    return [];
  }

  has(event) {
    return this.#handlers[event]?.size;
  }

  emit(event, data) {
    for (const { handler } of this.#handlers[event] ?? []) call(handler, data);
  }

  close() {
    this.isClosed = true;
    this.emit("close");
    this.#handlers = { __proto__: null };
  }

  /** For `await using`; a browser without it never asks for this. */
  async [Symbol.asyncDispose]() {
    this.close();
  }
}
