// What the elements tell in words: mistakes, lost servers, refusals; marks and tokens.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "./daemon.js";
import { OUT, browser, config, daemon, folder, open, reads, settings, site, textOf, write } from "./embed.js";

const TOKEN = "a-token-of-the-wall-0123456789-0123456789";

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
  await reads(page, "tickerd-value", "state", /^stale since \d+:/);
  talk.say("notice", { type: "stale", feed: "x", topics: ["x.A"], since: Date.now() - 3 * 86_400_000, max_age_ms: 1 });
  await reads(page, "tickerd-value", "state", /^stale since \d+\/\d+\/\d+, \d+:/);
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

test("a number keeps the digits that it was written in", async () => {
  const page = await browser.context.newPage();
  await page.goto(`${daemon.url}healthz`);
  const value = await page.evaluate(async () => {
    const { exact } = await import("/client/elements/figure.js");
    return exact('{"event":"quote","data":{"value":{"price":189.30,"n":0}}}');
  });
  assert.equal(value.price, "189.30");
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
