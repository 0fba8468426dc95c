// A board of 50 tiles with their lines, each topic ten times a second.
import { Row } from "./report.js";
import { cost, open, wait, withFeed } from "./lab.js";

const TILES = 50;

export async function board({ seconds, warmMs }) {
  return withFeed({ topics: TILES, everyMs: 100 }, async (lab) => {
    // High enough for all of them to be in sight, and drawn.
    const one = await open(lab, "#view=board&tiles=bench.**", { size: { width: 1_920, height: 2_400 } });
    await one.page.waitForFunction((n) => document.querySelectorAll(".tile .spark path[d]").length === n, TILES);
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);
    return [
      new Row("D", `board of ${TILES} tiles at 10/s: main thread busy`, "%", [busy], 30),
      new Row("D", "the same: longest frame", "ms", [frame], 100),
      new Row("D", "the same: longest task", "ms of CPU", [task], 100),
    ];
  });
}
