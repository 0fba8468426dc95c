// Requests to the client's server, with its token. Loaded on use.

export async function http(client, path, init = {}) {
  const url = new URL(path, client._url);
  url.protocol = url.protocol.replace("ws", "http");
  const headers = new Headers(init.headers);
  const token = await client._token();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  return (client._options.fetch ?? fetch)(url, { ...init, headers });
}
