// What the page makes of what it is told, without a daemon behind it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { quote, serveAlone, tick } from "./alone.js";
import { drawn, linkSays, rowOf } from "./view.js";

let alone, open;

before(async () => {
  alone = await serveAlone();
  open = alone.open;
});
after(() => alone?.close());

test("without the chart library the page says what to do, and is whole otherwise", async () => {
  const page = await open(({ sayText }) => sayText(quote("sim.AAPL", 1, "189.30")));
  await linkSays(page, "Live");
  assert.match(await page.locator("#unbuilt").innerText(), /charts need .*make/s);
  await page.waitForSelector('.chart[data-topic="sim.AAPL"]');
  assert.equal(await page.textContent(".chart .now"), "189.30");
  assert.equal(await page.locator("canvas").count(), 0);
  await page.close();
});

test("digits stay as the feed wrote them", async () => {
  const page = await open(({ sayText }) => {
    sayText(quote("sim.A", 1, "189.30"));
    sayText(quote("sim.B", 1, '"0.00001230"'));
    sayText(quote("sim.C", 1, "64123.50"));
  });
  for (const [topic, digits] of [
    ["sim.A", "189.30"],
    ["sim.B", "0.00001230"],
    ["sim.C", "64123.50"],
  ]) {
    assert.equal(await rowOf(page, topic).locator(".value").textContent(), digits);
  }
  assert.match(await rowOf(page, "sim.A").locator(".details").getAttribute("title"), /volume 1,200,500/);
  await page.close();
});

test("a trend is told by arrow and sign", async () => {
  let talk;
  const page = await open((connection) => (talk = connection));
  await linkSays(page, "Live");
  const say = (seq, price) => talk.sayText(tick("quote", "sim.A", seq, `{"price":"${price}","prev_close":"10.00"}`));
  say(1, "10.25");
  await rowOf(page, "sim.A").getByText("▲ +0.25").waitFor();
  say(2, "9.00");
  await rowOf(page, "sim.A").getByText("▼ −1.00").waitFor();
  await page.close();
});

test("a value of any shape has a row, and none is read as markup", async () => {
  const values = [
    "42",
    '"<img src=x onerror=alert(1)>"',
    "[1,2]",
    "{}",
    "null",
    "true",
    '{"a":{"b":{"price":"1.50"}}}',
    "1e400",
  ];
  const page = await open(({ sayText }) => {
    values.forEach((value, i) =>
      sayText(`{"event":"odd","data":{"topic":"odd.t${i}","seq":1,"ts":1,"value":${value}}}`),
    );
    sayText("not JSON");
    sayText("[]");
    sayText('{"event":"later_word","data":{}}');
  });
  await rowOf(page, `odd.t${values.length - 1}`).waitFor();
  assert.equal(await page.locator("tr[data-topic] img").count(), 0);
  assert.equal(await rowOf(page, "odd.t6").locator(".value").textContent(), "1.50");
  assert.equal(await rowOf(page, "odd.t1").locator(".value").textContent(), "<img src=x onerror=alert(1)>");
  assert.equal(await page.textContent("#link"), "Live");
  await page.close();
});

test("a refusal stops the page, with the reason and a button", async () => {
  const page = await open(({ socket, connections }) => {
    if (connections === 1) socket.close({ code: 4003, reason: "this origin is not allowed" });
  });
  await linkSays(page, "Stopped: 4003 this origin is not allowed");
  await page.click("#retry");
  await linkSays(page, "Live");
  await page.close();
});

test("a server that opens only to say why it refuses is understood, and not asked again", async () => {
  let tries = 0;
  const refuse = ({ socket, connections }) => {
    tries = connections;
    socket.close({ code: 4000, reason: "bad_request: the name is too long" });
  };
  const page = await open(refuse, { greeted: false });
  await page.getByText("The server refused this page: bad_request: the name is too long (4000).").waitFor();
  await page.getByText("It does not try again by itself.").waitFor();
  assert.match(await page.title(), /Refused/);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.link), "stopped");
  assert.equal(tries, 1);
  await page.close();
});

test("a WebSocket that never opens: the page says what may be the cause", async () => {
  const page = await open(null);
  const banner = page.locator("#outage");
  await banner.getByText("There is no connection to the server.").waitFor();
  const origin = new URL(alone.url).origin;
  await banner.getByText(`Add "${origin}" to origins under [server]`).waitFor();
  await page.close();
});

test("the lines for a page of one's own name the chosen topics, and what lets that page in", async () => {
  const page = await open(({ sayText }) => sayText(quote("sim.A", 1, "1.00")), { hash: "#topics=sim.A,sim.B" });
  await page.click("#own summary");
  const script = await page.textContent("#script");
  assert.match(script, /^import \{ connect \} from "http:\/\/127\.0\.0\.1:\d+\/client\.js";/);
  assert.match(script, /subscribe\(\["sim\.A","sim\.B"\]\)/);
  await page.locator("footer").getByText(/origins = \["https:\/\/example\.com"\]/).waitFor();
  for (const name of ["sim.A", "sim.B"]) await page.click(`.chart[data-topic="${name}"] .close`);
  assert.match(await page.textContent("#script"), /subscribe\(\["\*\*"\]\)/);
  await page.close();
});

test("the name of a control holds the words that are seen on it", async () => {
  const page = await open(({ sayText }) => sayText(quote("sim.A", 1, "1.00")));
  await page.waitForSelector(".chart");
  for (let i = 0; i < 3; i += 1) {
    const wrong = await page.$$eval("[aria-label]", (all) =>
      all
        .filter((element) => element.matches("button, a") && /[a-z]/i.test(element.innerText))
        .map((element) => [element.innerText.replace(/[^a-z ]/gi, "").trim().toLowerCase(), element.ariaLabel.toLowerCase()])
        .filter(([seen, name]) => !name.includes(seen)),
    );
    assert.deepEqual(wrong, []);
    await page.click("#theme");
  }
  await page.close();
});

/** Keeps what the page puts off, and for how long, in `waits`. */
const keepWaits = (page) =>
  page.addInitScript(() => {
    const { setTimeout } = globalThis;
    globalThis.waits = [];
    globalThis.setTimeout = (wake, ms) => {
      globalThis.waits.push(ms);
      return setTimeout(wake, ms);
    };
  });

test("a server that restarts is met again inside the window it named", async () => {
  let closed, back;
  const page = await open(({ socket, say, connections }) => {
    if (connections > 1) {
      back = Date.now();
      return;
    }
    say("closing", { in_ms: 100, reconnect_ms: [1_500, 1_600] });
    setTimeout(() => {
      closed = Date.now();
      socket.close({ code: 1012, reason: "restarting" });
    }, 100);
  }, { prepare: keepWaits });
  await linkSays(page, "Reconnecting");
  await linkSays(page, "Live");
  assert.ok(back - closed >= 1_400, `came back after ${back - closed} ms`);
  const waits = await page.evaluate(() => globalThis.waits);
  assert.ok(waits.some((ms) => ms >= 1_500 && ms <= 1_600), `waited for ${waits} ms`);
  await page.close();
});

test("silence beyond two heartbeats is a lost connection", async () => {
  let another;
  const second = new Promise((resolve) => (another = resolve));
  const page = await open(({ say, connections }) => {
    if (connections === 1) say("connected", { v: 1, server: "tickerd/9.9.9", heartbeat_ms: 200 });
    else another();
  });
  // The first is never closed, so that nothing but its silence brings another.
  await second;
  await linkSays(page, "Live");
  await page.close();
});

test("a stale topic is fresh when that is told, whatever ticks come, and on a new connection", async () => {
  let talk;
  const page = await open((connection) => (talk = connection));
  await linkSays(page, "Live");
  const stale = { type: "stale", feed: "stocks", topics: ["stocks.AAPL", "stocks.MSFT"], max_age_ms: 3000 };
  const badge = (topic) => rowOf(page, topic).locator(".badge");
  const since = new Date(2026, 0, 1, 12, 3, 11).getTime();
  // A slower rate may bring a tick that was held back.
  talk.say("notice", { ...stale, since });
  talk.sayText(quote("stocks.AAPL", 1, '"1.00"'));
  talk.sayText(quote("stocks.MSFT", 1, '"2.00"'));
  await rowOf(page, "stocks.AAPL").getByText("1.00").waitFor();
  assert.equal(await badge("stocks.AAPL").textContent(), "stale since Jan 1");
  talk.say("notice", { type: "fresh", feed: "stocks", topics: ["stocks.AAPL"] });
  await badge("stocks.AAPL").waitFor({ state: "hidden" });
  assert.ok(await badge("stocks.MSFT").isVisible());
  assert.match(await rowOf(page, "stocks.MSFT").innerText(), /\b1,200,500\b/);
  talk.socket.close({ code: 1012, reason: "restarting" });
  await badge("stocks.MSFT").waitFor({ state: "hidden" });
  await page.close();
});

test("times of another day have their day, also once the day is over", async () => {
  let talk;
  const page = await open((connection) => (talk = connection), { hash: "#alerts=sim.A%20%3E%200" });
  await linkSays(page, "Live");
  talk.sayText(quote("sim.A", 1, "1.00"));
  await rowOf(page, "sim.A").waitFor();
  const since = Date.now() - 60_000;
  talk.say("notice", { type: "feed", feed: "sim", state: "down", since, reason: "gone" });
  talk.say("notice", { type: "stale", feed: "sim", topics: ["sim.A"], since, max_age_ms: 1 });
  const told = {
    '#notices li': /^Feed sim is down since /,
    'tbody[data-feed="sim"] .badge': /^down since /,
    'tr[data-topic="sim.A"] .badge': /^stale since /,
    "#alerts-list li": /since /,
  };
  const reads = (selector, pattern) =>
    page.waitForFunction(([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent), [selector, pattern.source]);
  for (const [selector, pattern] of Object.entries(told)) await reads(selector, pattern);
  await page.clock.setFixedTime(Date.now() + 3 * 86_400_000);
  for (const [selector, pattern] of Object.entries(told)) await reads(selector, new RegExp(`${pattern.source}[A-Z]\\w+ \\d+`));
  await page.close();
});

test("feeds in trouble, lag and errors are told; a new topic appears, a retired one goes", async () => {
  let talk;
  const page = await open((connection) => (talk = connection));
  await linkSays(page, "Live");
  talk.sayText(quote("stocks.AAPL", 1, "1.00"));
  talk.say("notice", {
    type: "feed",
    feed: "stocks",
    state: "stale",
    since: Date.now(),
    reason: "429 from the source",
  });
  await page
    .locator("#notices")
    .getByText(/Feed stocks is stale since .*: 429 from the source/)
    .waitFor();
  assert.match(await page.textContent('tbody[data-feed="stocks"] .badge'), /^stale since/);
  talk.say("notice", { type: "feed", feed: "stocks", state: "up", since: Date.now() });
  await page
    .locator("#notices")
    .getByText(/stocks/)
    .waitFor({ state: "detached" });
  talk.say("notice", { type: "lag", topics: 12, skipped: 3400, since: 1 });
  await page
    .locator("#signs")
    .getByText(/Lagging: 3,400 ticks skipped/)
    .waitFor();
  talk.say("error", { code: 429, name: "rate_limited", message: "send fewer commands", temporary: true });
  await page.locator("#notices").getByText("429: send fewer commands").waitFor();
  talk.sayText(quote("stocks.MSFT", 1, "2.00"));
  await rowOf(page, "stocks.MSFT").waitFor();
  talk.say("notice", { type: "topics", added: [], removed: ["stocks.MSFT"] });
  await rowOf(page, "stocks.MSFT").waitFor({ state: "detached" });
  assert.deepEqual((await drawn(page)).includes("stocks.MSFT"), false);
  await page.close();
});
