// Elements on a page of another site, under a strict policy, against the real daemon; and what a test reads off them.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { serveForeign } from "./foreign.js";

/** Where pictures are left to look at. */
export const OUT = new URL("out/", import.meta.url);
/** There once the tests run. */
export let folder, site, config, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-elements-"));
  site = await serveForeign({ folder: new URL("../../dashboards/client/", import.meta.url) });
  config = join(folder, "tickerd.toml");
  await writeFile(config, settings());
  daemon = await startDaemon({ config: config });
  // The site names the daemon for its scripts and connections, and nothing more.
  const { host } = new URL(daemon.url);
  site.policy = `default-src 'self'; script-src 'self' http://${host}; connect-src http://127.0.0.1:* ws://127.0.0.1:*`;
  site.pages["/page.css"] =
    ":root { color-scheme: light dark; } body { background: light-dark(#fff, #101215); font: 16px sans-serif; }";
  browser = await openBrowser();
  await mkdir(OUT, { recursive: true });
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The daemon's configuration, which lets the site in. */
export const settings = (more = "") => `
[server]
origins = ["${site.origin}"]
${more}
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
`;

/** A page of the site with these elements. */
export function write(path, body, { script = `${daemon.url}elements.js`, head = "" } = {}) {
  site.pages[path] =
    `<!doctype html><html lang="en"><head><title>A site</title><meta name="viewport" content="width=device-width">
    <link rel="stylesheet" href="/page.css">${head}<script type="module" src="${script}"></script></head><body><h1>A site</h1>${body}</body></html>`;
  return site.origin + path;
}

/** A page whose frames to and from the daemon are kept. */
export async function open(url, context = browser.context) {
  const sent = [];
  const sockets = [];
  const page = await context.newPage();
  page.on("websocket", (socket) => {
    sockets.push(socket.url());
    socket.on("framesent", ({ payload }) => sent.push(JSON.parse(payload)));
  });
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  return Object.assign(page, { sent, sockets, errors, requests });
}

/** The topics of all commands of that name which the page has sent. */
export const told = (page, event) => page.sent.filter((one) => one.event === event).flatMap(({ data }) => data.topics);

/** Waits until a part of an element reads so. */
export const reads = (page, selector, part, pattern) =>
  page.waitForFunction(
    ([selector, part, pattern]) => {
      const found = document.querySelector(selector)?.shadowRoot?.querySelector(`[part="${part}"]`);
      return found && new RegExp(pattern).test(found.textContent);
    },
    [selector, part, pattern.source],
  );

export const textOf = (page, selector, part) =>
  page.$eval(selector, (one, part) => one.shadowRoot.querySelector(`[part="${part}"]`).textContent, part);

/** Waits until a chart has ink of one of its colours: `color` is the line's, the borders are those of candles. */
export const hasInk = (page, selector, property = "color") =>
  page.waitForFunction(
    ([selector, property]) => {
      const canvas = document.querySelector(selector).shadowRoot?.querySelector("canvas");
      if (!canvas?.width) return false;
      const [r, g, b] = getComputedStyle(canvas).getPropertyValue(property).match(/\d+/g).map(Number);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let inked = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 30)
          inked += 1;
      }
      return inked > 15;
    },
    [selector, property],
  );
