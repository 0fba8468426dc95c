// Candles, zoom, comparison, order and files of the charts; the server's bars are the test's.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { quote, serveAlone } from "./alone.js";
import { drawn, linkSays } from "./view.js";

/** Half a second past a full minute. */
const NOW = new Date(2026, 10, 28, 21, 5, 0, 500).getTime();
const MINUTE = 60_000;
const PERIODS = [["10s", 3_600_000], ["1m", 86_400_000]].map(([period, keep_ms]) => ({ period, keep_ms }));
let alone;

before(async () => (alone = await serveAlone({ charts: true })));
after(() => alone?.close());

/** A price that goes up and down, with two decimals. */
const price = (start, more = 0) => (189 + ((start / 10_000) % 7) / 10 + more).toFixed(2);

/** What the server says of a topic's bars: all of the last `kept` milliseconds. */
function barsOf(topic, { period, limit, before = Infinity }, { kept = 86_400_000, unknown, volume = true } = {}) {
  const ms = period === "10s" ? 10_000 : MINUTE;
  const since = NOW - kept;
  const bars = [];
  for (let start = Math.floor(NOW / ms) * ms; start + ms > since && bars.length < limit; start -= ms) {
    if (start >= before) continue;
    const [open, close] = [price(start), price(start + 10_000)];
    const bar = { start, open, high: price(start, 1), low: price(start, -1), close, count: 6, merged: 0 };
    bars.unshift(volume ? { ...bar, volume: 1_200 } : bar);
  }
  return { topic, period, field: "price", epoch: "e", since, ...(unknown ? { unknown } : {}), bars };
}

/** Opens the page at `NOW` with two topics that have a price each, and bars as `options` say. */
async function openBars(hash, { options, talk = () => {} } = {}) {
  const asked = [];
  const page = await alone.open(
    (one) => {
      for (const topic of ["t.A", "t.B", "t.C"]) one.sayText(quote(topic, 7, '"189.30"', NOW - 1_000));
      talk(one);
    },
    {
      hash,
      prepare: async (page) => {
        await page.clock.setFixedTime(NOW);
        await page.route("**/v1/asyncapi.json", (route) => route.fulfill({ json: { "x-bars": PERIODS, components: {} } }));
        await page.route("**/v1/bars?*", (route) => {
          const query = Object.fromEntries(new URL(route.request().url()).searchParams);
          asked.push(query);
          const topics = query.topics.split(",").map((topic) => barsOf(topic, { ...query, before: query.before && Number(query.before) }, options));
          return route.fulfill({ json: { topics, failed: [] } });
        });
      },
    },
  );
  await linkSays(page, "Live");
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  // The test's own server has no list of feeds.
  page.on("console", (message) => message.type() === "error" && !message.text().includes("404") && errors.push(message.text()));
  return Object.assign(page, { asked, errors });
}

const chart = (page, topic) => page.locator(`.chart[data-topic="${topic}"]`);
const press = (page, topic, action) => chart(page, topic).locator(`[data-do="${action}"]`).click();
const addressIs = (page, hash) => page.waitForFunction((hash) => location.hash === hash, hash);

/** Waits until a chart has so many pixels of a colour of the style sheet. */
const hasInk = (page, topic, name, least = 30) =>
  page.waitForFunction(
    ([topic, name, least]) => {
      const canvas = document.querySelector(`.chart[data-topic="${topic}"] canvas`);
      if (!canvas?.width) return false;
      const probe = document.createElement("span");
      probe.style.color = `var(${name})`;
      document.body.append(probe);
      const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
      probe.remove();
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) {
        const near = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24;
        if (data[i + 3] > 200 && near) found += 1;
      }
      return found >= least;
    },
    [topic, name, least],
  );

/** Points at a share of a chart's width. */
async function point(page, topic, share) {
  const box = await chart(page, topic).locator(".u-over").boundingBox();
  await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
}

async function drag(page, topic, from, to) {
  await point(page, topic, from);
  await page.mouse.down();
  await point(page, topic, (from + to) / 2);
  await point(page, topic, to);
  await page.mouse.up();
}

test("candles are drawn in two colours, hollow and full, and read with the source's digits", async () => {
  const page = await openBars("#topics=t.A");
  await page.waitForSelector('.chart [data-do="candles"][aria-disabled="false"]');
  await press(page, "t.A", "candles");
  await addressIs(page, "#topics=t.A~candles");
  for (const name of ["--up", "--down"]) await hasInk(page, "t.A", name);
  await chart(page, "t.A").getByText("Candles of 10 seconds; hollow: closed higher, filled: closed lower. Below: volume.").waitFor();
  await point(page, "t.A", 0.5);
  await page.waitForFunction(() => /O 189\.\d0 {2}H 190\.\d0 {2}L 188\.\d0 {2}C 189\.\d0 {2}V 1200/.test(document.querySelector(".hover").textContent));
  await chart(page, "t.A").locator(".stage").focus();
  await page.keyboard.press("c");
  await addressIs(page, "#topics=t.A");
  await hasInk(page, "t.A", "--accent");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a link brings candles back, and a topic without bars says why it has none", async () => {
  const page = await openBars("#topics=t.A~candles,t.B");
  for (const name of ["--up", "--down"]) await hasInk(page, "t.A", name);
  assert.equal(await chart(page, "t.A").locator('[data-do="candles"]').getAttribute("aria-pressed"), "true");
  await page.close();
  const without = await alone.open(({ sayText }) => sayText(quote("t.A", 7, '"189.30"')), { hash: "#topics=t.A~candles" });
  await without.waitForSelector('[data-do="candles"][aria-disabled="true"]');
  assert.match(await without.getAttribute('[data-do="candles"]', "title"), /no bars/);
  await without.close();
});

test("a day of minutes is drawn with fewer, longer candles, and its labels say the day", async () => {
  const page = await openBars("#topics=t.A~candles");
  await page.selectOption("#span", "86400");
  await chart(page, "t.A").getByText(/Candles of (30 minutes|1 hour)/).waitFor();
  await page.waitForFunction(() => /last 24 hours/.test(document.querySelector(".plot").ariaLabel));
  await point(page, "t.A", 0.1);
  // 27 November, as this browser writes it.
  await page.waitForFunction(() => /27/.test(document.querySelector(".hover").textContent.split("O ")[0]));
  await page.close();
});

test("a drag zooms all charts, keys and buttons go on, and the way back is there", async () => {
  const page = await openBars("#topics=t.A,t.B");
  await hasInk(page, "t.B", "--accent");
  const shown = () => page.textContent(".timebar");
  await drag(page, "t.A", 0.25, 0.75);
  await page.waitForSelector(".timebar:not([hidden])");
  assert.match(await shown(), /Shown: 21:04:1\d to 21:04:4\d\./);
  for (const topic of ["t.A", "t.B"]) await page.waitForFunction((topic) => /21:04:1\d to 21:04:4\d/.test(document.querySelector(`.chart[data-topic="${topic}"] .plot`).ariaLabel), topic);
  // Zoomed, a drag pans: to the right is back in time.
  const before = await shown();
  await drag(page, "t.B", 0.2, 0.6);
  await page.waitForFunction((before) => document.querySelector(".timebar").textContent !== before, before);
  await chart(page, "t.A").locator(".stage").focus();
  await page.keyboard.press("0");
  await page.waitForSelector(".timebar", { state: "hidden" });
  await page.keyboard.press("-");
  assert.match(await shown(), /Shown: the last 90 seconds/);
  await page.keyboard.press("+");
  await page.waitForSelector(".timebar", { state: "hidden" });
  await page.keyboard.press("ArrowLeft");
  assert.match(await shown(), /21:03:4\d to 21:04:4\d/);
  await page.keyboard.press("Escape");
  await page.waitForSelector(".timebar", { state: "hidden" });
  for (const action of ["back", "back", "out"]) await press(page, "t.B", action);
  assert.match(await shown(), /Shown: 21:03:2\d to 21:04:5\d/);
  await page.locator(".timebar button").click();
  await page.waitForSelector(".timebar", { state: "hidden" });
  await point(page, "t.A", 0.5);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await page.waitForSelector(".timebar:not([hidden])");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("the crosshair is on all charts at the same moment, and keys move it", async () => {
  const page = await openBars("#topics=t.A,t.B");
  await hasInk(page, "t.B", "--accent");
  const readings = () => page.$$eval(".hover", (all) => all.map(({ textContent }) => textContent));
  await point(page, "t.A", 0.5);
  await page.waitForFunction(() => [...document.querySelectorAll(".hover")].every(({ textContent }) => textContent !== ""));
  const [a, b] = await readings();
  assert.equal(a, b);
  await chart(page, "t.A").locator(".stage").focus();
  await page.keyboard.press(".");
  await page.waitForFunction((a) => document.querySelector(".hover").textContent !== a, a);
  await page.close();
});

test("who goes back gets older bars, as far as there are any", async () => {
  const page = await openBars("#topics=t.A", { options: { kept: 4 * 3_600_000 } });
  await page.selectOption("#span", "3600");
  await hasInk(page, "t.A", "--accent");
  await chart(page, "t.A").locator(".stage").focus();
  for (let i = 0; i < 3; i += 1) await page.keyboard.press("Shift+ArrowLeft");
  const deadline = Date.now() + 30_000;
  while (!page.asked.some(({ period, before, limit }) => period === "1m" && (before || limit > 200))) {
    assert.ok(Date.now() < deadline, JSON.stringify(page.asked));
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  // Wholly before the first one.
  for (let i = 0; i < 2; i += 1) await page.keyboard.press("Shift+ArrowLeft");
  await chart(page, "t.A").getByText(/^Hatched: nothing is known of this time\.$/).waitFor();
  await page.close();
});

test("times of which nothing is known are hatched, and told in words", async () => {
  const unknown = [{ from: NOW - 40_500, to: NOW - 20_500 }];
  const page = await openBars("#topics=t.A", { options: { kept: 50_500, unknown } });
  await chart(page, "t.A")
    .getByText("Hatched: nothing is known of the time before 21:04:10 and the time from 21:04:20 to 21:04:40.")
    .waitFor();
  await page.close();
});

test("two topics are compared in percent, by name and dash, and the link has both", async () => {
  const page = await openBars("#topics=t.A");
  await hasInk(page, "t.A", "--accent");
  await press(page, "t.A", "more");
  const input = chart(page, "t.A").locator("form input");
  await input.fill("t.X");
  await input.press("Enter");
  await chart(page, "t.A").getByText('There is no topic "t.X". Choose one from the list.').waitFor();
  await input.fill("t.B");
  await input.press("Enter");
  await addressIs(page, "#topics=t.A+t.B");
  await hasInk(page, "t.A", "--second", 20);
  const legend = chart(page, "t.A").locator(".legend li");
  assert.match(await legend.nth(0).innerText(), /t\.A, full line\s+[+−]?\d+\.\d\d %/);
  assert.match(await legend.nth(1).innerText(), /t\.B, dashed/);
  await chart(page, "t.A").getByText("Change in percent since the first value shown.").waitFor();
  await page.waitForFunction(() => /compared with t\.B/.test(document.querySelector(".plot").ariaLabel));
  const again = await openBars("#topics=t.A+t.B");
  await hasInk(again, "t.A", "--second", 20);
  await again.close();
  await legend.nth(1).locator("button").click();
  await addressIs(page, "#topics=t.A");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a chart is saved as CSV with the source's digits, and as PNG", async () => {
  const page = await openBars("#topics=t.A~candles");
  await hasInk(page, "t.A", "--up");
  await press(page, "t.A", "more");
  const save = async (action) => {
    const [download] = await Promise.all([page.waitForEvent("download"), press(page, "t.A", action)]);
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  };
  const csv = await save("csv");
  assert.equal(csv.name, "t.A 2026-11-28 21.05.csv");
  const lines = String(csv.bytes).trimEnd().split("\r\n");
  assert.equal(lines[0], "topic,field,time,seconds,open,high,low,close,volume,count");
  const start = Math.floor((NOW - 30_000) / 10_000) * 10_000;
  const wanted = `t.A,price,${new Date(start).toISOString()},10,${price(start)},${price(start, 1)},${price(start, -1)},${price(start + 10_000)},1200,6`;
  assert.ok(lines.includes(wanted), `${wanted}\n${lines.join("\n")}`);
  const png = await save("png");
  assert.equal(png.name, "t.A 2026-11-28 21.05.png");
  assert.deepEqual([...png.bytes.subarray(1, 4)], [..."PNG"].map((sign) => sign.charCodeAt(0)));
  const [wide, high] = [png.bytes.readUInt32BE(16), png.bytes.readUInt32BE(20)];
  assert.ok(wide > 200 && high > 150, `${wide} × ${high}`);
  await page.close();
});

test("charts are put in order with keys and by dragging, and the link keeps it", async () => {
  const page = await openBars("#topics=t.A,t.B,t.C");
  await hasInk(page, "t.C", "--accent");
  await chart(page, "t.A").locator(".move").focus();
  await page.keyboard.press("ArrowDown");
  await addressIs(page, "#topics=t.B,t.A,t.C");
  assert.equal(await page.evaluate(() => document.activeElement.closest(".chart").dataset.topic), "t.A");
  await page.getByText("t.A is chart 2 of 3.").waitFor({ state: "attached" });
  const centre = async (locator, share) => {
    const { x, y, width, height } = await locator.boundingBox();
    return [x + width / 2, y + height * share];
  };
  await chart(page, "t.B").locator(".move").scrollIntoViewIfNeeded();
  await page.mouse.move(...(await centre(chart(page, "t.B").locator(".move"), 0.5)));
  await page.mouse.down();
  await page.mouse.move(...(await centre(chart(page, "t.A"), 0.6)));
  await page.mouse.move(...(await centre(chart(page, "t.A"), 0.7)));
  await page.mouse.up();
  await addressIs(page, "#topics=t.A,t.B,t.C");
  assert.deepEqual(await drawn(page), ["t.A", "t.B", "t.C"]);
  await page.close();
});

test("one chart fills the page and makes way again", async () => {
  const page = await openBars("#topics=t.A,t.B");
  await hasInk(page, "t.A", "--accent");
  await press(page, "t.A", "full");
  await addressIs(page, "#topics=t.A~full,t.B");
  assert.ok(await chart(page, "t.B").isHidden());
  assert.ok(await page.locator(".listed").isHidden());
  const { width } = await chart(page, "t.A").boundingBox();
  assert.ok(width > 1_200, `${width}`);
  await page.waitForFunction(() => document.querySelector(".chart[data-full] canvas").clientHeight > 300);
  await page.keyboard.press("Escape");
  await addressIs(page, "#topics=t.A,t.B");
  assert.ok(await chart(page, "t.B").isVisible());
  await page.keyboard.press("f");
  await addressIs(page, "#topics=t.A~full,t.B");
  await page.close();
});

for (const width of [390, 1360]) {
  test(`no chart is wider than its place at ${width} pixels`, async () => {
    const page = await openBars("#topics=t.A~candles,t.B+t.C");
    await page.setViewportSize({ width, height: 860 });
    await hasInk(page, "t.A", "--up");
    await press(page, "t.A", "more");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    const inner = await page.$$eval(".chart", (charts) => charts.map((chart) => chart.scrollWidth - chart.clientWidth));
    assert.ok(inner.every((more) => more <= 0), `${inner}`);
    await page.close();
  });
}

test("two fingers zoom, and one finger is left to the page", async () => {
  const page = await openBars("#topics=t.A");
  await hasInk(page, "t.A", "--accent");
  await chart(page, "t.A").scrollIntoViewIfNeeded();
  let box = await chart(page, "t.A").locator(".u-over").boundingBox();
  const cdp = await page.context().newCDPSession(page);
  // Fingers rest for a frame on each place.
  const touch = async (type, ...shares) => {
    await cdp.send("Input.dispatchTouchEvent", { type, touchPoints: shares.map((share, id) => ({ id, x: box.x + box.width * share, y: box.y + box.height / 2 })) });
    await page.evaluate(() => new Promise(requestAnimationFrame));
  };
  await touch("touchStart", 0.5);
  await touch("touchMove", 0.8);
  await touch("touchEnd");
  assert.ok(await page.locator(".timebar").isHidden());
  const isZoomed = () => page.waitForSelector(".timebar:not([hidden])", { timeout: 5_000 }).then(() => true, () => false);
  // What comes above the chart meanwhile moves it away from under the fingers.
  do {
    box = await chart(page, "t.A").locator(".u-over").boundingBox();
    await touch("touchStart", 0.4, 0.6);
    await touch("touchMove", 0.3, 0.7);
    await touch("touchMove", 0.2, 0.8);
    await touch("touchEnd");
  } while (!(await isZoomed()));
  assert.match(await page.textContent(".timebar"), /Shown: 21:04:2\d to 21:04:[34]\d/);
  await page.close();
});

test("a stale topic is hatched the other way, and its word says since when", async () => {
  const since = NOW - 20_000;
  const page = await openBars("#topics=t.A", { talk: ({ say }) => say("notice", { type: "stale", topics: ["t.A"], since }) });
  await chart(page, "t.A").getByText("Hatched the other way: stale, no news since 21:04:40.").waitFor();
  await page.close();
});
