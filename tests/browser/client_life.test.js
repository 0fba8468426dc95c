// The client in a page of the daemon's: what it does when the daemon, the network or the page itself goes away.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { begin, fallsBehind, openBare, openEmpty, stateIs, ticksGoOn, until } from "./bare.js";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { serveForeign } from "./foreign.js";
import { openLine } from "./line.js";
import { hurry } from "./view.js";

const KILLS = 20;
const TOPICS = ["sim.trades.AAPL", "sim.AAPL"];
/** These move all the time. */
const QUOTES = ["sim.AAPL", "sim.MSFT"];
const WIDE = fileURLToPath(new URL("feeds/wide.mjs", import.meta.url));
let folder, site, config, daemon, browser, line;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-life-"));
  site = await serveForeign();
  config = join(folder, "tickerd.toml");
  const wide = `[[feed]]\nname = "wide"\nexec = [${JSON.stringify(process.execPath)}, ${JSON.stringify(WIDE)}]\ninterval = "100ms"\n`;
  const sim = '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\ninterval = "100ms"\n';
  await writeFile(config, `[server]\norigins = ["${site.origin}"]\n[history]\ncount = 100\n${sim}${wide}`);
  daemon = await startDaemon({ config });
  line = await openLine(daemon.port);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  line?.close();
  await daemon?.stop();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Another daemon at the same address. */
async function another() {
  await daemon.kill();
  daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
}

/** What a page says of being shown or hidden, which headless pages always are the same in. */
const hide = (page, hidden) =>
  page.evaluate((hidden) => {
    for (const [name, value] of [["hidden", hidden], ["visibilityState", hidden ? "hidden" : "visible"]]) {
      Object.defineProperty(document, name, { configurable: true, get: () => value });
    }
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

/** The last subscribe command of the page for a topic. */
const asked = (page, topic) =>
  page.frames.findLast(({ out, event, data }) => out && event === "subscribe" && data.topics.includes(topic))?.data;

/** Waits until each of the quotes has had a value since the call. */
async function eachTicks(page) {
  await page.evaluate(() => (seen.newest = {}));
  await page.waitForFunction((topics) => topics.every((topic) => topic in seen.newest), QUOTES);
}

test(`a daemon that is killed ${KILLS} times: live again each time, and each gap told`, { timeout: 600_000 }, async () => {
  const page = await openBare(browser.context, daemon.url, { topics: QUOTES });
  await eachTicks(page);
  await hurry(page);
  for (let kills = 1; kills <= KILLS; kills += 1) {
    await another();
    await page.waitForFunction((epochs) => seen.epochs.length === epochs && client.status.state === "live", kills + 1);
    await eachTicks(page);
    const gaps = await page.evaluate(() => seen.gaps);
    for (const topic of QUOTES) {
      const told = gaps.filter(({ topics, why, recovered }) => topics.includes(topic) && why === "restarted" && !recovered);
      assert.equal(told.length, kills, `${topic} after ${kills} kills: ${JSON.stringify(gaps)}`);
    }
  }
  const { statuses, errors, failed } = await page.evaluate(() => seen);
  const last = (state) => statuses.filter((status) => status.state === state).length;
  assert.equal(last("live"), KILLS + 1);
  assert.equal(last("stopped"), 0);
  assert.deepEqual([errors, failed], [[], []]);
  await page.close();
});

test("without network it says so, and is live at once when there is one", async () => {
  const page = await openBare(browser.context, line.url, { topics: TOPICS });
  await ticksGoOn(page);
  await browser.context.setOffline(true);
  line.cut();
  const { why } = await stateIs(page, "offline");
  assert.equal(typeof why, "string");
  // The next try by time is put off for ever: what connects is the browser's word alone.
  await page.evaluate(() => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (wake, ms) => {
      if (!String(wake).includes("this.connect()")) return setTimeout(wake, ms);
      globalThis.isHeld = true;
      return 0;
    };
  });
  await page.waitForFunction(() => globalThis.isHeld && client.status.state === "offline");
  await browser.context.setOffline(false);
  await stateIs(page, "live");
  await ticksGoOn(page);
  const gaps = await page.evaluate(() => seen.gaps.flatMap(({ topics, why }) => topics.map((topic) => `${topic} ${why}`)));
  for (const topic of TOPICS) assert.ok(gaps.includes(`${topic} reconnected`), `${topic}: ${gaps}`);
  await page.close();
});

test("hidden for an hour: less is sent, and all of it again when it is shown", async () => {
  const page = await openEmpty(browser.context, daemon.url);
  await page.clock.install();
  await begin(page, "/client.js", { topics: ["sim.AAPL"], mode: "latest", options: { hiddenRate: "1s" } });
  await stateIs(page, "live");
  await ticksGoOn(page);
  assert.equal(asked(page, "sim.AAPL").rate, undefined);
  await hide(page, true);
  await page.clock.fastForward(6_000);
  await until("a slower rate", () => asked(page, "sim.AAPL").rate === "1s");
  // Of the wire: two values of the topic, one after the other, are a second apart, not a tenth of one.
  const from = page.frames.length;
  const times = () =>
    page.frames.slice(from).flatMap(({ out, data }) => (!out && data.topic === "sim.AAPL" && "value" in data ? [data.ts] : []));
  await until("four values", () => times().length >= 4);
  const [, second, third, fourth] = times();
  assert.ok(third - second > 700 && fourth - third > 700, `${times()}`);
  await page.clock.fastForward("01:00:00");
  await stateIs(page, "live");
  await hide(page, false);
  await until("the full rate", () => asked(page, "sim.AAPL").rate === undefined);
  await stateIs(page, "live");
  const { seq } = await page.evaluate(() => client.latest("sim.AAPL") ?? { seq: 0 });
  await page.waitForFunction((seq) => client.latest("sim.AAPL")?.seq > seq + 3, seq);
  const statuses = await page.evaluate(() => seen.statuses.map(({ state }) => state));
  assert.ok(!statuses.includes("stopped"), `${statuses}`);
  await page.close();
});

// Headless Chromium freezes no page that is shown; that one wakes up is all that the client hears of it.
test("awake after a sleep: a connection that has died meanwhile is noticed and replaced", async () => {
  const page = await openBare(browser.context, line.url, { topics: TOPICS });
  await ticksGoOn(page);
  line.stall();
  await page.evaluate(() => document.dispatchEvent(new Event("resume")));
  await page.waitForFunction(() => seen.statuses.some(({ state, why }) => state === "waiting" && why === "silence"));
  await stateIs(page, "live");
  assert.equal(page.sockets, 2);
  await ticksGoOn(page);
  await page.close();
  // The browser keeps idle connections, and a stalled one would be taken for the next page.
  line.flow();
  line.cut();
});

test("a page is frozen in the back-forward cache without a socket, and is live when it is back", async () => {
  const cached = await openBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  try {
    site.pages["/one"] = "<!doctype html><title>one</title>";
    site.pages["/two"] = "<!doctype html><title>two</title>";
    const page = await cached.context.newPage();
    await page.goto(`${site.origin}/one`);
    await begin(page, `${daemon.url}client.js`, { topics: TOPICS, mode: "all", options: {} });
    await stateIs(page, "live");
    await ticksGoOn(page);
    await page.evaluate(() => {
      globalThis.life = [];
      for (const event of ["freeze", "resume"]) document.addEventListener(event, () => life.push(event));
      addEventListener("pageshow", ({ persisted }) => life.push(persisted ? "kept" : "loaded"));
    });
    await page.goto(`${site.origin}/two`);
    await until("the end of the connection", async () => (await daemon.metric("tickerd_connections")) === 0);
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => document.title === "one");
    await page.waitForFunction(() => globalThis.life?.includes("kept"));
    assert.deepEqual(await page.evaluate(() => life), ["freeze", "resume", "kept"]);
    await stateIs(page, "live");
    await ticksGoOn(page);
    const rested = await page.evaluate(() => seen.statuses.filter(({ why }) => why === "the page was put aside").length);
    assert.equal(rested, 1);
  } finally {
    await cached.close();
  }
});

test("a slow line: the newest values come, and the client is told how many did not", async () => {
  const page = await openBare(browser.context, line.url, { topics: ["wide.*"], mode: "latest" });
  await ticksGoOn(page, 20);
  line.stall();
  await fallsBehind(daemon, "wide.t0");
  line.flow();
  await page.waitForFunction(() => seen.lags.length > 0);
  const { lags, gaps, newest } = await page.evaluate(() => ({
    ...seen,
    newest: Object.values(seen.newest).map(({ topic, seq }) => ({ topic, seq })),
  }));
  assert.ok(lags.every(({ by, skipped }) => by === "server" && skipped > 0), JSON.stringify(lags));
  assert.deepEqual(gaps, [], "the newest of a state is no gap");
  assert.equal(newest.length, 20);
  assert.equal(await page.evaluate(() => seen.statuses.filter(({ state }) => state === "live").length), 1);
  await page.close();
});

test("a worker and a shared worker use it as a page does", async () => {
  const module = `${daemon.url}client.js`;
  const work = (say) => `import { connect } from "${module}";
    const client = connect();
    const stop = client.on("tick", ({ topic, seq }) => { stop(); ${say} });
    client.subscribe("sim.AAPL");`;
  site.policy = `default-src 'self' http://127.0.0.1:${daemon.port}; connect-src *`;
  site.pages["/page"] = "<!doctype html><title>workers</title>";
  site.pages["/worker.js"] = work("postMessage({ topic, seq });");
  site.pages["/shared.js"] = `const ports = []; onconnect = ({ ports: [port] }) => { ports.push(port); if (globalThis.first) port.postMessage(globalThis.first); };
    ${work("globalThis.first = { topic, seq }; ports.forEach((port) => port.postMessage({ topic, seq }));").replace(/import.*/, `const { connect } = await import("${module}");`)}`;
  const page = await browser.context.newPage();
  await page.goto(`${site.origin}/page`);
  const told = await page.evaluate(() =>
    Promise.all(
      ["/worker.js", "/shared.js"].map(
        (path) =>
          new Promise((resolve, reject) => {
            const worker = path === "/worker.js" ? new Worker(path, { type: "module" }) : new SharedWorker(path, { type: "module" });
            worker.onerror = ({ message }) => reject(new Error(`${path}: ${message}`));
            (worker.port ?? worker).onmessage = ({ data }) => resolve(data);
          }),
      ),
    ),
  );
  for (const { topic, seq } of told) assert.ok(topic === "sim.AAPL" && seq > 0);
  await page.close();
  site.policy = undefined;
});

test("the policy of the strictest page is enough: no report, no other origin", async () => {
  const page = await openBare(browser.context, daemon.url, { topics: TOPICS });
  await page.evaluate(() => {
    globalThis.reports = [];
    addEventListener("securitypolicyviolation", ({ violatedDirective }) => globalThis.reports.push(violatedDirective));
  });
  await ticksGoOn(page);
  assert.deepEqual(await page.evaluate(() => globalThis.reports), []);
  const origins = new Set(page.requests.map((url) => new URL(url).host));
  assert.deepEqual([...origins], [new URL(daemon.url).host]);
  // A page without markup names no icon, so the browser looks for one.
  assert.deepEqual(page.errors.filter((text) => !/status of 404/.test(text)), []);
  await page.close();
});
