// What a page tells of its life: shown, hidden, put aside, woken, without network. Elsewhere nothing is told. And what is rare
// among what servers tell.

import { list } from "./names.js";
import { isOwn } from "./ticks.js";

/** A page hidden for less is not slowed down. */
const HIDDEN_MS = 5_000;

/** Whose numbers a granted topic has, or a pattern's topics of the server's own. */
const epochOf = ({ epoch, epochs }) => epoch ?? epochs?.tickerd;

/** Leads a client through it, until it is closed. */
export function lead(client) {
  if (client.isClosed) return;
  const { _link, _ticks, _wants, _options } = client;
  const ended = new AbortController();
  const { signal } = ended;
  client.on("close", () => ended.abort());
  const page = globalThis.document;
  const { hiddenRate = "5s" } = _options;
  let timer;
  const listen = (target, event, handler) => target?.addEventListener?.(event, handler, { signal });
  const wake = () => _link.wake();
  const look = () => {
    clearTimeout(timer);
    _ticks.flush();
    if (page.hidden) timer = setTimeout(() => signal.aborted || _wants.slow(hiddenRate), HIDDEN_MS);
    else {
      _wants.slow(undefined);
      wake();
    }
  };
  client.on("control", ({ event, data: { type, topics, patterns, epoch, skipped = 0 } }) => {
    if (event === "notice" && type === "lag") client.emit(type, { by: "server", skipped });
    // Another server counts these topics from now on: positions in them are in its numbers.
    if (type === "reset" && epoch) for (const topic of list(topics)) Object.assign(_wants.granted(topic) ?? {}, { epoch });
    if (event !== "subscribed") return;
    // Each server counts its own topics from the beginning: what came from another one says nothing of what comes now.
    for (const info of [topics, patterns].flatMap(list)) {
      const name = info.topic ?? info.pattern;
      const before = _wants.granted(name);
      if (!before || !isOwn(name) || epochOf(before) === epochOf(info)) continue;
      for (const { topic } of _ticks.newest({ topics: [name] })) _ticks.remove(topic);
    }
  });
  listen(globalThis, "online", wake);
  listen(globalThis, "offline", wake); // an open connection may be fine: it is asked
  listen(globalThis, "pageshow", ({ persisted }) => persisted && wake());
  // A page with an open socket may not rest in the browser's back-forward cache.
  listen(globalThis, "pagehide", () => _link.rest({ state: "waiting", until: Infinity, code: 1000, why: "the page was put aside", unopened: 0 }));
  listen(page, "resume", wake);
  listen(page, "visibilitychange", look);
  if (page?.hidden) look();
}
