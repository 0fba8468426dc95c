// What a page tells of its life: shown, hidden, put aside, woken, without network. Elsewhere nothing is told.

export class Life {
  /** @param {AbortSignal} signal @param {{wake: () => void, rest: () => void, seen: (isSeen: boolean) => void}} hooks */
  constructor(signal, { wake, rest, seen }) {
    const page = globalThis.document;
    const listen = (target, event, handler) => target?.addEventListener?.(event, handler, { signal });
    listen(globalThis, "online", wake);
    listen(globalThis, "offline", wake); // an open connection may be fine: it is asked
    listen(globalThis, "pageshow", ({ persisted }) => persisted && wake());
    // A page with an open socket may not rest in the browser's back-forward cache.
    listen(globalThis, "pagehide", rest);
    listen(page, "resume", wake);
    listen(page, "visibilitychange", () => {
      seen(!page.hidden);
      if (!page.hidden) wake();
    });
  }
}
