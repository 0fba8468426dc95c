// The elements on a page of another site: what they show, how they are changed and styled.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./bare.js";
import { OUT, browser, daemon, hasInk, open, reads, site, textOf, told, write } from "./embed.js";

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
  await until("the end of one", () => told(page, "unsubscribe").includes("sim.AAPL"));
  assert.deepEqual(told(page, "subscribe"), ["sim.AAPL", "sim.AMZN", "sim.MSFT"]);
  await page.evaluate(() => document.querySelector("#b tickerd-value").setAttribute("field", "bid"));
  await reads(page, "#b tickerd-value", "label", /^sim\.MSFT bid$/);
  await page.evaluate(() => document.querySelector("#b tickerd-value").remove());
  await until("the end of the other", () => told(page, "unsubscribe").includes("sim.MSFT"));
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

test("a chart that was out of the page asks for what it missed", async () => {
  const page = await open(write("/away", `<tickerd-value topic="sim.AAPL"></tickerd-value><tickerd-chart topic="sim.AAPL"></tickerd-chart>`));
  const asked = () => page.sent.filter(({ event }) => event === "history").length;
  await reads(page, "tickerd-chart", "figure", /\d/);
  await until("its bars", () => asked() > 0);
  await page.waitForLoadState("networkidle");
  const before = asked();
  await page.evaluate(() => document.querySelector("tickerd-chart").setAttribute("label", "Apple"));
  await reads(page, "tickerd-chart", "label", /^Apple$/);
  assert.equal(asked(), before, "nothing was missed at a change of the label");
  await page.evaluate(async () => {
    const chart = document.querySelector("tickerd-chart");
    chart.remove();
    await new Promise(requestAnimationFrame);
    document.body.append(chart);
  });
  await until("its bars again", () => asked() > before);
  assert.deepEqual(page.errors, []);
  await page.close();
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
