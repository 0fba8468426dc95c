// Eight charts of a day in minutes: their bars are told here, as a fresh daemon has none, and ticks come four times a second.
import { Row } from "./report.js";
import { cost, open, wait, withFeed } from "./lab.js";

const CHARTS = 8;
const MINUTE = 60_000;
const DAY = 1_440;

function bar(start) {
  const price = 150 + 20 * Math.sin(start / 1e7);
  const close = (price + Math.sin(start / 5)).toFixed(2);
  return { start, open: price.toFixed(2), high: (price + 1.3).toFixed(2), low: (price - 1.3).toFixed(2), close, count: 9, merged: 0, volume: 100 };
}

/** What the daemon answers after a day. */
function answer(url) {
  const { topics, limit, before = Infinity } = Object.fromEntries(new URL(url).searchParams);
  const open = Math.floor(Date.now() / MINUTE) * MINUTE;
  const newest = Math.min(open, Number(before) - MINUTE);
  const count = Math.max(0, Math.min(Number(limit), DAY + 1 - (open - newest) / MINUTE));
  const bars = Array.from({ length: count }, (_, i) => bar(newest - (count - 1 - i) * MINUTE));
  const about = { period: "1m", field: "price", epoch: "e", since: open - DAY * MINUTE, bars };
  return { topics: topics.split(",").map((topic) => ({ topic, ...about })), failed: [] };
}

export async function charts({ seconds, warmMs }) {
  return withFeed({ topics: CHARTS, everyMs: 250 }, async (lab) => {
    const names = Array.from({ length: CHARTS }, (_, i) => `bench.T${i}${i % 2 ? "~candles" : ""}`);
    const prepare = async (page) => {
      await page.route("**/v1/asyncapi.json", (route) => route.fulfill({ json: { "x-bars": [{ period: "1m", keep_ms: DAY * MINUTE }], components: {} } }));
      await page.route("**/v1/bars?*", (route) => route.fulfill({ json: answer(route.request().url()) }));
    };
    const one = await open(lab, `#topics=${names}`, { prepare, size: { width: 1_920, height: 4_000 }, isRouted: true });
    await one.page.selectOption("#span", "86400");
    await one.page.waitForFunction((n) => {
      const plots = [...document.querySelectorAll(".plot")].filter(({ ariaLabel }) => ariaLabel?.includes("last 24 hours"));
      return plots.length === n && document.querySelectorAll("canvas").length >= n;
    }, CHARTS);
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);
    return [
      new Row("G", `${CHARTS} charts of a day in minutes at 4/s: main thread busy`, "%", [busy], 20),
      new Row("G", "the same: longest frame", "ms", [frame], 100),
      new Row("G", "the same: longest task", "ms of CPU", [task], 100),
    ];
  });
}
