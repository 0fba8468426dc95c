// `@tickerd/client`: live ticks from tickerd, in browsers, workers and Node.
import { Client } from "./client.js";
import { TickerdError } from "./commands.js";
import { matches } from "./names.js";

export { TickerdError, matches };

/** @type {any} */
export const connect = (url, options) => {
  if (url?.constructor === Object) return connect(null, url);
  return new Client(addressOf(url), options ?? {});
};

/** Without an address it is the server that this file came from: `https://host/client/index.js` is of `wss://host/ws`. */
function addressOf(given) {
  const url = new URL(given ?? new URL("../ws", import.meta.url), globalThis.location?.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (!url.protocol.startsWith("ws")) throw new TypeError("no ws: address");
  if (url.pathname === "/") url.pathname = "/ws";
  url.hash = "";
  return url;
}
