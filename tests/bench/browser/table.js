// The view of topics: 1,000 that all move, and 10,000 rows.
import { Row } from "./report.js";
import { cost, metric, open, trace, wait, withFeed } from "./lab.js";

const MANY = 10_000;

const rows = (page, n) =>
  page.waitForFunction((n) => document.querySelectorAll("tr[data-topic]").length >= n, n, { timeout: 120_000, polling: 200 });
const shows = (page, topic) =>
  page.waitForFunction((topic) => /\d/.test(document.querySelector(`tr[data-topic="${topic}"] .value`)?.textContent ?? ""), topic);
const longest = (tasks) => Math.max(0, ...tasks.map(({ tdur }) => tdur)) / 1_000;

/** 1,000 topics, ten times a second each. */
export async function moving({ seconds, warmMs }) {
  return withFeed({ topics: 1_000, everyMs: 100 }, async (lab) => {
    const one = await open(lab);
    await rows(one.page, 1_000);
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);
    return [
      new Row("A", "1,000 topics at 10/s in the table: main thread busy", "%", [busy], 50),
      new Row("A", "the same: longest frame", "ms", [frame], 100),
      new Row("A", "the same: longest task", "ms of CPU", [task], 100),
    ];
  });
}

/** 10,000 topics, once a second each: the page fills, moves, searches and is scrolled. */
export async function many({ seconds, quick, warmMs }) {
  const n = quick ? 1_000 : MANY;
  const name = `${n.toLocaleString("en")} rows at 1/s`;
  return withFeed({ topics: n, everyMs: 1_000 }, async (lab) => {
    const one = await open(lab, "", { prepare: (page) => page.addInitScript(() => (globalThis.benchBegan = performance.now())) });
    const { page, cdp } = one;
    const filling = await trace(cdp, () => rows(page, n));
    const filled = (await metric(cdp, "TaskDuration")) * 1_000;
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);

    const searching = await trace(cdp, async () => {
      await page.fill("#filter", `T${n - 1}`);
      await page.waitForFunction(() => document.querySelectorAll("tr[data-topic]:not([hidden])").length === 1);
      await page.fill("#filter", "");
      await page.waitForFunction((n) => document.querySelectorAll("tr[data-topic]:not([hidden])").length === n, n);
    });
    // From one end to the other, where the last row then shows its figure.
    const scrolling = await trace(cdp, async () => {
      await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      await page.evaluate((topic) => document.querySelector(`tr[data-topic="${topic}"]`).scrollIntoView(), `bench.T${n - 1}`);
      await shows(page, `bench.T${n - 1}`);
    });
    return [
      new Row("F", `${name}: main thread busy`, "%", [busy], 50),
      new Row("F", "the same: longest frame", "ms", [frame], 100),
      new Row("F", "the same: longest task", "ms of CPU", [task], 100),
      new Row("F", "the same: work until all have their row", "ms of CPU", [filled]),
      new Row("F", "the same: longest task meanwhile", "ms of CPU", [longest(filling)], 200),
      new Row("F", "the same: longest task of a search", "ms of CPU", [longest(searching)], 200),
      new Row("F", "the same: longest task of a jump to the end", "ms of CPU", [longest(scrolling)], 200),
    ];
  });
}
