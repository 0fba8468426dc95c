// Eight charts of a day in minutes, with ticks four times a second: how much of a processor they take.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { quote, serveAlone } from "./alone.js";
import { drawn, linkSays } from "./view.js";

const TOPICS = Array.from({ length: 8 }, (_, i) => `t.n${i}`);
const MINUTE = 60_000;
const MEASURED_MS = 10_000;
/** The share of one processor that the page's main thread may take. */
const SHARE_MAX = 0.2;
let alone;

before(async () => (alone = await serveAlone({ charts: true })));
after(() => alone?.close());

test("eight charts with a day of minutes each take less than a fifth of a processor", async () => {
  let say;
  const page = await alone.open(({ sayText }) => (say = sayText), {
    hash: `#topics=${TOPICS.map((name, i) => (i % 2 ? `${name}~candles` : name))}`,
    prepare: async (page) => {
      await page.setViewportSize({ width: 1_920, height: 4_000 });
      await page.route("**/v1/asyncapi.json", (route) => route.fulfill({ json: { "x-bars": [{ period: "1m", keep_ms: 1_440 * MINUTE }], components: {} } }));
      await page.route("**/v1/bars?*", (route) => {
        const { topics, limit, before = Infinity } = Object.fromEntries(new URL(route.request().url()).searchParams);
        const open = Math.floor(Date.now() / MINUTE) * MINUTE;
        const newest = Math.min(open, Number(before) - MINUTE);
        const count = Math.min(Number(limit), 1_441 - (open - newest) / MINUTE);
        const bars = Array.from({ length: Math.max(count, 0) }, (_, i) => {
          const start = newest - i * MINUTE;
          const price = 189 + Math.sin(start / 1e7) * 3;
          return { start, open: price.toFixed(2), high: (price + 0.3).toFixed(2), low: (price - 0.3).toFixed(2), close: (price + Math.sin(start) / 5).toFixed(2), count: 9, merged: 0, volume: 100 };
        }).reverse();
        const said = topics.split(",").map((topic) => ({ topic, period: "1m", field: "price", epoch: "e", since: open - 1_440 * MINUTE, bars }));
        return route.fulfill({ json: { topics: said, failed: [] } });
      });
    },
  });
  await linkSays(page, "Live");
  let seq = 0;
  const tickAll = () => {
    seq += 1;
    TOPICS.forEach((name, i) => say(quote(name, seq, `"${(189 + ((seq + i) % 9) / 10).toFixed(2)}"`)));
  };
  tickAll();
  const timer = setInterval(tickAll, 250);
  try {
    await page.selectOption("#span", "86400");
    assert.deepEqual(await drawn(page), TOPICS);
    // The window is high enough for all eight to be in sight, and drawn.
    await page.waitForFunction(() => {
      const says = (selector, text) => [...document.querySelectorAll(selector)].filter((one) => (one.ariaLabel ?? one.textContent).includes(text)).length;
      return says(".plot", "last 24 hours") === 8 && says(".note", "Candles of") === 4;
    });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    const read = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
    const first = await read();
    const begun = performance.now();
    await new Promise((resolve) => setTimeout(resolve, MEASURED_MS));
    const last = await read();
    const share = ((last.TaskDuration - first.TaskDuration) * 1_000) / (performance.now() - begun);
    const drawings = await page.$$eval("canvas", (all) => all.length);
    assert.ok(drawings >= 8, `${drawings} canvases`);
    console.log(`# main thread ${Math.round(share * 1_000) / 10} % of a processor`);
    assert.ok(share > 0 && share < SHARE_MAX, `${share}`);
  } finally {
    clearInterval(timer);
  }
  await page.close();
});
