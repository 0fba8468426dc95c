// A hundred elements on a page of another site: figures, strips and charts, each topic ten times a second.
import { Row } from "./report.js";
import { cost, openBlank, wait, withFeed } from "./lab.js";

const ELEMENTS = 100;

export async function elements({ seconds, warmMs }) {
  return withFeed({ topics: ELEMENTS, everyMs: 100 }, async (lab) => {
    const one = await openBlank(lab);
    await one.page.setViewportSize({ width: 1_920, height: 4_000 });
    await one.page.evaluate(async ([n, url]) => {
      await import(`${url}elements.js`);
      const made = Array.from({ length: n }, (_, i) => {
        // One in ten is a strip, two are charts, the rest are figures.
        const name = i % 10 === 0 ? "tickerd-ticker" : i % 10 < 3 ? "tickerd-chart" : "tickerd-value";
        const element = document.createElement(name);
        if (name === "tickerd-ticker") element.setAttribute("topics", Array.from({ length: 5 }, (_, k) => `bench.T${(i + k) % n}`).join(" "));
        else element.setAttribute("topic", `bench.T${i}`);
        return element;
      });
      document.querySelector("main").append(...made);
    }, [ELEMENTS, lab.url]);
    await one.page.waitForFunction((n) => {
      const all = [...document.querySelectorAll("tickerd-value")];
      return all.length === 0.7 * n && all.every(({ shadowRoot }) => /\d/.test(shadowRoot?.querySelector("[part~=figure]")?.textContent ?? ""));
    }, ELEMENTS);
    await wait(warmMs);
    const { busy, frame, task } = await cost(one, seconds * 1_000);
    return [
      new Row("H", `${ELEMENTS} elements on a page at 10/s: main thread busy`, "%", [busy], 50),
      new Row("H", "the same: longest frame", "ms", [frame], 100),
      new Row("H", "the same: longest task", "ms of CPU", [task], 100),
    ];
  });
}
