// A WebSocket in a worker. A browser's own socket interrupts the page for each message, which costs more than reading it;
// the worker (`worker_side.js`) hands over what has come meanwhile at once.

/** What looks like the class WebSocket, with its sockets in that worker. Where the worker fails, they are common ones. */
export function socketsIn(worker) {
  const open = new Map();
  let ids = 0;
  let failed;
  let isHeard = false;
  worker.onmessage = ({ data: { id, ...said } }) => {
    isHeard = true;
    open.get(id)?._took(said);
  };
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

    constructor(url, protocol) {
      if (failed) return /** @type {any} */ (new WebSocket(url, protocol));
      open.set(this.#id, this);
      isHeard = false;
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
      // Given up before a word of the worker, for this socket or another: a browser tells nobody that it has ended a worker.
      if (isUnopened && !isHeard) fail();
    }

    _took({ texts, isOpen, code, reason }) {
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
