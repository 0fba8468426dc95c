// Proves that a tick came from the server as it is: Ed25519 over its text. Loaded by who needs it.

/** Keys are asked for again no more often than this. */
const AGAIN_MS = 10_000;
const SIGNED = /^(.*),"sig":"([\w-]{86})","kid":"([\w-]{43})"\}\}$/s;

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** @type {typeof import("./verify.d.ts").verifier} */
export function verifier(client) {
  let keys = new Map();
  let asking = null;
  let askedAt = -Infinity;

  async function fetchKeys() {
    const { keys: listed } = await (await client.http("v1/keys")).json();
    const found = new Map();
    for (const { kid, kty, crv, x } of listed) {
      found.set(kid, await crypto.subtle.importKey("jwk", { kty, crv, x }, "Ed25519", false, ["verify"]));
    }
    keys = found;
  }

  return async ({ text }) => {
    const [, signed, sig, kid] = SIGNED.exec(text) ?? [];
    if (text && !kid) return false;
    if (!text || !globalThis.crypto?.subtle) return undefined;
    try {
      if (!keys.has(kid) && performance.now() - askedAt > AGAIN_MS) {
        askedAt = performance.now();
        asking = fetchKeys();
      }
      if (!keys.has(kid)) await asking;
      const key = keys.get(kid);
      return key !== undefined && (await crypto.subtle.verify("Ed25519", key, bytesOf(sig), new TextEncoder().encode(`${signed}}}`)));
    } catch {
      return undefined; // no keys, or a browser that does not know Ed25519
    }
  };
}
