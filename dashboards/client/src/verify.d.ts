import type { Client, Tick } from "./index.js";

/**
 * Makes a function that says of a tick whether the server signed it as it is: `true`, `false`, or `undefined` where
 * that cannot be known here (no WebCrypto with Ed25519, the keys cannot be had, or a tick of `history` or `get`, which comes without
 * its message).
 */
export function verifier(client: Client): (tick: Tick) => Promise<boolean | undefined>;
