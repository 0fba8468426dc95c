// Requests to the client's server, with its token. Loaded on use.

/** The token to use now, if any. It throws where there is to be none, or not yet. */
export async function tokenOf(client) {
  if (!client._options.token) return undefined;
  const { Identity } = await import("./identity.js");
  client._identity ??= new Identity(client);
  return client._identity.ready();
}

export async function http(client, path, init = {}) {
  const url = new URL(path, client._url);
  url.protocol = url.protocol.replace("ws", "http");
  const headers = new Headers(init.headers);
  const token = await tokenOf(client);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  return (client._options.fetch ?? fetch)(url, { ...init, headers });
}
