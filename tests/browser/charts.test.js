// The charts' axes and windows, drawn by the chart library on a clock that the test sets.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as axis from "../../dashboards/web/src/chart/axis.js";
import { quote, serveAlone, tick } from "./alone.js";
import { drawn, hasLine, linkSays, rowOf } from "./view.js";

/** Half a second past a full minute: a label of the time stands at the right edge of every window. */
const NOW = new Date(2026, 10, 28, 21, 5, 0, 500).getTime();
let alone;

before(async () => (alone = await serveAlone({ charts: true })));
after(() => alone?.close());

/** Opens the page at `NOW`, with every text that is drawn on a canvas kept by its canvas. */
async function openDrawn(talk, options = {}) {
  const page = await alone.open(talk, {
    ...options,
    prepare: async (page) => {
      await page.clock.setFixedTime(NOW);
      await page.addInitScript(() => {
        const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.clearRect = function (...box) {
          this.canvas.texts = [];
          return clearRect.apply(this, box);
        };
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          const { width } = this.measureText(text);
          (this.canvas.texts ??= []).push({ text, x, y, width, align: this.textAlign });
          return fillText.call(this, text, x, y);
        };
      });
    },
  });
  await linkSays(page, "Live");
  return page;
}

const textsOf = (page, topic) =>
  page.$eval(`.chart[data-topic="${topic}"] canvas`, (canvas) => ({ width: canvas.width, texts: canvas.texts }));
const atX = (texts) => texts.filter(({ align }) => align === "center");
const atY = (texts) => texts.filter(({ align }) => align === "right");

/** Answers `history` with a price for each second of the last minute. */
const minuteOfHistory = ({ socket, say, sayText }) => {
  sayText(quote("sim.A", 100, '"189.25"', NOW));
  socket.onMessage((text) => {
    const { event, data } = JSON.parse(text);
    if (event !== "history") return;
    const values = Array.from({ length: 60 }, (_, i) =>
      JSON.parse(tick("quote", data.topic, i + 1, `{"price":"${(189 + (i % 7) / 10).toFixed(2)}"}`, NOW - 60_000 + i * 1_000)),
    );
    say("history", { id: data.id, topic: data.topic, epoch: "e", values });
  });
};

test("labels have as many digits as their step needs", () => {
  for (const [step, places] of [[0.25, 2], [0.5, 1], [0.1, 1], [2.5, 1], [250, 0], [0.00000025, 8], [1, 0], [0.025, 3]]) {
    assert.equal(axis.places(step), places, `${step}`);
  }
  assert.deepEqual(axis.figures("price", [188.75, 189, 189.25], 0.25), ["188.75", "189.00", "189.25"]);
  assert.deepEqual(axis.figures("price", [190, 192.5, 195], 2.5), ["190.0", "192.5", "195.0"]);
  assert.deepEqual(axis.figures("used_pct", [10, 10.25, 10.5], 0.25), ["10.00 %", "10.25 %", "10.50 %"]);
  assert.deepEqual(axis.figures("volume", [1_000_000, 1_500_000], 500_000), ["1,000,000", "1,500,000"]);
  assert.deepEqual(axis.figures("temperature_c", [-2.5, 0], 2.5), ["-2.5 °C", "0.0 °C"]);
  assert.deepEqual(axis.figures("uptime_s", [86_400, 86_405], 5), ["24:00:00", "24:00:05"]);
  assert.deepEqual(axis.figures("rx_bytes_per_s", [0, 512, 1024], 512), ["0.0 KiB/s", "0.5 KiB/s", "1.0 KiB/s"]);
  const gib = 1024 ** 3;
  const close = axis.figures("used_bytes", [3 * gib, 3 * gib + 2 ** 20, 3 * gib + 2 ** 21], 2 ** 20);
  assert.equal(new Set(close).size, 3, `${close}`);
});

test("labels that stand equally far apart say so, whatever the figures", () => {
  for (const path of ["price", "used_pct", "volume", "temperature_c", "rx_bytes_per_s", "used_bytes"]) {
    for (const step of axis.steps(path).filter((step) => step > 1e-9 && step < 1e12)) {
      const ticks = [7, 8, 9, 10].map((n) => n * step);
      const said = axis.figures(path, ticks, step).map((text) => Number(text.replaceAll(",", "").split(" ")[0]));
      const gaps = said.slice(1).map((number, i) => number - said[i]);
      const [least, most] = [Math.min(...gaps), Math.max(...gaps)];
      assert.ok(least > 0 && most / least < 1.03, `${path}, step ${step}: ${said}`);
    }
  }
});

test("times are as fine as their step", () => {
  const at = new Date(2026, 10, 28, 21, 5, 0).getTime() / 1000;
  assert.deepEqual(axis.times([at, at + 30], 30), ["21:05:00", "21:05:30"]);
  assert.deepEqual(axis.times([at, at + 60], 60), ["21:05", "21:06"]);
});

for (const width of [390, 1920]) {
  test(`no label is cut off at ${width} pixels, in any window`, async () => {
    const page = await openDrawn(minuteOfHistory, { hash: "#topics=sim.A" });
    await page.setViewportSize({ width, height: 900 });
    for (const span of ["60", "300", "900"]) {
      await page.selectOption("#span", span);
      await hasLine(page, "sim.A");
      await page.waitForFunction(
        ({ last }) => document.querySelector(".chart canvas").texts?.some(({ text }) => text === last),
        { last: span === "60" ? "21:05:00" : "21:05" },
      );
      const { width: canvas, texts } = await textsOf(page, "sim.A");
      for (const { text, x, width } of atX(texts)) {
        assert.ok(x - width / 2 >= 0 && x + width / 2 <= canvas, `${text} at ${x} of ${canvas}, ${width} wide`);
      }
      for (const { text, x, width } of atY(texts)) assert.ok(x - width >= 0, `${text} ends at ${x}, ${width} wide`);
    }
    await page.close();
  });
}

test("what the labels of a drawn axis say is where they stand", async () => {
  const ranges = { "t.a": [189, 189.5], "t.b": [191.2, 192.3], "t.c": [0.00001, 0.00001045], "t.d": [100, 107] };
  const page = await openDrawn(
    ({ sayText }) => {
      for (const [topic, [low, high]] of Object.entries(ranges)) {
        sayText(quote(topic, 1, low, NOW - 30_000));
        sayText(quote(topic, 2, high, NOW - 10_000));
      }
    },
    { hash: `#topics=${Object.keys(ranges)}` },
  );
  for (const topic of Object.keys(ranges)) {
    await hasLine(page, topic);
    const labels = atY((await textsOf(page, topic)).texts).map(({ text, y }) => ({ number: Number(text), y }));
    assert.ok(labels.length >= 2, `${topic}: ${JSON.stringify(labels)}`);
    const perPixel = labels.slice(1).map(({ number, y }, i) => (number - labels[i].number) / (y - labels[i].y));
    for (const rate of perPixel) {
      assert.ok(Math.abs(rate / perPixel[0] - 1) < 0.06, `${topic}: ${JSON.stringify(labels)}`);
    }
  }
  await page.close();
});

test("a window of which little is known is drawn whole, and its words say since when", async () => {
  const page = await openDrawn(minuteOfHistory, { hash: "#topics=sim.A" });
  for (const [span, from, to] of [["300", 0.75, 0.85], ["900", 0.9, 0.96]]) {
    await page.selectOption("#span", span);
    await page.waitForFunction(
      ([from, to]) => {
        const canvas = document.querySelector('.chart[data-topic="sim.A"] canvas');
        const probe = document.createElement("span");
        probe.style.color = "var(--accent)";
        document.body.append(probe);
        const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
        probe.remove();
        const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const inked = [];
        for (let i = 0; i < data.length; i += 4) {
          const near = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24;
          if (data[i + 3] > 200 && near) inked.push((i / 4) % width);
        }
        // The plot lies between the labels of its figures and the room for the last label of the time.
        const plot = canvas.parentElement.querySelector(".u-over");
        const left = plot.offsetLeft * devicePixelRatio;
        const share = (Math.min(...inked) - left) / (plot.offsetWidth * devicePixelRatio);
        return share > from && share < to;
      },
      [from, to],
    );
  }
  await page.selectOption("#span", "300");
  await page.waitForFunction(() =>
    /last 5 minutes, known since 21:04:00: lowest/.test(document.querySelector(".plot").ariaLabel),
  );
  await page.close();
});

test("the chart that is one too many is refused with words, and none is closed for it", async () => {
  const names = Array.from({ length: 18 }, (_, i) => `t.n${String(i).padStart(2, "0")}`);
  const page = await openDrawn(({ sayText }) => names.forEach((name) => sayText(quote(name, 1, "1.50"))), {
    hash: `#topics=${names.slice(0, 15)}`,
  });
  await page.click(`tr[data-topic="${names[15]}"]`);
  assert.deepEqual(await drawn(page), names.slice(0, 16));
  assert.ok(await page.locator("#notices").isHidden());
  await page.click(`tr[data-topic="${names[16]}"]`);
  await page.locator("#notices").getByText("16 charts are the most. Close one to draw t.n16.").waitFor();
  assert.deepEqual(await drawn(page), names.slice(0, 16));
  await page.close();
  const linked = await openDrawn(({ sayText }) => sayText(quote("t.n00", 1, "1.50")), { hash: `#topics=${names}` });
  await linked.locator("#notices").getByText(/The address names 18 topics; the first 16 are drawn/).waitFor();
  await linked.close();
});

test("the line of a topic that has ended stops, and the chart says so", async () => {
  const page = await openDrawn(() => {}, { hash: "#topics=sim.A" });
  const line = await page.met;
  line.sayText(quote("sim.A", 1, "1.00", NOW - 20_000));
  line.sayText(quote("sim.A", 2, "2.00", NOW - 10_000));
  await page.waitForFunction(() => document.querySelector(".chart .note").textContent.startsWith("Hatched: nothing is known of the time before"));
  line.say("notice", { type: "topics", added: [], removed: ["sim.A"] });
  await page.waitForFunction(() => /the time since 21:04:50.*\. sim\.A ended at 21:0\d:\d\d\.$/.test(document.querySelector(".chart .note").textContent));
  await page.close();
});

test("a chart of a topic that has never spoken does not say that it ended", async () => {
  const talk = ({ socket, say }) =>
    socket.onMessage((text) => {
      const { event, data } = JSON.parse(text);
      const past = [JSON.parse(quote("sim.A", 1, "1.00", NOW - 10_000))];
      if (event === "history") say("history", { id: data.id, topic: "sim.A", values: past });
      if (event === "topics") say("topics", { id: data.id, topics: [{ topic: "sim.B", kind: "quote", seq: 1, ts: NOW }] });
    });
  let line;
  const page = await openDrawn((connection) => talk((line = connection)), { hash: "#topics=sim.A" });
  const note = () => page.textContent(".chart .note");
  const isListed = (state) => rowOf(page, "sim.B").waitFor({ state });
  await isListed("attached");
  await page.waitForFunction(() => document.querySelector(".chart .note").textContent.startsWith("Hatched"));
  assert.doesNotMatch(await note(), /ended/);
  line.say("notice", { type: "topics", added: [], removed: ["sim.A", "sim.B"] });
  await isListed("detached");
  assert.doesNotMatch(await note(), /ended/);
  await page.close();
});
