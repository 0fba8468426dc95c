// The page without a daemon behind it: served from its folder, its socket in the hands of the test.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { openBrowser } from "./browser.js";

const WEB = new URL("../../dashboards/web/", import.meta.url);
const CLIENT = new URL("../../dashboards/client/src/", import.meta.url);
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
/** What build.rs serves of the chart library when it is there, and when it is absent. */
const LIBRARY = {
  "/vendor/uplot.js": { file: "node_modules/uplot/dist/uPlot.esm.js", absent: "export default null;\n" },
  "/vendor/uplot.css": { file: "node_modules/uplot/dist/uPlot.min.css", absent: "" },
};

async function body(path, charts) {
  if (path.startsWith("/client/")) return readFile(new URL(path.slice("/client/".length), CLIENT));
  const library = LIBRARY[path];
  if (library && !charts) return library.absent;
  return readFile(new URL(library?.file ?? `.${path}`, WEB));
}

/**
 * Serves the page and opens a browser. With `charts` it has the chart library; `feeds`, which the test may change,
 * is what `/v1/feeds` answers, with 404 while it is null. A WebSocket is refused unless `open` brings one.
 */
export async function serveAlone({ charts = false } = {}) {
  const alone = { feeds: null };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = pathname === "/" ? "/index.html" : pathname;
    try {
      const found = path === "/v1/feeds" && alone.feeds ? JSON.stringify(alone.feeds) : await body(path, charts);
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "application/json",
        "content-security-policy": "default-src 'self'",
      });
      response.end(found);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const browser = await openBrowser();

  /**
   * Opens the page; each connection it makes is handed to `talk` with a `say(event, data)`, after `connected` unless
   * it is not to be `greeted`: then `greet()` says that, when the test likes. Without `talk` no connection opens, as at a server that refuses the page.
   * The page's `met` is the first connection, which comes a little later than the page.
   */
  async function open(talk, { greeted = true, hash = "", prepare = () => {} } = {}) {
    const page = await browser.context.newPage();
    let connections = 0;
    let meet;
    const met = new Promise((resolve) => (meet = resolve));
    // What the page puts off, and for how long.
    await page.addInitScript(() => {
      const { setTimeout } = globalThis;
      globalThis.waits = [];
      globalThis.setTimeout = (wake, ms) => {
        globalThis.waits.push(ms);
        return setTimeout(wake, ms);
      };
    });
    const answer = (socket) => {
      connections += 1;
      const say = (event, data) => socket.send(JSON.stringify({ event, data }));
      const sayText = (text) => socket.send(text);
      const hello = { v: 1, server: "tickerd/9.9.9", conn: "c1", epoch: "e", heartbeat_ms: 15_000, limits: {} };
      const greet = () => say("connected", hello);
      const connection = { socket, say, sayText, greet, connections };
      if (greeted) greet();
      talk(connection);
      meet(connection);
    };
    if (talk) {
      // A socket in a worker is out of a test's reach; without workers the page has a common one.
      await page.addInitScript(() => delete globalThis.Worker);
      await page.routeWebSocket(/\/ws$/, answer);
    }
    await prepare(page);
    await page.goto(url + hash);
    return Object.assign(page, { met });
  }

  async function close() {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }

  return Object.assign(alone, { url, browser, open, close });
}

/** A tick as the daemon writes it; `value` is JSON text, so that its digits are the test's. */
export const tick = (event, topic, seq, value, ts = Date.now()) =>
  `{"event":"${event}","data":{"topic":"${topic}","seq":${seq},"ts":${ts},"value":${value}}}`;

export const quote = (topic, seq, price, ts) => tick("quote", topic, seq, `{"price":${price},"volume":1200500}`, ts);
