// When to connect again after a close, and when not to.

export const RETRY_MIN_MS = 250;
export const RETRY_MAX_MS = 20_000;
/** The longest wait while somebody looks at the page. */
export const RETRY_SEEN_MS = 5_000;
/** A server that sends a client away sooner than this after `connected` does so again: the back-off goes on growing. */
export const PROVEN_MS = 5_000;

/**
 * What a close code asks of a client: `stop`, `back_off` or `at_once`.
 * 40xx says that trying again changes nothing; 42xx and 1012 say that the server is fine, or soon will be.
 */
export function verdict(code) {
  if (code >= 4000 && code < 4100) return "stop";
  if ((code >= 4200 && code < 4300) || code === 1012) return "at_once";
  return "back_off";
}

/** Whether a server that is well ended the connection on purpose, and not a fault on the way. */
export const isSentAway = (code) => code === 1012 || (code >= 4100 && code < 4300);

/** Exponential back-off with full jitter: many pages that lost one server do not come back in one instant. */
export function backOffMs(attempt, maxMs = RETRY_MAX_MS, random = Math.random) {
  const ceiling = Math.min(maxMs, RETRY_MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.min(maxMs, RETRY_MIN_MS + random() * ceiling);
}

/** A moment inside the window that the server's `closing` named; half a second wide when it named none. */
export function withinMs(window, random = Math.random) {
  const [from, to] =
    Array.isArray(window) && window.length === 2 && window.every(Number.isFinite) ? window : [0, 500];
  return Math.max(0, from) + random() * Math.max(0, to - from);
}
