// When to connect again after a close, and when not to.

const MIN_MS = 250;
const MAX_MS = 20_000;
/** The longest wait while somebody looks at the page. */
const SEEN_MS = 5_000;

const STOP = [1000, 1002, 1003, 1007, 1009];
const TODO = {
  1000: "connect again",
  4000: "change the address",
  4001: "give another token",
  4003: "ask the operator",
  4008: "give a token",
};

/** Whether a client is to stay away after that close code. */
export const isFinal = (code) => STOP.includes(code) || (code >= 4000 && code < 4100);

/** Whether the server asks to come back at once. */
export const isAtOnce = (code) => code === 1012 || (code >= 4200 && code < 4300);

/** Whether a server that is well ended the connection on purpose, and not a fault on the way. */
export const isSentAway = (code) => isAtOnce(code) || (code >= 4100 && code < 4200);

/** What helps after a close that is final. */
export const todo = (code) => TODO[code] ?? "change this client";

/**
 * Exponential back-off with full jitter: many clients that lost one server do not come back in one instant.
 * A wait that the server asks for is not shortened for who looks at the page.
 */
export function backOffMs(attempt, code) {
  const maxMs = globalThis.document?.hidden || isSentAway(code) ? MAX_MS : SEEN_MS;
  return Math.min(maxMs, MIN_MS + Math.random() * Math.min(maxMs, MIN_MS * 2 ** attempt));
}

/** A moment inside the window that `closing` named; half a second wide when it named none. */
export function withinMs(window) {
  const [from, to] = Array.isArray(window) && window.length === 2 && window.every(Number.isFinite) ? window : [0, 500];
  return Math.max(0, from) + Math.random() * Math.max(0, to - from);
}
