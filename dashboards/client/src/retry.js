// When to connect again after a close, and when not to.

import { clamp } from "./names.js";

const MIN_MS = 250;
const MAX_MS = 20_000;
/** The longest wait while somebody looks at the page. */
const SEEN_MS = 5_000;

/** No server keeps a client away for longer. */
const WINDOW_MAX_MS = 600_000;
/** Whether a client is to stay away after that close code. */
export const isFinal = (code) => /^(100[02379]|40..)$/.test(code);

/** Whether the server asks to come back at once. */
export const isAtOnce = (code) => /^(1012|42..)$/.test(code);

/** Whether a server that is well ended the connection on purpose, and not a fault on the way. */
export const isSentAway = (code) => /^(1012|4[12]..)$/.test(code);

/** What helps after a close that is final. */
export const todo = (code) => (code === 4000 ? "change the address" : /^400[18]$/.test(code) ? "give another token" : "ask the operator");

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
  const [from, to] = window?.every?.(Number.isFinite) ? window : [];
  return clamp(from + Math.random() * (to - from), Math.random() * 500, 0, WINDOW_MAX_MS);
}
