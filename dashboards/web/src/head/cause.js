// The cause of a connection that does not open, of which a browser tells a page nothing.

/** A sentence for the reader. */
export async function findCause(client) {
  let status;
  try {
    ({ status } = await client.http("./", { method: "HEAD", cache: "no-store" }));
  } catch {
    return "The server does not answer at all.";
  }
  if (status >= 500) return `The answer is ${status}: the server is down behind a proxy, or has too much to do.`;
  return `The server answers, but its WebSocket does not open. Add "${location.origin}" to origins under [server] in its configuration, or let the proxy in between pass WebSockets on.`;
}
