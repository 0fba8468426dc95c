// What the page does when something behind it goes away and comes back.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { greatestSeq, holdBackOff, linkSays, seqPasses } from "./view.js";

let daemon, browser, page;

before(async () => {
  daemon = await startDaemon();
  browser = await openBrowser();
  page = await openPage(browser.context, daemon.url);
  await linkSays(page, "Live");
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

test("a killed feed process comes back, and the other feed goes on", async () => {
  await seqPasses(page, "sim", 0);
  await seqPasses(page, "host", 0);
  const [sim, host] = [await greatestSeq(page, "sim"), await greatestSeq(page, "host")];
  const processes = daemon.feedProcesses("sim");
  assert.ok(processes.length >= 1, "the sim feed has no process of its own");
  for (const pid of processes) process.kill(pid, "SIGKILL");
  await seqPasses(page, "host", host + 1);
  await seqPasses(page, "sim", sim + 5);
  assert.equal(await page.textContent("#link"), "Live");
  await page.waitForFunction(
    () => document.querySelector('tbody[data-feed="sim"] .badge').textContent === "up",
  );
});

test("the page says that the daemon stopped, and comes back with it", async () => {
  const rows = await page.locator("tr[data-topic]").count();
  assert.equal(await daemon.stop(), 0);
  await linkSays(page, "Reconnecting in");
  assert.ok(await page.locator("#retry").isVisible());
  assert.equal(await page.locator("tr[data-topic]").count(), rows, "the last values are gone");
  daemon = await startDaemon({ listen: `127.0.0.1:${daemon.port}` });
  await linkSays(page, "Live");
  await seqPasses(page, "sim", 1);
  assert.ok(await page.locator("#retry").isHidden());
});

test("an outage is seen from across the room, on any screen, until it is over", async () => {
  const out = new URL("out/", import.meta.url);
  await mkdir(out, { recursive: true });
  const title = await page.title();
  const banner = page.locator("#outage");
  assert.ok(await banner.isHidden());
  await daemon.stop();
  await banner.getByText(/The connection was lost at \d\d:\d\d:\d\d\. The values below are from then\./).waitFor();
  await banner.getByText(/Trying (now|again in \d+ s)\./).waitFor();
  assert.match(await page.title(), /^⚠ No connection/);
  const icon = () => page.getAttribute('link[rel="icon"]', "href");
  assert.match(await icon(), /favicon-lost\.svg$/);
  const looks = () =>
    page.$eval("tr[data-topic]", (row) =>
      ["value", "kind"].map((name) => getComputedStyle(row.querySelector(`.${name}`)).color),
    );
  const [dimmed, muted] = await looks();
  assert.equal(dimmed, muted, "the values look as if they were alive");
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: new URL(`outage-${scheme}.png`, out).pathname });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  const box = await banner.boundingBox();
  assert.ok(box.width >= 389 && box.height >= 40, JSON.stringify(box));
  assert.ok(box.y >= 0 && box.y + box.height <= 844, "it has scrolled out of sight");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.screenshot({ path: new URL("outage-phone.png", out).pathname });
  await page.setViewportSize({ width: 1360, height: 860 });
  daemon = await startDaemon({ listen: `127.0.0.1:${daemon.port}` });
  await linkSays(page, "Live");
  await banner.waitFor({ state: "hidden" });
  assert.equal(await page.title(), title);
  assert.match(await icon(), /favicon\.svg$/);
  assert.notEqual(...(await looks()));
  assert.equal((await page.request.get(`${daemon.url}favicon-lost.svg`)).headers()["content-type"], "image/svg+xml");
});

test("the button does not wait for the back-off", async () => {
  await daemon.stop();
  await holdBackOff(page);
  daemon = await startDaemon({ listen: `127.0.0.1:${daemon.port}` });
  await page.click("#retry");
  await linkSays(page, "Live");
  await page.reload();
  await linkSays(page, "Live");
});

test("coming online wakes the page at once", async () => {
  await daemon.stop();
  await holdBackOff(page);
  daemon = await startDaemon({ listen: `127.0.0.1:${daemon.port}` });
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await linkSays(page, "Live");
});
