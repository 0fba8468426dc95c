// What every scenario needs: a daemon with the bench's feed, a browser, and the reading of what a page costs.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "../../browser/browser.js";
import { startDaemon } from "../../browser/daemon.js";

const FEED = fileURLToPath(new URL("feed.js", import.meta.url));
const TRACE_MAX_MS = 10_000;
const BLANK = '<!doctype html><html lang="en"><meta charset="utf-8"><title>blank</title><link rel="icon" href="data:,"><main></main></html>';

export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `work({url, browser, blank})` with a daemon whose feed `bench` says `topics` topics, each once in `everyMs`. */
export async function withFeed({ topics, everyMs }, work) {
  const folder = await mkdtemp(join(tmpdir(), "tickerd-bench-"));
  const config = join(folder, "tickerd.toml");
  const exec = JSON.stringify([process.execPath, FEED, String(topics), String(everyMs)]);
  // A site of somebody else, which the daemon lets in.
  const site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(BLANK));
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const blank = `http://127.0.0.1:${site.address().port}`;
  await writeFile(config, `[server]\norigins = ["${blank}"]\n[[feed]]\nname = "bench"\nexec = ${exec}\ninterval = "100ms"\ntopics_max = ${topics}\n`);
  let daemon;
  let browser;
  try {
    daemon = await startDaemon({ config });
    browser = await openBrowser();
    return await work({ url: daemon.url, browser, blank });
  } finally {
    // A browser that has crashed cannot be closed; why it did is what is told then.
    await browser?.close().catch(() => {});
    await daemon?.stop();
    site.close();
    site.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Opens a page with its debugger's session; `prepare` is called before it loads. With `isRouted` it may answer requests itself,
 * and the debugger follows the network.
 */
export async function open({ browser, url }, hash = "", { prepare = () => {}, size = { width: 1_360, height: 860 }, isRouted = false } = {}) {
  const page = await browser.context.newPage();
  await page.setViewportSize(size);
  const cdp = await browser.context.newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  await prepare(page);
  if (!isRouted) await leaveNetwork(page);
  await page.goto(url + hash);
  return { page, cdp };
}

/**
 * Playwright has the browser tell it of each message of a WebSocket. At 10,000 a second that takes half a processor, also on the
 * page's own thread, and no reader has it. There is no public way to decline.
 */
async function leaveNetwork(page) {
  const sessions = () => page._connection.toImpl?.(page)?.delegate?._networkManager?._sessions;
  if (!sessions()?.size) throw new Error("this playwright-core keeps its sessions elsewhere: look for CRNetworkManager in it");
  const leave = () => Promise.all([...sessions().keys()].map((session) => session.send("Network.disable")));
  page.on("worker", leave);
  await leave();
}

/** A page of another origin with nothing on it. */
export const openBlank = ({ browser, blank }) => open({ browser, url: blank });

export async function metric(cdp, name) {
  const { metrics } = await cdp.send("Performance.getMetrics");
  return metrics.find((one) => one.name === name).value;
}

/**
 * What a page costs while it shows what comes, for `ms`: percent of a processor that its main thread takes, the longest
 * frame and the longest turn of that thread in ms.
 */
export async function cost({ page, cdp }, ms) {
  await page.evaluate(() => {
    globalThis.benchFrame = { longest: 0, last: performance.now(), count: 0 };
    const frame = (now) => {
      const mine = globalThis.benchFrame;
      if (!mine) return;
      mine.longest = Math.max(mine.longest, now - mine.last);
      mine.last = now;
      mine.count += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const [before, begun] = [await metric(cdp, "TaskDuration"), performance.now()];
  await wait(ms);
  const busy = ((await metric(cdp, "TaskDuration")) - before) * 1_000 / (performance.now() - begun);
  const { longest } = await page.evaluate(() => {
    const mine = globalThis.benchFrame;
    globalThis.benchFrame = null;
    return mine;
  });
  const tasks = await trace(cdp, Math.min(ms, TRACE_MAX_MS));
  // There may be more of them than a call takes.
  const task = tasks.reduce((most, { tdur }) => Math.max(most, tdur / 1_000), 0);
  return { busy: busy * 100, frame: longest, task };
}

/** The turns of the page's main thread in that time, with their own CPU time (µs). */
export async function trace(cdp, work) {
  const events = [];
  cdp.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const done = new Promise((resolve) => cdp.once("Tracing.tracingComplete", resolve));
  const categories = ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"];
  await cdp.send("Tracing.start", { traceConfig: { includedCategories: categories, excludedCategories: ["*"] } });
  await (typeof work === "number" ? wait(work) : work());
  await cdp.send("Tracing.end");
  await done;
  cdp.removeAllListeners("Tracing.dataCollected");
  // The renderer's main thread alone; there may be one more renderer that waits for its first page.
  const mains = new Set(
    events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`),
  );
  return events.filter(({ name, pid, tid, tdur }) => /RunTask$/.test(name) && tdur > 0 && mains.has(`${pid} ${tid}`));
}
