// Sockets that are none: an event stream, and the connection of another tab. Loaded where they are used.
import { tokenOf } from "./http.js";

/** Tells texts apart, and tells nothing of them. */
const digest = (text) => [...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16_777_619), 2_166_136_261) >>> 0;

/** What looks like a WebSocket to this client's server; `plain` makes a real one. */
export async function socket(client, plain) {
  const url = client._url;
  const { WebSocket, EventSource = globalThis.EventSource, tabs, transport } = client._options;
  const token = await tokenOf(client);
  if (tabs && globalThis.navigator?.locks) {
    const { share } = await import("./tabs.js");
    // Tabs of one user share; the name does not tell the token. Each tab slows down what it asks for itself, while it is hidden.
    const options = { ...client._options, tabs: false, flush: "now", signal: undefined, hiddenRate: null };
    return share(`${url.href} ${digest(token ?? "")}`, () => new client.constructor(client._url, options));
  }
  const isStream = EventSource && transport !== "ws" && !(tabs && WebSocket);
  if (isStream && (transport === "sse" || !WebSocket || (client._link.unopened % 3 === 2 && (await hasAnswered(client, url))))) {
    const { Stream } = await import("./sse.js");
    client._kept ??= {}; // outlives a stream
    return new Stream(url, { EventSource, token, kept: client._kept, http: (path, init) => client.http(path, init) });
  }
  if (WebSocket) return plain.socket();
  throw Object.assign(new Error("there is no WebSocket here: give one, as in connect(url, { WebSocket })"), { close: 4000 });
}

/**
 * Whether the server answered over HTTP before this try and the one before. If so, it is WebSockets that do not get through.
 * A server that is down refuses them too, and is to have its WebSocket back when it is there again.
 */
async function hasAnswered(client, url) {
  const before = client._hasAnswered;
  const asked = new URL("client.js", url.href.replace(/^ws/, "http"));
  const init = { method: "HEAD", mode: "no-cors", cache: "no-store" };
  client._hasAnswered = await (client._options.fetch ?? fetch)(asked, init).then(() => true, () => false);
  return before === true && client._hasAnswered;
}
