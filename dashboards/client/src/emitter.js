// Handlers of events.

export class Emitter {
  #handlers = new Map();

  /** Calls `handler` at each `event`, until the function that it returns is called, or `signal` ends it. */
  on(event, handler, { signal = undefined } = {}) {
    if (signal?.aborted) return () => {};
    const one = { handler };
    if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
    this.#handlers.get(event).add(one);
    const off = () => this.#handlers.get(event).delete(one);
    signal?.addEventListener("abort", off, { once: true });
    return off;
  }

  has(event) {
    return this.#handlers.get(event)?.size > 0;
  }

  emit(event, data) {
    for (const { handler } of this.#handlers.get(event) ?? []) call(handler, data);
  }

  /** Calls one handler for each of these, if it still listens. */
  repeat(event, handler, all) {
    for (const data of all) if ([...(this.#handlers.get(event) ?? [])].some((one) => one.handler === handler)) call(handler, data);
  }
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
