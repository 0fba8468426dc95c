// A browser's WebSocket and EventSource against the daemon at TICKERD_ADDRESS; see together.py.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "../browser/browser.js";
import { openLine } from "./line.mjs";
import { judge, visit } from "./visit.mjs";

const TIMEOUT_MS = 180_000;
let line, browser, page;

before(async () => {
  line = await openLine(process.env.TICKERD_ADDRESS);
  browser = await openBrowser();
  // A page of the daemon's own origin that opens nothing by itself.
  page = await openPage(browser.context, `http://${line.host}/v1/topics/sim.sine`);
  await page.exposeFunction("cut", line.cut);
});
after(async () => {
  await browser?.close();
  line?.close();
});

test("a page's WebSocket loses its line and gets exactly what it missed", { timeout: TIMEOUT_MS }, async () => {
  judge(await page.evaluate(visit, line.host));
});

test("a page's EventSource comes back by itself, and no event is missed", { timeout: TIMEOUT_MS }, async () => {
  const [before, after] = await page.evaluate(async () => {
    const source = new EventSource("/v1/sse?topics=sim.trades.AAPL,sim.trades.MSFT");
    const events = [];
    let wake = () => {};
    source.onmessage = ({ data, lastEventId }) => {
      events.push({ id: lastEventId, ...JSON.parse(data) });
      wake();
    };
    const trades = async (count) => {
      while (events.filter(({ event }) => event === "trade").length < count) await new Promise((resolve) => (wake = resolve));
      return events.splice(0);
    };
    const before = await trades(4);
    await globalThis.cut();
    const after = await trades(20);
    source.close();
    return [before, after];
  });
  const heads = [before, after].map((events) => events.findIndex(({ event }) => event === "connected"));
  assert.deepEqual([heads[0], before[1].event], [0, "subscribed"]);
  assert.ok(heads[1] >= 0, "it came back");
  const { data } = after[heads[1] + 1];
  assert.deepEqual(data.topics.map(({ recovered }) => recovered), [true, true]);
  const seen = new Map();
  for (const { data } of [...before, ...after].filter(({ event }) => event === "trade")) {
    const last = seen.get(data.topic) ?? data.seq - 1;
    assert.ok(data.seq <= last + 1, `${data.topic} jumps from ${last} to ${data.seq}`);
    seen.set(data.topic, Math.max(last, data.seq));
  }
});
