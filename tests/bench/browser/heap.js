// Whether the client keeps what it has handed over: the heap of a blank page after a million ticks, against that after the first ones.
import { Row } from "./report.js";
import { openBlank, wait, withFeed } from "./lab.js";

const TICKS = 1_000_000;
const QUICK = 20_000;
const TOPICS = 1_000;

export async function heap({ quick }) {
  return withFeed({ topics: TOPICS, everyMs: 100 }, async (lab) => {
    const { page, cdp } = await openBlank(lab);
    await page.evaluate(async (url) => {
      const { connect } = await import(`${url}client.js`);
      globalThis.benchTicks = 0;
      connect().subscribe("**").on("tick", () => (globalThis.benchTicks += 1));
    }, lab.url);
    const come = async (n) => {
      while ((await page.evaluate(() => globalThis.benchTicks)) < n) await wait(200);
    };
    const used = async () => {
      for (let i = 0; i < 2; i += 1) await cdp.send("HeapProfiler.collectGarbage");
      return (await cdp.send("Runtime.getHeapUsage")).usedSize / 1_048_576;
    };
    await come(2 * TOPICS);
    const before = await used();
    await come(quick ? QUICK : TICKS);
    const after = await used();
    return [
      new Row("B", "the client's page after its first ticks: heap", "MiB", [before]),
      new Row("B", `after ${(quick ? QUICK : TICKS).toLocaleString("en")} ticks: heap, in parts of the first`, "", [after / before], 1.05),
    ];
  });
}
