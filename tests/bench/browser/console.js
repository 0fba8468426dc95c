// The console while it shows a line for each tick: 1,000 topics, once a second each.
import { Row } from "./report.js";
import { cost, open, wait, withFeed } from "./lab.js";

export async function lines({ seconds, warmMs }) {
  return withFeed({ topics: 1_000, everyMs: 1_000 }, async (lab) => {
    const one = await open(lab, "#view=console");
    await one.page.waitForSelector("#view-console:not([hidden])");
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);
    return [
      new Row("I", "console at 1,000 ticks/s: main thread busy", "%", [busy], 50),
      new Row("I", "the same: longest frame", "ms", [frame], 100),
      new Row("I", "the same: longest task", "ms of CPU", [task], 100),
    ];
  });
}
