// What the page does when something behind it goes away and comes back.
import assert from "node:assert/strict";
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
