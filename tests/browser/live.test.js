// The page of a daemon without any configuration: what a newcomer sees first.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { column, drawn, greatestSeq, hasLine, linkSays, seqPasses } from "./view.js";

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

test("figures of the sim and host feeds move", async () => {
  for (const feed of ["sim", "host"]) {
    await seqPasses(page, feed, 0);
    const values = await column(page, feed, "value");
    const seq = await greatestSeq(page, feed);
    await seqPasses(page, feed, seq + 1);
    await page.waitForFunction(
      ([feed, before]) =>
        [...document.querySelectorAll(`tbody[data-feed="${feed}"] tr[data-topic]`)].some(
          (row) => row.querySelector(".value").textContent !== before[row.dataset.topic],
        ),
      [feed, values],
    );
  }
});

test("header names the server and counts topics and ticks", async () => {
  assert.match(await page.textContent("#version"), /^tickerd \d+\.\d+/);
  const rows = await page.locator("tr[data-topic]").count();
  assert.equal(Number(await page.textContent("#topic-count")), rows);
  await page.waitForFunction(() => Number(document.getElementById("rate").textContent) > 0);
});

test("a first visit draws charts by itself, and they have lines", async () => {
  await page.waitForSelector(".chart");
  const topics = await drawn(page);
  assert.ok(topics.length >= 1 && topics.length <= 3, `drew ${topics}`);
  for (const topic of topics) await hasLine(page, topic);
});

test("nobody takes the simulated quotes for real ones, nor the machine's figures for simulated ones", async () => {
  await page.locator('tbody[data-feed="sim"] tr.feed').getByText("simulated", { exact: true }).waitFor();
  await seqPasses(page, "host", 1);
  assert.equal(await page.locator('tbody[data-feed="host"] .simulated:not([hidden])').count(), 0);
});

test("ages are those of values just come", async () => {
  const ages = Object.values(await column(page, "sim", "age"));
  assert.ok(
    ages.some((age) => /^\d\.\d s$/.test(age)),
    `ages: ${ages}`,
  );
});

test("the filter leaves what matches, and says when nothing does", async () => {
  const shown = () =>
    page.$$eval("tr[data-topic]", (rows) =>
      rows.filter((row) => row.checkVisibility()).map((row) => row.dataset.topic),
    );
  const all = await shown();
  await page.fill("#filter", "HOST.");
  await page.waitForFunction(() => document.querySelector('tbody[data-feed="sim"]').hidden);
  assert.deepEqual(
    await shown(),
    all.filter((topic) => topic.startsWith("host.")),
  );
  await page.fill("#filter", "nothing-is-called-so");
  await page.waitForSelector("#none:not([hidden])");
  assert.equal(await page.textContent("#none"), "No topic matches the search.");
  await page.fill("#filter", "");
  await page.waitForFunction(
    (n) => document.querySelectorAll("tr[data-topic]:not([hidden])").length >= n,
    all.length,
  );
});

test("keys alone reach a row, draw its chart and take it away again", async () => {
  const before = await drawn(page);
  await page.focus("#filter");
  // From a feed's heading over its first kind's heads into the table: the heads are one stop, and so are the rows.
  await page.focus("tbody .feed button");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.closest("tr.heads")), "the heads are no stop");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.closest("th").dataset.key), "value");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Tab");
  const focused = () => page.evaluate(() => document.activeElement.closest("tr[data-topic]")?.dataset.topic);
  const start = await focused();
  assert.ok(start, "the Tab key does not stop at a row");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await focused(), start);
  await page.keyboard.press("End");
  let topic = await focused();
  while (before.includes(topic)) {
    await page.keyboard.press("ArrowUp");
    topic = await focused();
  }
  await page.keyboard.press("Enter");
  assert.deepEqual(await drawn(page), [...before, topic]);
  assert.equal(await page.getAttribute(`tr[data-topic="${topic}"] .name`, "aria-pressed"), "true");
  assert.ok(decodeURIComponent(page.url()).includes(topic), "the address does not carry the choice");
  await page.keyboard.press("Space");
  assert.deepEqual(await drawn(page), before);
});

test("the address brings the choice back", async () => {
  const topic = Object.keys(await column(page, "host", "value"))[0];
  const other = await openPage(browser.context, `${daemon.url}#topics=${topic}`);
  await other.waitForSelector(`tr.chosen[data-topic="${topic}"]`);
  assert.deepEqual(await drawn(other), [topic]);
  await other.close();
});

test("sorting by value orders the rows of a kind, and the address keeps it", async () => {
  const heads = 'tbody[data-feed="sim"] tr.heads[data-kind="quote"]';
  const names = () => page.$$eval(`${heads} ~ tr[data-topic]`, (rows) => rows.map((row) => row.dataset.topic).filter((name) => !/\.(trades|weather|sine)/.test(name)));
  const sorted = (names) => [...names].sort(new Intl.Collator("en", { numeric: true }).compare);
  await page.click(`${heads} [data-key="value"] button`);
  assert.equal(await page.getAttribute(`${heads} [data-key="value"]`, "aria-sort"), "ascending");
  assert.equal(await page.getAttribute(`${heads} .topic`, "aria-sort"), null);
  await page.waitForFunction((heads) => document.querySelector(heads).nextElementSibling.firstChild.dataset.topic !== "sim.AAPL", heads);
  assert.match(page.url(), /sort=quote:value/);
  await page.click(`${heads} .topic button`);
  await page.click(`${heads} .topic button`);
  assert.equal(await page.getAttribute(`${heads} .topic`, "aria-sort"), "descending");
  await page.waitForFunction((heads) => document.querySelector(heads).nextElementSibling.firstChild.dataset.topic === "sim.TSLA", heads);
  assert.deepEqual(await names(), sorted(await names()).reverse());
  await page.click(`${heads} .topic button`);
  assert.doesNotMatch(page.url(), /sort=/);
});

test("the table is one to those who cannot see it", async () => {
  assert.ok((await page.textContent("#topics > caption")).length > 20);
  const table = await page.getByRole("table", { name: /All topics/ }).count();
  assert.equal(table, 1);
  assert.ok((await page.getByRole("columnheader", { includeHidden: false }).count()) >= 7);
  const nameless = await page.$$eval("button, select, input, a[href]", (elements) =>
    elements
      .filter((element) => element.checkVisibility())
      .filter((element) => !(element.textContent.trim() || element.ariaLabel || element.labels?.length))
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(nameless, []);
  const headings = await page.$$eval("h1, h2, h3", (all) => all.map((heading) => Number(heading.tagName[1])));
  headings.reduce(
    (before, level) => (assert.ok(level <= before + 1, "a heading level is skipped"), level),
    0,
  );
  assert.equal(await page.locator("[aria-live=polite]").count(), 1);
  await page.waitForFunction(() => /topics/.test(document.getElementById("words").textContent));
  for (const label of await page.$$eval(".plot", (plots) => plots.map((plot) => plot.ariaLabel))) {
    assert.match(label, /lowest .+ highest .+ now /);
  }
});

for (const scheme of ["light", "dark"]) {
  test(`text stands out from its ground in ${scheme}`, async () => {
    await page.emulateMedia({ colorScheme: scheme });
    const faint = await page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = ([r, g, b]) =>
        [r, g, b]
          .map((c) => c / 255)
          .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
          .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = rgb(getComputedStyle(at).backgroundColor);
          if (colour[3] === 255) return colour;
        }
        return rgb("Canvas");
      };
      const texts = [...document.querySelectorAll("body *")].filter(
        (element) =>
          element.checkVisibility() &&
          [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
      );
      return texts
        .map((element) => {
          const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
          return {
            text: element.textContent.slice(0, 30),
            ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
          };
        })
        .filter(({ ratio }) => ratio < 4.5);
    });
    assert.deepEqual(faint, []);
  });
}

test("fits a small phone, and leaves pictures to look at", async () => {
  const out = new URL("out/", import.meta.url);
  await mkdir(out, { recursive: true });
  const shot = (name) => page.screenshot({ path: new URL(`${name}.png`, out).pathname });
  await page.evaluate(() => scrollTo(0, 0));
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    // The line is drawn anew in the other scheme's colour.
    for (const topic of await drawn(page)) await hasLine(page, topic);
    await shot(scheme);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await shot("phone");
  await page.setViewportSize({ width: 1360, height: 860 });
});

test("no error was logged and no request left the origin", () => {
  assert.deepEqual(page.errors, []);
  const { host } = new URL(daemon.url);
  assert.deepEqual(
    page.requests.filter((request) => new URL(request).host !== host),
    [],
  );
  assert.ok(page.requests.some((request) => request.startsWith("ws://")));
});
