// Debian's Chromium, headless and kept from calling anywhere, with a fresh profile.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a test waits for what must come: long, as a busy machine is slow, and never for time to pass. */
export const WAIT_MS = 120_000;

/**
 * Opens a browser; `close` also removes its profile. `trusted` is the hash of a server's key, for one whose authority the
 * browser does not know. Other options are the context's.
 */
export async function openBrowser({ trusted, ...options } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "tickerd-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: trusted ? [...ARGS, `--ignore-certificate-errors-spki-list=${trusted}`] : ARGS,
    viewport: { width: 1360, height: 860 },
    ...options,
  });
  context.setDefaultTimeout(WAIT_MS);
  return {
    context,
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** A page that keeps account of its console errors and of every request it makes. */
export async function openPage(context, url) {
  const page = await context.newPage();
  const errors = [];
  const requests = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  await page.goto(url);
  return Object.assign(page, { errors, requests });
}
