// The elements on a page of another site, under a strict policy, against the real daemon.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { serveForeign } from "./foreign.js";

const TOKEN = "a-token-of-the-wall-0123456789-0123456789";
const CLIENT = new URL("../../dashboards/client/src/", import.meta.url);
const OUT = new URL("out/", import.meta.url);
let folder, site, config, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-elements-"));
  site = await serveForeign({ folder: new URL("../", CLIENT) });
  config = join(folder, "tickerd.toml");
  await writeFile(config, settings());
  daemon = await startDaemon({ config });
  // The site names the daemon for its scripts and connections, and nothing more.
  const { host } = new URL(daemon.url);
  site.policy = `default-src 'self'; script-src 'self' http://${host}; connect-src http://127.0.0.1:* ws://127.0.0.1:*`;
  site.pages["/page.css"] =
    ":root { color-scheme: light dark; } body { background: light-dark(#fff, #101215); font: 16px sans-serif; }";
  browser = await openBrowser();
  await mkdir(OUT, { recursive: true });
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

const settings = (more = "") => `
[server]
origins = ["${site.origin}"]
${more}
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
`;

/** A page of the site with these elements. */
function write(path, body, { script = `${daemon.url}elements.js`, head = "" } = {}) {
  site.pages[path] =
    `<!doctype html><html lang="en"><head><title>A site</title><meta name="viewport" content="width=device-width">
    <link rel="stylesheet" href="/page.css">${head}<script type="module" src="${script}"></script></head><body><h1>A site</h1>${body}</body></html>`;
  return site.origin + path;
}

/** A page whose frames to and from the daemon are kept. */
async function open(url, context = browser.context) {
  const sent = [];
  const sockets = [];
  const page = await context.newPage();
  page.on("websocket", (socket) => {
    sockets.push(socket.url());
    socket.on("framesent", ({ payload }) => sent.push(JSON.parse(payload)));
  });
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  return Object.assign(page, { sent, sockets, errors, requests });
}

const told = (page, event) => page.sent.filter((one) => one.event === event).flatMap(({ data }) => data.topics);

/** Waits until a part of an element reads so. */
const reads = (page, selector, part, pattern) =>
  page.waitForFunction(
    ([selector, part, pattern]) => {
      const found = document.querySelector(selector)?.shadowRoot?.querySelector(`[part="${part}"]`);
      return found && new RegExp(pattern).test(found.textContent);
    },
    [selector, part, pattern.source],
  );

const textOf = (page, selector, part) =>
  page.$eval(selector, (one, part) => one.shadowRoot.querySelector(`[part="${part}"]`).textContent, part);

/** Waits until a chart has ink of one of its colours: `color` is the line's, the borders are those of candles. */
const hasInk = (page, selector, property = "color") =>
  page.waitForFunction(
    ([selector, property]) => {
      const canvas = document.querySelector(selector).shadowRoot?.querySelector("canvas");
      if (!canvas?.width) return false;
      const [r, g, b] = getComputedStyle(canvas).getPropertyValue(property).match(/\d+/g).map(Number);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let inked = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 30)
          inked += 1;
      }
      return inked > 15;
    },
    [selector, property],
  );

test("the three elements live on another site under a strict policy, over one connection", async () => {
  const page = await open(
    write(
      "/all",
      `
    <tickerd-ticker topics="sim.*"></tickerd-ticker>
    <p>Apple is at <tickerd-value topic="sim.AAPL"></tickerd-value>, its volume is <tickerd-value topic="sim.AAPL" field="volume" label="volume"></tickerd-value></p>
    <tickerd-chart topic="sim.AAPL" range="2m"></tickerd-chart>
    <tickerd-chart id="candles" topic="sim.AAPL" range="2m" type="candles"></tickerd-chart>`,
    ),
  );
  await reads(page, "tickerd-value", "figure", /^\d+\.\d\d$/);
  assert.match(await textOf(page, "tickerd-value", "unit"), /^USD$/);
  assert.match(await textOf(page, "tickerd-value", "change"), /^([▲▼] [+−])?[\d.]+ \([+−]?[\d.]+ %\)$/);
  assert.equal(await textOf(page, "tickerd-value", "badge"), "simulated");
  await reads(page, "tickerd-value[field]", "figure", /^[\d,]+$/);
  assert.equal(await textOf(page, "tickerd-value[field]", "label"), "volume");
  await reads(page, "tickerd-ticker", "strip", /sim\.MSFT \d+/);
  await hasInk(page, "tickerd-chart");
  const first = await textOf(page, "tickerd-value", "figure");
  await page.waitForFunction(
    (first) => document.querySelector("tickerd-value").shadowRoot.querySelector("[part=figure]").textContent !== first,
    first,
  );
  assert.equal(page.sockets.length, 1);
  const names = told(page, "subscribe");
  assert.equal(new Set(names).size, names.length, "each topic is subscribed once");
  assert.ok(names.includes("tickerd.bars.10s.sim.AAPL") && names.includes("sim.AAPL") && names.includes("sim.*"));
  assert.ok(
    page.requests.every((url) => url.startsWith(site.origin) || url.startsWith(daemon.url)),
    page.requests.join(),
  );
  await page.screenshot({ path: new URL("elements-light.png", OUT).pathname });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(
    () => getComputedStyle(document.querySelector("tickerd-value")).color === "rgb(231, 233, 236)",
  );
  await page.screenshot({ path: new URL("elements-dark.png", OUT).pathname });
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.screenshot({ path: new URL("elements-phone.png", OUT).pathname });
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("candles rise hollow and fall filled, and the bar at the pointer or the arrow keys is told", async () => {
  // Bars that the test knows: the daemon's own are what its walk makes them.
  const page = await browser.context.newPage();
  const period = 10_000;
  const start = Math.floor(Date.now() / period) * period;
  const bar = (back, open, close) => ({
    start: start - back * period,
    open,
    close,
    high: "110.5",
    low: "99.5",
    count: 5,
    merged: 0,
  });
  const past = {
    topic: "x.A",
    period: "10s",
    field: "price",
    epoch: "e",
    since: start - 30 * period,
    bars: [bar(3, "100.0", "110.0"), bar(2, "110.0", "100.0"), bar(1, "100.0", "100.5")],
  };
  await page.routeWebSocket(/\/ws/, (socket) => {
    const say = (event, data) => socket.send(JSON.stringify({ event, data }));
    socket.onMessage((text) => {
      const { event, data } = JSON.parse(text);
      if (event === "subscribe")
        say("subscribed", {
          id: data.id,
          topics: data.topics.map((topic) => ({ topic, seq: 1, mode: "latest" })),
          patterns: [],
          failed: [],
        });
      if (event === "subscribe")
        socket.send(`{"event":"quote","data":{"topic":"x.A","seq":1,"ts":${Date.now()},"value":{"price":100.50}}}`);
      if (event === "history") say("history", { id: data.id, ...past });
    });
    say("connected", { v: 1, epoch: "e", heartbeat_ms: 15_000, limits: {} });
  });
  await page.goto(write("/candles", `<tickerd-chart topic="x.A" range="1m" type="candles"></tickerd-chart>`));
  await hasInk(page, "tickerd-chart", "border-top-color");
  await hasInk(page, "tickerd-chart", "border-right-color");
  await page.waitForFunction(() =>
    /from 100.0 to 100.50, lowest 99.5, highest 110.5/.test(
      document.querySelector("tickerd-chart").shadowRoot.querySelector("canvas").getAttribute("aria-label"),
    ),
  );
  assert.equal(await textOf(page, "tickerd-chart", "figure"), "100.50", "the source's digits");
  const inks = await page.evaluate(() => {
    const canvas = document.querySelector("tickerd-chart").shadowRoot.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const count = (color) => {
      const [r, g, b] = color.match(/\d+/g).map(Number);
      let n = 0;
      for (let i = 0; i < data.length; i += 4)
        n +=
          data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 30
            ? 1
            : 0;
      return n;
    };
    const style = getComputedStyle(canvas);
    return { up: count(style.borderTopColor), down: count(style.borderRightColor) };
  });
  assert.ok(inks.down > 5 * inks.up, `a fall is filled and a rise of the same size is not: ${JSON.stringify(inks)}`);
  await page.screenshot({ path: new URL("elements-candles.png", OUT).pathname });

  await page.keyboard.press("Tab");
  await page.keyboard.press("End");
  await reads(page, "tickerd-chart", "readout", /open 100\.0, high 110\.5, low 99\.5, close 100\.5$/);
  await page.keyboard.press("ArrowLeft");
  await reads(page, "tickerd-chart", "readout", /open 110\.0, .*close 100\.0$/);
  await page.keyboard.press("Escape");
  await reads(page, "tickerd-chart", "readout", /^$/);
  const box = await page.locator("tickerd-chart canvas").boundingBox();
  await page.mouse.move(box.x + box.width * 0.45, box.y + 50);
  await reads(page, "tickerd-chart", "readout", /^\d\d:\d\d:\d\d open/);
  await page.mouse.move(0, 0);
  await reads(page, "tickerd-chart", "readout", /^$/);
  await page.close();
});

test("attributes change at once, moving unsubscribes nothing, and what is removed is unsubscribed", async () => {
  const page = await open(
    write(
      "/change",
      `<div id="a"><tickerd-value topic="sim.AAPL"></tickerd-value></div><div id="b"></div><tickerd-value id="stays" topic="sim.AMZN"></tickerd-value>`,
    ),
  );
  await reads(page, "tickerd-value", "figure", /\d/);
  // In the frame after the move the figure is still there.
  const isThere = await page.evaluate(async () => {
    const one = document.querySelector("#a tickerd-value");
    document.getElementById("b").append(one);
    await new Promise(requestAnimationFrame);
    return /\d/.test(one.shadowRoot.querySelector("[part=figure]").textContent);
  });
  assert.ok(isThere);
  await page.evaluate(() => document.querySelector("#b tickerd-value").setAttribute("topic", "sim.MSFT"));
  await reads(page, "#b tickerd-value", "label", /^sim\.MSFT$/);
  await reads(page, "#b tickerd-value", "figure", /\d/);
  await until(() => told(page, "unsubscribe").includes("sim.AAPL"));
  assert.deepEqual(told(page, "subscribe"), ["sim.AAPL", "sim.AMZN", "sim.MSFT"]);
  await page.evaluate(() => document.querySelector("#b tickerd-value").setAttribute("field", "bid"));
  await reads(page, "#b tickerd-value", "label", /^sim\.MSFT bid$/);
  await page.evaluate(() => document.querySelector("#b tickerd-value").remove());
  await until(() => told(page, "unsubscribe").includes("sim.MSFT"));
  assert.deepEqual(told(page, "unsubscribe"), ["sim.AAPL", "sim.MSFT"]);
  // The last one closes the connection.
  const closed = page.evaluate(
    () =>
      new Promise((resolve) => {
        const { close } = WebSocket.prototype;
        WebSocket.prototype.close = function (...all) {
          resolve(true);
          return close.apply(this, all);
        };
      }),
  );
  await page.evaluate(() => document.getElementById("stays").remove());
  assert.ok(await closed);
  assert.deepEqual([page.sockets.length, page.errors], [1, []]);
  await page.close();
});

test("what is wrong is told in words beside the figure", async () => {
  const page = await open(
    write(
      "/words",
      `
    <tickerd-value id="typo" topic="sim.APPL"></tickerd-value>
    <tickerd-value id="none" topic="nosuch.A"></tickerd-value>
    <tickerd-value id="empty"></tickerd-value>
    <tickerd-value id="address" topic="sim.AAPL" server="http:nowhere:x"></tickerd-value>
    <tickerd-ticker topics="nosuch.*"></tickerd-ticker>
    <tickerd-chart topic="sim.AAPL" period="7s"></tickerd-chart>
    <tickerd-chart id="odd" topic="sim.AAPL" period="often" type="candles"></tickerd-chart>`,
    ),
  );
  await reads(page, "#typo", "state", /did you mean sim\.AAPL\?/);
  await reads(page, "#none", "state", /there is no feed "nosuch"/);
  await reads(page, "#empty", "state", /no topic is named/);
  await reads(page, "#address", "state", /is no address; write wss:\/\/host\/ws/);
  await reads(page, "tickerd-ticker", "state", /no feed "nosuch"|no value yet/);
  await reads(page, "tickerd-chart", "state", /bars of "7s" are not kept here; the periods are 10s, 1m/);
  await reads(page, "#odd", "state", /often/);
  assert.deepEqual(page.errors, []);
  await page.evaluate(() => document.getElementById("typo").setAttribute("topic", "sim.AAPL"));
  await page.evaluate(() => document.querySelector("tickerd-chart").setAttribute("period", "10s"));
  await reads(page, "#typo", "state", /^$/);
  await reads(page, "tickerd-chart", "state", /^$/);
  await page.close();
});

test("stale, a feed that is down, delayed, and a refusal with what helps are told in words", async () => {
  const page = await browser.context.newPage();
  let talk;
  await page.routeWebSocket(/\/ws/, (socket) => {
    const say = (event, data) => socket.send(JSON.stringify({ event, data }));
    talk = { socket, say };
    socket.onMessage((text) => {
      const { event, data } = JSON.parse(text);
      if (event !== "subscribe") return;
      const topics = data.topics.map((topic) => ({ topic, seq: 1, mode: "latest" }));
      say("subscribed", { id: data.id, topics, patterns: [], failed: [] });
      say("quote", { topic: "x.A", seq: 1, ts: Date.now(), value: { price: "1.50", delay_s: 900 } });
    });
    say("connected", { v: 1, epoch: "e", heartbeat_ms: 15_000, limits: {} });
  });
  await page.goto(write("/told", `<tickerd-value topic="x.A"></tickerd-value>`));
  await reads(page, "tickerd-value", "figure", /^1\.50$/);
  await reads(page, "tickerd-value", "badge", /^delayed 15 min$/);
  talk.say("notice", { type: "stale", feed: "x", topics: ["x.A"], since: Date.now(), max_age_ms: 1 });
  await reads(page, "tickerd-value", "state", /^stale since \d/);
  talk.say("notice", { type: "fresh", feed: "x", topics: ["x.A"] });
  await reads(page, "tickerd-value", "state", /^$/);
  talk.say("notice", { type: "feed", feed: "x", state: "down", since: Date.now(), reason: "it ended" });
  await reads(page, "tickerd-value", "state", /^feed down: it ended$/);
  talk.say("notice", { type: "feed", feed: "x", state: "up", since: Date.now(), reason: "" });
  await reads(page, "tickerd-value", "state", /^$/);
  // Shapes that no server sends.
  for (const odd of [null, [], { price: {} }, { price: null }])
    talk.say("quote", { topic: "x.A", seq: 1e6, ts: 2, value: odd });
  talk.say("quote", { topic: "x.A", seq: 2e6, ts: 3, value: { price: "1.60" } });
  await reads(page, "tickerd-value", "figure", /^1\.60$/);
  talk.socket.close({ code: 4003, reason: "forbidden: not from here" });
  await reads(page, "tickerd-value", "state", /^stopped: forbidden: not from here\. ask the operator/);
  assert.equal(await textOf(page, "tickerd-value", "figure"), "1.60");
  await page.close();
});

test("on the daemon's own origin the feed's marks are read", async () => {
  const page = await browser.context.newPage();
  // The document with marks that nobody would guess.
  await page.route("**/v1/asyncapi.json", async (route) => {
    const document = await (await route.fetch()).json();
    const volume = { "x-tickerd-unit": "{barrels}", "x-tickerd-decimals": 3 };
    document.components.schemas["sim.quote"] = { properties: { volume } };
    await route.fulfill({ json: document });
  });
  await page.goto(daemon.url);
  await page.evaluate(async () => {
    await import("/elements.js");
    document.body.prepend(document.createElement("tickerd-value"));
    document.querySelector("tickerd-value").setAttribute("topic", "sim.AAPL");
    document.querySelector("tickerd-value").setAttribute("field", "volume");
  });
  await reads(page, "tickerd-value", "unit", /^barrels$/);
  await reads(page, "tickerd-value", "figure", /^[\d,]+\.000$/);
  await page.close();
});

test("a server that ends is told, its last figures stay, and all comes back with it", async () => {
  let other = await startDaemon({ config });
  const { port } = other;
  const page = await open(
    write(
      "/ends",
      `<tickerd-value topic="sim.AAPL" server="ws://127.0.0.1:${port}/ws"></tickerd-value>
    <tickerd-ticker topics="sim.AAPL" server="ws://127.0.0.1:${port}"></tickerd-ticker>
    <tickerd-chart topic="sim.AAPL" range="1m" server="ws://127.0.0.1:${port}/ws"></tickerd-chart>`,
    ),
  );
  await reads(page, "tickerd-value", "figure", /\d/);
  await other.kill();
  await reads(page, "tickerd-value", "state", /^no connection|^connecting/);
  await reads(page, "tickerd-ticker", "strip", /\d/);
  assert.match(await textOf(page, "tickerd-value", "figure"), /\d/);
  await page.screenshot({ path: new URL("elements-lost.png", OUT).pathname });
  other = await startDaemon({ listen: `127.0.0.1:${port}`, config });
  for (const name of ["tickerd-value", "tickerd-chart"]) await reads(page, name, "state", /^$/);
  const before = await textOf(page, "tickerd-value", "figure");
  await page.waitForFunction(
    (before) =>
      document.querySelector("tickerd-value").shadowRoot.querySelector("[part=figure]").textContent !== before,
    before,
  );
  await page.close();
  await other.stop();
});

test("a daemon that does not list the site: the element says what to add", async (t) => {
  const strict = join(folder, "strict.toml");
  await writeFile(strict, '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n');
  const other = await startDaemon({ config: strict });
  t.after(() => other.stop());
  const page = await open(
    write("/strict", `<tickerd-value topic="sim.AAPL" server="ws://127.0.0.1:${other.port}/ws"></tickerd-value>`, {
      script: "/src/elements.js",
    }),
  );
  await reads(page, "tickerd-value", "state", new RegExp(`add "${site.origin}" to its origins`));
  await page.close();
});

test("a token comes from the page: by an event or a property, and one connection for each", async (t) => {
  await writeFile(join(folder, "wall"), TOKEN);
  const strict = join(folder, "auth.toml");
  const auth = `
[auth]
[[auth.token]]
name = "wall"
token = { file = "${join(folder, "wall")}" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["sim.**"]
history = ["sim.**"]
`;
  await writeFile(strict, settings() + auth);
  const other = await startDaemon({ config: strict });
  t.after(() => other.stop());
  const at = `server="ws://127.0.0.1:${other.port}/ws"`;
  site.pages["/token.js"] = `
    const token = "${TOKEN}";
    globalThis.asked = [];
    addEventListener("tickerd-token", (event) => {
      const { answer, reason, server } = event.detail;
      asked.push([event.target.id, reason, server]);
      if (event.target.dataset.user) answer(Promise.resolve(token));
    });
    document.querySelector("#property").token = token;
  `;
  const page = await open(
    write(
      "/token",
      `
    <div><tickerd-value id="event" data-user="1" topic="sim.AAPL" ${at}></tickerd-value></div>
    <tickerd-value id="shared" topic="sim.MSFT" ${at}></tickerd-value>
    <tickerd-value id="property" topic="sim.AAPL" ${at}></tickerd-value><script src="/token.js"></script>`,
    ),
  );
  await reads(page, "#event", "figure", /\d/);
  await reads(page, "#shared", "figure", /\d/);
  await reads(page, "#property", "figure", /\d/);
  assert.deepEqual(await page.evaluate(() => globalThis.asked), [
    ["event", "connect", `ws://127.0.0.1:${other.port}/ws`],
  ]);
  assert.equal(page.sockets.length, 2);
  assert.ok([...page.sockets, ...page.requests].every((url) => !url.includes(TOKEN)));
  assert.deepEqual(page.errors, []);
  await page.close();

  // Without one it says so, and the token that comes later is taken.
  const late = await open(write("/late", `<tickerd-value topic="sim.AAPL" ${at}></tickerd-value>`));
  await reads(late, "tickerd-value", "state", /./);
  await late.waitForFunction(
    () =>
      !/connecting/.test(document.querySelector("tickerd-value").shadowRoot.querySelector("[part=state]").textContent),
  );
  await late.evaluate((token) => (document.querySelector("tickerd-value").token = token), TOKEN);
  await reads(late, "tickerd-value", "figure", /\d/);
  await late.close();
});

test("a site styles them with its own properties and parts", async () => {
  site.pages["/mine.css"] =
    "tickerd-value { --tickerd-ink: rgb(1, 2, 3); --tickerd-muted: rgb(4, 5, 6); } tickerd-value::part(figure) { font-size: 40px; } tickerd-value::part(badge) { display: none; }";
  const page = await open(
    write("/mine", `<tickerd-value topic="sim.AAPL"></tickerd-value>`, {
      head: '<link rel="stylesheet" href="/mine.css">',
    }),
  );
  await reads(page, "tickerd-value", "figure", /\d/);
  const style = await page.$eval("tickerd-value", ({ shadowRoot }) =>
    ["figure", "label", "badge"]
      .map((part) => getComputedStyle(shadowRoot.querySelector(`[part=${part}]`)))
      .map(({ color, fontSize, display }) => ({ color, fontSize, display })),
  );
  assert.deepEqual(
    [style[0].color, style[0].fontSize, style[1].color, style[2].display],
    ["rgb(1, 2, 3)", "40px", "rgb(4, 5, 6)", "none"],
  );
  await page.close();
});

test("a strip that is too wide moves, stops under the pointer and the keyboard, and stands still for who wants that", async () => {
  const page = await open(write("/strip", `<tickerd-ticker topics="sim.*" label="Shares"></tickerd-ticker>`));
  const motion = () =>
    page.evaluate(() =>
      document
        .querySelector("tickerd-ticker")
        .shadowRoot.getAnimations()
        .map(({ playState }) => playState),
    );
  await page.setViewportSize({ width: 390, height: 400 });
  await page.waitForFunction(() => document.querySelector("tickerd-ticker").shadowRoot.getAnimations().length === 1);
  assert.deepEqual(await motion(), ["running"]);
  await page.hover("tickerd-ticker");
  await page.waitForFunction(
    () => document.querySelector("tickerd-ticker").shadowRoot.getAnimations()[0].playState === "paused",
  );
  await page.mouse.move(200, 390);
  await page.keyboard.press("Tab");
  await page.waitForFunction(
    () => document.querySelector("tickerd-ticker").shadowRoot.getAnimations()[0].playState === "paused",
  );
  const box = await page.$eval("tickerd-ticker", ({ shadowRoot }) =>
    shadowRoot.activeElement?.getAttribute("aria-label"),
  );
  assert.equal(box, "Shares");
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.waitForFunction(() => document.querySelector("tickerd-ticker").shadowRoot.getAnimations().length === 0);
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(
    () => document.querySelector("tickerd-ticker").shadowRoot.querySelector("[part=box]").scrollLeft > 0,
  );
  await page.evaluate(() => document.querySelector("tickerd-ticker").setAttribute("topics", "sim.AAPL"));
  await page.waitForFunction(
    () =>
      document.querySelector("tickerd-ticker").shadowRoot.querySelectorAll("[part=strip]:first-child [part=row]")
        .length === 1,
  );
  await page.close();
});

test("a hundred elements share one connection", async () => {
  const names = ["AAPL", "AMZN", "GOOGL", "META", "MSFT", "NFLX"];
  const body = Array.from({ length: 100 }, (_, i) => {
    const topic = `sim.${names[i % names.length]}`;
    return i % 4 === 0
      ? `<tickerd-chart topic="${topic}" range="1m"></tickerd-chart>`
      : `<tickerd-value topic="${topic}"></tickerd-value>`;
  });
  const page = await open(write("/hundred", body.join("\n")));
  await page.waitForFunction(() =>
    [...document.querySelectorAll("tickerd-value, tickerd-chart")].every(({ shadowRoot }) =>
      /\d/.test(shadowRoot?.querySelector("[part=figure]")?.textContent),
    ),
  );
  assert.equal(page.sockets.length, 1);
  const subscribed = told(page, "subscribe");
  assert.equal(new Set(subscribed).size, subscribed.length);
  assert.deepEqual(page.errors, []);
  await page.close();
});

/** Waits for what no page tells. */
async function until(isSo) {
  const deadline = Date.now() + 60_000;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, "it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
