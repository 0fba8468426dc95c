// The page through what happens to it: the daemon, the network, the browser and the line come and go.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fallsBehind, until } from "./bare.js";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { openLine } from "./line.js";
import { hasLine, holdBackOff, hurry, linkSays, seqPasses } from "./view.js";

const KILLS = 5;
const TOPIC = "sim.AAPL";
const WIDE = fileURLToPath(new URL("feeds/wide.mjs", import.meta.url));
let folder, config, daemon, browser, line;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-page-life-"));
  config = join(folder, "tickerd.toml");
  const wide = `[[feed]]\nname = "wide"\nexec = [${JSON.stringify(process.execPath)}, ${JSON.stringify(WIDE)}]\ninterval = "100ms"\n`;
  await writeFile(config, `[bars]\nkeep = { "1s" = "10m" }\n[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n${wide}`);
  daemon = await startDaemon({ config });
  line = await openLine(daemon.port);
  browser = await openBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});
after(async () => {
  await browser?.close();
  line?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The page's own mistakes; that a daemon which is gone refuses connections is none. */
const mistakes = (page) => page.errors.filter((text) => !/WebSocket connection|ERR_|status of 50[24]/.test(text));

/** Waits until a topic has another value than the one that is shown. */
async function moves(page, topic = TOPIC) {
  const seq = await page.textContent(`tr[data-topic="${topic}"] .seq`);
  await page.waitForFunction(([topic, seq]) => document.querySelector(`tr[data-topic="${topic}"] .seq`).textContent !== seq, [topic, seq]);
}

async function open(url) {
  const page = await openPage(browser.context, `${url}#topics=${TOPIC}`);
  await linkSays(page, "Live");
  await page.waitForSelector(`tr[data-topic="${TOPIC}"]`);
  await moves(page);
  return page;
}

test(`the daemon is killed ${KILLS} times, and the page is live again each time, with its chart and one row per topic`, { timeout: 600_000 }, async () => {
  const page = await open(daemon.url);
  const topics = () => page.$$eval("tr[data-topic]", (rows) => rows.map((row) => row.dataset.topic).sort());
  const names = await topics();
  await hurry(page);
  for (let kills = 1; kills <= KILLS; kills += 1) {
    await daemon.kill();
    await page.locator("#outage").waitFor();
    daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
    await linkSays(page, "Live");
    await page.locator("#outage").waitFor({ state: "hidden" });
    await moves(page);
  }
  await until("the rows of before", async () => {
    const now = await topics();
    return names.every((name) => now.includes(name));
  });
  const now = await topics();
  assert.equal(new Set(now).size, now.length, "a topic has two rows");
  await hasLine(page, TOPIC);
  assert.equal(await page.locator(".chart").count(), 1);
  assert.ok(await page.locator("#retry").isHidden());
  assert.deepEqual(mistakes(page), []);
  await page.close();
});

test("without network the page says so, and is live at once when there is one", async () => {
  const page = await open(line.url);
  await browser.context.setOffline(true);
  line.cut();
  await page.locator("#outage").waitFor();
  await holdBackOff(page);
  await browser.context.setOffline(false);
  await linkSays(page, "Live");
  await moves(page);
  assert.deepEqual(mistakes(page), []);
  await page.close();
});

test("hidden for an hour: the page is sent less, and shows what is now when it is looked at", async () => {
  const sent = [];
  const page = await browser.context.newPage();
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(JSON.parse(payload))));
  await page.clock.install();
  await page.goto(`${daemon.url}#topics=${TOPIC}`);
  await linkSays(page, "Live");
  await seqPasses(page, "sim", 0);
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      for (const [name, value] of [["hidden", hidden], ["visibilityState", hidden ? "hidden" : "visible"]]) {
        Object.defineProperty(document, name, { configurable: true, get: () => value });
      }
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const rate = () => sent.findLast(({ event, data }) => event === "subscribe" && data.topics.includes("**")).data.rate;
  assert.equal(rate(), undefined);
  await hide(true);
  await page.clock.fastForward(6_000);
  await until("a slower rate", () => rate() === "5s");
  await page.clock.fastForward("01:00:00");
  await hide(false);
  await until("the full rate", () => rate() === undefined);
  await linkSays(page, "Live");
  await moves(page);
  assert.ok(await page.locator("#outage").isHidden());
  assert.doesNotMatch(await page.title(), /⚠/);
  await page.close();
});

test("back from another page: the page is as it was left, and live", async () => {
  const page = await open(line.url);
  await page.evaluate(() => {
    globalThis.stayed = true;
    addEventListener("pageshow", ({ persisted }) => (globalThis.persisted = persisted));
  });
  const before = await daemon.metric("tickerd_connections");
  await page.goto(`${line.url}v1/keys`);
  await until("the end of its connection", async () => (await daemon.metric("tickerd_connections")) < before);
  await page.goBack({ waitUntil: "commit" });
  await page.waitForSelector("#link");
  await linkSays(page, "Live");
  await moves(page);
  // A page that a browser may not keep is loaded anew, with the chart of its address.
  const { stayed, persisted } = await page.evaluate(() => ({ stayed: globalThis.stayed ?? false, persisted: globalThis.persisted ?? false }));
  assert.equal(stayed, persisted);
  await hasLine(page, TOPIC);
  assert.ok(await page.locator("#outage").isHidden());
  await page.close();
});

test("a slow line: the page says that values are skipped, and how many", async () => {
  const page = await open(line.url);
  line.stall();
  await fallsBehind(daemon, "wide.t0");
  line.flow();
  await page.locator("#signs").getByText(/⚠ Lagging: [\d,]+ ticks? skipped/).waitFor();
  await moves(page);
  assert.equal(await page.textContent("#link"), "Live");
  assert.deepEqual(mistakes(page), []);
  await page.close();
});
