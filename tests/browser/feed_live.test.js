// The list of feeds and a feed's page in the daemon's own page: with a feed that fails, one that is refused, and one that is well.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

/** Answers each poll with a line of an event that is refused. */
const REFUSED = `while read poll; do echo '{"topic":"a","event":"Bad!","data":1}'; echo '{"done":1}'; done`;
const CONFIG = `
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
interval = "250ms"
poll = "250ms"

[[feed]]
name = "mine"
exec = ["/bin/sh", "-c", ${JSON.stringify(REFUSED)}]

[[feed]]
name = "gone"
exec = ["/bin/false"]
`;

let folder, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-feeds-"));
  await writeFile(join(folder, "tickerd.toml"), CONFIG);
  daemon = await startDaemon({ config: join(folder, "tickerd.toml") });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("feeds that never said an accepted word are there, and lead to a page of their own and back", async () => {
  const page = await openPage(browser.context, `${daemon.url}#view=feeds`);
  const row = (feed) => page.locator(`.feeds tr[data-feed="${feed}"]`);
  await row("gone").getByText("down").waitFor();
  await row("mine").getByText(/sample.* refused$/).last().waitFor();
  await row("sim").getByText("up").waitFor();
  // Two lists some seconds apart give the rate.
  await row("sim").getByText(/^[\d.]+\/s$/).waitFor();

  await row("mine").getByRole("button", { name: "mine" }).click();
  await page.locator(".feed-alarm").waitFor();
  assert.match(page.url(), /feed=mine/);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "mine");
  await page.locator(".feed-todo").getByText("tickerd plugin check").waitFor();
  await page.locator(".feed-rows").getByText("bad_event").first().waitFor();
  await page.goBack();
  await row("sim").getByRole("button", { name: "sim" }).click();
  await page.locator('.feed-topics button[data-topic="sim.AAPL"]').waitFor();
  await page.locator(".feed-kind").getByText("A symbol's last price, simulated.").waitFor();
  await page.click(".feed-back");
  await row("gone").waitFor();
  assert.deepEqual(page.errors, []);
  await page.close();
});
