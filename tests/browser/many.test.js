// Two and a half thousand moving rows: the page stays quick to the reader's hand.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays } from "./view.js";

const TOPICS = 2_500;
const FEED = fileURLToPath(new URL("feeds/many.mjs", import.meta.url));
let daemon, browser, page, folder;

const seqOf = async (topic) =>
  Number((await page.textContent(`tr[data-topic="${topic}"] .seq`)).replaceAll(",", ""));

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-many-"));
  const config = join(folder, "tickerd.toml");
  await writeFile(
    config,
    `[[feed]]\nname = "many"\nexec = [${JSON.stringify(process.execPath)}, ${JSON.stringify(FEED)}]\ninterval = "100ms"\n`,
  );
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

test("every topic has its row", async () => {
  await page.waitForFunction((n) => document.querySelectorAll("tr[data-topic]").length === n, TOPICS);
});

test("frames keep coming while all of them move", async () => {
  const first = await seqOf("many.T0");
  for (let frame = 0; frame < 10; frame += 1) await page.evaluate(() => new Promise(requestAnimationFrame));
  // A round of the feed at least, in which every row moves.
  await page.waitForFunction((seq) => Number(document.querySelector('tr[data-topic="many.T0"] .seq').textContent.replaceAll(",", "")) > seq, first);
});

test("the filter leaves one row of them, and gives them back", async () => {
  const size = (text) => page.waitForFunction((text) => document.querySelector("tbody .size").textContent === text, text);
  await page.fill("#filter", "T2499");
  await size("1 topic");
  await page.fill("#filter", "");
  await size("2,500 topics");
});

test("rows far down are current once they are looked at", async () => {
  await page.evaluate(() => document.querySelector('tr[data-topic="many.T2400"]').scrollIntoView());
  await page.waitForFunction(() => {
    const [number, unit] = document.querySelector('tr[data-topic="many.T2400"] .age').textContent.split(" ");
    return unit === "s" && Number(number) < 5;
  });
});
