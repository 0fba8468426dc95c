// When to connect again after a close, and when not to.

const MIN_MS = 250;
export const MAX_MS = 20_000;
/** The longest wait while somebody looks at the page. */
export const SEEN_MS = 5_000;
/** A server that sends a client away sooner than this after `connected` does so again: the back-off goes on growing. */
export const PROVEN_MS = 5_000;
/** No server keeps a client away for longer. */
const WINDOW_MAX_MS = 600_000;

const STOP = [1000, 1002, 1003, 1007, 1009];
const TODO = {
  1009: "send smaller messages",
  4000: "change the address, as the reason says",
  4001: "give another token",
  4003: "ask the operator to let you in",
  4004: "use a client of the server's version",
  4008: "give a token",
};

/** What a close code asks of a client: `stop`, `back_off` or `at_once`. */
export function verdict(code) {
  if (STOP.includes(code) || (code >= 4000 && code < 4100)) return "stop";
  return code === 1012 || (code >= 4200 && code < 4300) ? "at_once" : "back_off";
}

/** Whether a server that is well ended the connection on purpose, and not a fault on the way. */
export const isSentAway = (code) => code === 1012 || (code >= 4100 && code < 4300);

/** What helps after a close that says stop. */
export const todo = (code) => TODO[code] ?? "mend this client, then connect again";

/** Exponential back-off with full jitter: many clients that lost one server do not come back in one instant. */
export function backOffMs(attempt, maxMs = MAX_MS, random = Math.random) {
  const ceiling = Math.min(maxMs, MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.min(maxMs, MIN_MS + random() * ceiling);
}

/** A moment inside the window that `closing` named; half a second wide when it named none. */
export function withinMs(window, random = Math.random) {
  const named = Array.isArray(window) && window.length === 2 && window.every(Number.isFinite);
  const [from, to] = named ? window : [0, 500];
  return Math.min(WINDOW_MAX_MS, Math.max(0, from) + random() * Math.max(0, to - from));
}
