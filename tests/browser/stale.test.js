// Topics and feeds without news, as a reader sees them.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays, rowOf } from "./view.js";

const QUIET = fileURLToPath(new URL("feeds/quiet.mjs", import.meta.url));
const lines = (...lines) =>
  JSON.stringify(["/bin/sh", "-c", `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}; exec cat`]);
const CONFIG = `
[[feed]]
name = "q"
exec = [${JSON.stringify(process.execPath)}, ${JSON.stringify(QUIET)}]
interval = "100ms"
max_age = "5s"

[[feed]]
name = "market"
exec = ${lines('{"topic":"ABC","event":"quote","data":{"price":"7.25"}}', '{"health":"closed","msg":"opens at 09:30"}')}
max_age = "300ms"

[[feed]]
name = "gone"
exec = ["/bin/sh", "-c", "echo '{\\"topic\\":\\"x\\",\\"event\\":\\"quote\\",\\"data\\":1}'; exit 3"]
`;
let daemon, browser, page, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-stale-"));
  const config = join(folder, "tickerd.toml");
  await writeFile(config, CONFIG);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  page = await openPage(browser.context, daemon.url);
  await linkSays(page, "Live");
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const signal = (name) => daemon.feedProcesses(QUIET).forEach((pid) => process.kill(pid, name));
const badge = (topic) => rowOf(page, topic).locator(".details .badge");
const says = (feed) => page.locator(`tbody[data-feed="${feed}"] tr.feed`);

test("a silent topic says so in words, and the one that moves does not", async () => {
  for (const topic of ["q.quiet", "q.words"]) {
    await badge(topic)
      .getByText(/^stale since \d\d:\d\d:\d\d$/)
      .waitFor();
  }
  assert.ok(await badge("q.live").isHidden());
  await says("q").getByText("3 topics, 2 stale").waitFor();
  assert.equal(await says("q").locator(".badge").textContent(), "up");
});

test("who opens the page later sees it too", async () => {
  const later = await openPage(browser.context, daemon.url);
  await rowOf(later, "q.quiet").locator(".badge").getByText("stale since").waitFor();
  await rowOf(later, "q.quiet").locator(".value").getByText("101.50", { exact: true }).waitFor();
  await later.close();
});

test("feeds that are closed or down say it, with the reason", async () => {
  await says("market").getByText(/^closed since/).waitFor();
  assert.match(await says("market").innerText(), /opens at 09:30/);
  assert.ok(await badge("market.ABC").isHidden(), "nothing is wrong while the market is closed");
  await page.locator("#notices").getByText(/Feed market is closed since .*: opens at 09:30/).waitFor();
  await page.locator("#notices").getByText(/Feed gone is down since .*starts again in/).waitFor();
});

test("it is seen on any screen, and leaves pictures to look at", async () => {
  const out = new URL("out/", import.meta.url);
  await mkdir(out, { recursive: true });
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: new URL(`stale-${scheme}.png`, out).pathname });
  }
  await page.setViewportSize({ width: 400, height: 860 });
  assert.ok(await badge("q.quiet").isVisible());
  assert.ok(await badge("q.words").isVisible());
  assert.ok(await says("market").locator(".badge").isVisible());
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  await rowOf(page, "q.quiet").scrollIntoViewIfNeeded();
  await page.screenshot({ path: new URL("stale-phone.png", out).pathname });
  await page.setViewportSize({ width: 1360, height: 860 });
});

test("a feed with nothing but silent topics is stale, and its news end it", async () => {
  signal("SIGUSR2");
  await says("q").getByText(/^stale since/).waitFor();
  assert.match(await says("q").innerText(), /no topic has had news for 5s, its max_age/);
  await page.locator("#notices").getByText(/Feed q is stale since .*no topic has had news/).waitFor();
  await badge("q.live").getByText("stale since").waitFor();
  signal("SIGUSR1");
  await badge("q.quiet").waitFor({ state: "hidden" });
  await says("q").locator(".badge").getByText("up", { exact: true }).waitFor();
});

test("no error was logged", () => assert.deepEqual(page.errors, []));
