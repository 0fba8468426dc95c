// A site of another origin than the daemon's: files of a folder, or pages that the test writes.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript" };

/**
 * Serves `pages`, which the test may change: path → HTML, or a URL of a file. What is not there is looked for in `folder`.
 * `policy` is the Content-Security-Policy of all.
 */
export async function serveForeign({ pages = {}, folder, policy } = {}) {
  const site = { pages, policy };
  const server = createServer(async ({ url }, answer) => {
    const { pathname } = new URL(url, "http://site");
    if (pathname.startsWith("/favicon.")) return answer.writeHead(204).end();
    const found = site.pages[pathname] ?? (folder && new URL(`.${pathname}`, folder));
    try {
      const body = found instanceof URL ? await readFile(found) : found;
      if (body === undefined) throw new Error("no such page");
      const type = TYPES[extname(found instanceof URL ? found.pathname : pathname)] ?? TYPES[".html"];
      return answer
        .writeHead(200, { "content-type": type, ...(site.policy && { "content-security-policy": site.policy }) })
        .end(body);
    } catch {
      return answer.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return Object.assign(site, { origin, close });
}
