// What a source asks to show beside its values is shown wherever they are.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { column, greatestSeq, linkSays, rowOf, seqPasses } from "./view.js";

const CREDIT = "Weather data by Example (CC BY 4.0)";
let daemon, browser, page, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-weather-"));
  const feed = fileURLToPath(new URL("feeds/weather.mjs", import.meta.url));
  const config = join(folder, "tickerd.toml");
  const exec = [process.execPath, feed].map((word) => JSON.stringify(word)).join(", ");
  const table = (name, exec) => `[[feed]]\nname = "${name}"\nexec = [${exec}]\ninterval = "100ms"\n`;
  const plain = 'process.stdout.write(`{"topic":"n","event":"n","data":1}\\n`); setInterval(() => {}, 1000)';
  const other = [process.execPath, "-e", plain].map((word) => JSON.stringify(word)).join(", ");
  await writeFile(config, table("weather", exec) + table("plain", other));
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  // Without charts, so that a click opens one: a first visit opens some by itself, sooner or later.
  page = await openPage(browser.context, `${daemon.url}#topics=`);
  await linkSays(page, "Live");
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("a feed's credit stands once, under its last row, and other feeds have none", async () => {
  await page.waitForSelector('tbody[data-feed="weather"] tr.credit:not([hidden])');
  await page.waitForSelector('tr[data-topic="weather.nairobi"]');
  await page.waitForSelector('tr[data-topic="plain.n"]');
  const last = await page.$eval('tbody[data-feed="weather"]', (group) => [
    group.lastElementChild.className,
    group.lastElementChild.textContent,
    group.querySelectorAll("tr[data-topic]").length,
  ]);
  assert.deepEqual(last, ["credit", CREDIT, 3]);
  assert.equal(await page.locator('tbody[data-feed="plain"] tr.credit').isVisible(), false);
  assert.equal(await page.locator('tbody[data-feed="weather"] tr.credit').isVisible(), true);
});

test("it stays below the rows when they are put in another order", async () => {
  await page.click('tbody[data-feed="weather"] th[data-key="topic"] button');
  await page.waitForFunction(
    () => document.querySelector('tbody[data-feed="weather"] tr[data-topic]').dataset.topic === "weather.oslo",
  );
  const rows = await page.$$eval('tbody[data-feed="weather"] tr:not([hidden])', (rows) =>
    rows.map((row) => row.dataset.topic ?? row.className),
  );
  assert.deepEqual(rows, ["feed", "heads", "weather.oslo", "weather.nairobi", "weather.lisbon", "credit"]);
});

test("values carry their units, and the credit is not among them", async () => {
  const seq = await greatestSeq(page, "weather");
  await seqPasses(page, "weather", seq);
  assert.match((await column(page, "weather", "value"))["weather.oslo"], /^\d+(\.\d+)? °C$/);
  const row = await rowOf(page, "weather.oslo").innerText();
  // It blows from there, which the arrow and the word say.
  assert.match(row, /4\.63 m\/s ↗ SW/);
  assert.ok(!row.includes("Example"), row);
});

test("a chart of such values shows it too", async () => {
  await rowOf(page, "weather.oslo").click();
  await rowOf(page, "weather.nairobi").click();
  const shown = (topic) => page.locator(`.chart[data-topic="weather.${topic}"] .credit`);
  await page.waitForSelector('.chart[data-topic="weather.oslo"] .credit:not([hidden])');
  assert.equal(await shown("oslo").textContent(), CREDIT);
  await page.waitForFunction(
    () => document.querySelector('.chart[data-topic="weather.nairobi"] .now').textContent !== "–",
  );
  assert.equal(await shown("nairobi").isVisible(), false);
});
