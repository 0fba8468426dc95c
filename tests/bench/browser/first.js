// How long until the first value is on the screen: from the start of the navigation to the frame after a row shows a figure.
import { Row } from "./report.js";
import { open, withFeed } from "./lab.js";

/** Looks at each frame; the one after that in which the figure stood has been drawn. */
function look() {
  const isShown = () => /\d/.test(document.querySelector("tr[data-topic] td.value")?.textContent ?? "");
  const frame = () => {
    if (isShown()) requestAnimationFrame(() => (globalThis.benchFirst = performance.now()));
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

export async function first({ repeats }) {
  const rows = [];
  for (const topics of [32, 1_000]) {
    const took = await withFeed({ topics, everyMs: 1_000 }, async (lab) => {
      const all = [];
      for (let i = 0; i < repeats; i += 1) {
        const { page, cdp } = await open({ ...lab, url: "about:blank" });
        await cdp.send("Network.clearBrowserCache");
        await page.addInitScript(look);
        await page.goto(lab.url);
        all.push(await page.waitForFunction(() => globalThis.benchFirst).then((handle) => handle.jsonValue()));
        await page.close();
      }
      return all;
    });
    rows.push(new Row("C", `${topics.toLocaleString("en")} topics: first value on the screen after`, "ms", took, 1_000));
  }
  return rows;
}
