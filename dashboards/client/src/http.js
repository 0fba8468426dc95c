// Requests to the client's server, with its token. Loaded on use.

import { TickerdError } from "./commands.js";

/** The token to use now, if any. It throws where there is to be none, or not yet. */
export async function tokenOf(client) {
  if (!client._options.token) return undefined;
  const { Identity } = await import("./identity.js");
  client._identity ??= new Identity(client);
  return client._identity.ready();
}

export async function http(client, path, init = {}) {
  const url = new URL(path, client._url);
  // A token is for its own server alone.
  if (!/^(ws|http)/.test(url.protocol) || url.host !== client._url.host) {
    throw new TickerdError(400, `http asks ${client._url.host} alone: write a path such as v1/feeds`);
  }
  url.protocol = client._url.protocol.replace("ws", "http");
  const headers = new Headers(init.headers);
  const token = await tokenOf(client);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  return (client._options.fetch ?? fetch)(url, { ...init, headers });
}
