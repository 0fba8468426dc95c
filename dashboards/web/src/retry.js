// When to connect again after a close, and when not to.

export const RETRY_MIN_MS = 250;
export const RETRY_MAX_MS = 20_000;
/** A connection that lived shorter than this did not prove the server well: the back-off goes on growing. */
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

/** Exponential back-off with full jitter: many pages that lost one server do not come back in one instant. */
export function backOffMs(attempt, random = Math.random) {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.min(RETRY_MAX_MS, RETRY_MIN_MS + random() * ceiling);
}

/** A moment inside the window that the server's `closing` named; half a second wide when it named none. */
export function withinMs(window, random = Math.random) {
  const [from, to] =
    Array.isArray(window) && window.length === 2 && window.every(Number.isFinite) ? window : [0, 500];
  return Math.max(0, from) + random() * Math.max(0, to - from);
}
