// A WebSocket in a worker. A browser's own socket interrupts the page for each message, which costs more than reading it;
// the worker (`worker_side.js`) hands over what has come meanwhile at once.

/** A client that waits for a connection gives up no sooner than this. */
const PATIENCE_MS = 5_000;

/** What looks like the class WebSocket, with its sockets in that worker. Where the worker fails, they are common ones. */
export function socketsIn(worker) {
  const open = new Map();
  let ids = 0;
  let failed;
  worker.onmessage = ({ data: { id, ...said } }) => open.get(id)?._took(said);
  const fail = (worker.onerror = () => {
    failed = true;
    worker.terminate();
    for (const one of [...open.values()]) one._took({ code: 1006, reason: "the worker has failed" });
  });

  return class WorkerSocket {
    readyState = 0;
    onopen;
    onmessage;
    onclose;
    onerror;

    #id = (ids += 1);
    #madeAt = performance.now();
    #isHeard = false;

    constructor(url, protocol) {
      if (failed) return /** @type {any} */ (new WebSocket(url, protocol));
      open.set(this.#id, this);
      worker.postMessage({ id: this.#id, url, protocol });
    }

    send(text) {
      worker.postMessage({ id: this.#id, text });
    }

    close() {
      if (!open.delete(this.#id)) return;
      const isUnopened = this.readyState === 0;
      this.readyState = 3;
      worker.postMessage({ id: this.#id, close: true });
      // Given up after a while without a word of the worker, not even that it has the socket: a browser tells nobody that it
      // has ended a worker.
      if (isUnopened && !this.#isHeard && performance.now() - this.#madeAt >= PATIENCE_MS) fail();
    }

    _took({ texts, isMade, isOpen, code, reason }) {
      this.#isHeard = true;
      if (isMade) return;
      if (isOpen) {
        this.readyState = 1;
        this.onopen?.();
      } else if (texts) {
        // Whoever reads one of them may close the socket.
        for (const data of texts) this.onmessage?.({ data });
        worker.postMessage({ id: this.#id, taken: true });
      } else {
        this.readyState = 3;
        open.delete(this.#id);
        this.onclose?.({ code, reason });
      }
    }
  };
}
