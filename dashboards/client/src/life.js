// What a page tells of its life: shown, hidden, put aside, woken, without network. Elsewhere nothing is told. And what is rare
// among what servers tell, with their clock.

import { list } from "./names.js";
import { isOwn } from "./ticks.js";

/** A page hidden for less is not slowed down. */
const HIDDEN_MS = 5_000;
/** After a wake-up, the time a live server has to say anything. */
const PROBE_MS = 5_000;

/** Whose numbers a granted topic has, or a pattern's topics of the server's own. */
const epochOf = ({ epoch, epochs }) => epoch ?? epochs?.tickerd;

/** Leads a client through it, once and until it is closed. */
export function lead(client) {
  if (client.isClosed || client._isLed) return;
  client._isLed = true;
  const { _link, _ticks, _wants, _options } = client;
  const ended = new AbortController();
  const { signal } = ended;
  client.on("close", () => ended.abort());
  const page = globalThis.document;
  const { hiddenRate = "5s" } = _options;
  let timer;
  const listen = (target, event, handler) => target?.addEventListener?.(event, handler, { signal });
  /** Something woke the page: do not wait out a back-off, and do not trust an old socket. */
  const wake = () => {
    const { state } = _link.status;
    if (state === "live") {
      _link.send("ping", {});
      _link.watch(PROBE_MS);
    } else if (state !== "stopped") _link.retry();
  };
  const slow = (floor) => {
    _wants.floor = floor;
    _wants.open();
  };
  const look = () => {
    clearTimeout(timer);
    _ticks.flush();
    if (page.hidden) timer = setTimeout(() => signal.aborted || slow(hiddenRate), HIDDEN_MS);
    else {
      slow(undefined);
      wake();
    }
  };
  let asked = 0;
  const ask = () => _link.send("ping", { t: (asked = Date.now()) });
  client.on("control", ({ out, event, data }) => {
    if (out) return;
    const { type, topics, patterns, epoch, skipped = 0 } = data;
    if (event === "connected") ask();
    // The answer tells the server's clock.
    if (data.t === asked && data.ts > 0) client._skewMs = data.ts - (asked + Date.now()) / 2;
    // Of `get`, also over the connection of another tab, which calls each answer so.
    if (data.values) for (const one of list(data.failed)) client.emit("failed", one);
    if (event === "notice" && type === "lag") client.emit(type, { by: "server", skipped });
    if (event === "notice" && type === "topics") {
      const removed = list(data.removed);
      for (const topic of removed) _ticks.remove(topic);
      client.emit(type, { added: list(data.added), removed, missed: !!data.missed });
    }
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
