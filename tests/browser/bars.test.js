// Charts that are full when they open: bars of the time before the page was there, and nothing where nothing is known.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays } from "./view.js";

const TOPIC = "sim.AAPL";
const SPAN_S = 60;
/** Bars before the daemon is killed, and seconds for which it is away. */
const BARS = 6;
const AWAY_MS = 4_000;
/** A drawn moment may be off by the line's width. */
const SLACK_S = 0.6;

let folder, config, daemon, browser;
/** When the daemon was killed and when another was there, Unix milliseconds. */
const times = {};

/** A topic's bars as the server tells them. */
const barsOf = async (topic = TOPIC) => (await fetch(`${daemon.url}v1/topics/${topic}/bars?period=1s`)).json();

/** Waits, from tick to tick, until the topic has so many bars. */
async function waitForBars(count) {
  let etag = "";
  for (;;) {
    const { bars } = await barsOf();
    if (bars?.length >= count) return bars;
    const tick = await fetch(`${daemon.url}v1/topics/${TOPIC}?wait=25`, { headers: etag ? { "If-None-Match": etag } : {} });
    etag = tick.headers.get("etag") ?? "";
    await tick.arrayBuffer();
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-bars-"));
  config = join(folder, "tickerd.toml");
  const sim = '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\ninterval = "100ms"\npoll = "100ms"';
  await writeFile(config, `[history]\npath = "${folder}/past"\n[bars]\nkeep = { "1s" = "10m" }\n${sim}\n`);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  await waitForBars(BARS);
  times.killed = Date.now();
  await daemon.kill();
  // Time itself is what is waited for: a time without a daemon, wide enough to be seen.
  await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
  daemon = await startDaemon({ config });
  await waitForBars(1);
  times.back = Date.now();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/**
 * The columns in which a chart has ink of the line's colour, as seconds from its left edge. When its right edge was is not
 * asked: a busy browser draws late. Lengths of time do not depend on that.
 */
const inked = (page) =>
  page.evaluate(
    ([topic, span]) => {
      const canvas = document.querySelector(`.chart[data-topic="${topic}"] canvas`);
      if (!canvas?.width) return [];
      const probe = document.createElement("span");
      probe.style.color = "var(--accent)";
      document.body.append(probe);
      const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
      probe.remove();
      const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const columns = new Set();
      for (let i = 0; i < data.length; i += 4) {
        const near = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24;
        if (data[i + 3] > 200 && near) columns.add((i / 4) % width);
      }
      const plot = canvas.parentElement.querySelector(".u-over");
      const [left, wide] = [plot.offsetLeft * devicePixelRatio, plot.offsetWidth * devicePixelRatio];
      return [...columns].sort((a, b) => a - b).map((column) => ((column - left) / wide) * span);
    },
    [TOPIC, SPAN_S],
  );

/** How long the line is before its widest hole, how wide that is, and how long the line is after; in seconds. */
function pieces(columns) {
  const holes = columns.slice(1).map((column, i) => column - columns[i]);
  const widest = holes.indexOf(Math.max(...holes));
  return { before: columns[widest] - columns[0], hole: holes[widest], after: columns.at(-1) - columns[widest + 1] };
}

test("a chart shows what was before a kill -9, a gap while the daemon was away, and what came after", async () => {
  const { bars, unknown, since } = await barsOf();
  const kept = bars.filter(({ start }) => start < times.killed);
  assert.ok(kept.length >= BARS - 2, `${JSON.stringify(bars)}, since ${since}`);
  assert.ok(unknown?.some(({ from, to }) => to - from > AWAY_MS / 2), JSON.stringify(unknown));

  const page = await openPage(browser.context, `${daemon.url}#topics=${TOPIC}`);
  await linkSays(page, "Live");
  const [from, to] = unknown.map(({ from, to }) => [from / 1000, to / 1000]).find(([from, to]) => to - from > AWAY_MS / 2000);
  const known = from - kept[0].start / 1000;
  // Drawn are two pieces, with a hole as wide as the time that is unknown, and at most a period more at each end.
  const isRight = ({ before, hole, after }) =>
    Math.abs(before - known) < 1 + SLACK_S && hole > to - from - SLACK_S && hole < to - from + 2 + SLACK_S && after > 0;
  let drawn;
  for (const deadline = Date.now() + 60_000; ; ) {
    drawn = pieces(await inked(page));
    if (isRight(drawn)) break;
    assert.ok(Date.now() < deadline, `${JSON.stringify(drawn)}; known for ${known} s, then unknown for ${to - from} s`);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }

  mkdirSync("out", { recursive: true });
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await page.screenshot({ path: `out/bars-${theme}.png` });
  }
  assert.deepEqual(page.errors, []);
  assert.ok(page.requests.some((url) => url.includes("/v1/bars?")), "bars were asked for");
  for (const url of page.requests) assert.equal(new URL(url).host, new URL(daemon.url).host);
  await page.close();
});

test("topics without bars are as before, and nothing is said of it", async () => {
  // A bare number has a main field; a room's messages have none.
  const page = await openPage(browser.context, `${daemon.url}#topics=tickerd.stats`);
  await linkSays(page, "Live");
  const answer = await page.waitForResponse((response) => response.url().includes("/v1/bars?"));
  const { topics, failed } = await answer.json();
  assert.deepEqual([topics.length, failed.map(({ topic }) => topic)], [0, ["tickerd.stats"]]);
  await page.waitForFunction(() => document.querySelector(".chart canvas")?.width > 0);
  assert.ok(await page.locator("#notices").isHidden());
  assert.deepEqual(page.errors, []);
  await page.close();
});
