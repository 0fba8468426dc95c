// The list of feeds and a feed's own page: what they say of a feed, in words and figures.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Book, CHANGES_MAX, Feed } from "../../dashboards/web/src/feeds/book.js";
import { kindsOf } from "../../dashboards/web/src/feeds/kinds.js";
import * as words from "../../dashboards/web/src/feeds/words.js";
import { serveAlone } from "./alone.js";
import { openBlank } from "./blank.js";

const SINCE = new Date(2026, 10, 29, 12, 3, 11).getTime();
const NOW = SINCE + 200_000;

const listed = (feed, state, more = {}) => ({ feed, state, since: SINCE, reason: "", topics: 0, stale: 0, samples: 0, refused: 0, ...more });
const feedOf = (more) => Object.assign(new Feed("mine"), { state: "up", isListed: true }, more);

test("what was refused is told with its share, and all of it stands out", () => {
  const refused = (samples, n) => words.refused(feedOf({ samples, refused: n }));
  assert.equal(refused(10, 0), "none");
  assert.equal(refused(0, 120), "all 120 samples refused");
  assert.equal(refused(0, 1), "the only sample was refused");
  assert.equal(refused(120, 3), "3 of 123 (2.4 %)");
  assert.equal(refused(1_000_000, 1), "1 of 1,000,001 (under 0.1 %)");
  assert.equal(refused(1, 1_000_000), "1,000,000 of 1,000,001 (over 99.9 %)");
  assert.ok(feedOf({ refused: 3 }).isAllRefused);
  assert.equal(words.summary([feedOf({ refused: 3, topics: 0 }), feedOf({ state: "down" }), feedOf()]), "3 feeds: 1 down, 2 up. Of one of them every sample was refused.");
});

test("an operator is told what to do next in every state, and no name becomes markup", () => {
  for (const state of ["up", "degraded", "stale", "down", "closed", "unknown"]) {
    assert.match(words.next(feedOf({ state, topics: 3 })), /[.]$/, state);
  }
  assert.match(words.next(feedOf({ state: "down", reason: "no route" })), /tickerd feed list.*journalctl/);
  assert.match(words.next(feedOf({ state: "down", reason: "its configuration is wrong" })), /tickerd check/);
  assert.match(words.next(feedOf({ state: "down", reason: "starting" })), /It is starting/);
  assert.match(words.next(feedOf({ refused: 5 })), /nothing that it says can be used.*tickerd plugin check/);
  assert.match(words.next(feedOf({ topics: 0 })), /has not said anything yet/);
  assert.equal(words.codeWords("constructor"), "");
});

test("samples per second come from two lists, and not from a server that started again", () => {
  const book = new Book();
  const take = (samples, at) => book.take([listed("sim", "up", { samples })], at);
  take(100, 0);
  assert.ok(Number.isNaN(book.get("sim").rate));
  take(104, 500);
  assert.ok(Number.isNaN(book.get("sim").rate), "too soon after the first");
  take(140, 5_000);
  assert.equal(book.get("sim").rate, 8);
  take(3, 10_000);
  assert.ok(Number.isNaN(book.get("sim").rate));
  take(13, 15_000);
  assert.equal(book.get("sim").rate, 2);
  assert.equal(words.rate(2), "2.0/s");
  assert.equal(words.rate(1 / 60), "1.0/min");
  assert.equal(words.rate(1_234), "1,234/s");
  assert.equal(words.rate(0), "0/s");
  assert.equal(words.rate(NaN), "–");
});

test("the past of a feed is the server's and what the page saw, newest first, each once, and bounded", () => {
  const book = new Book();
  book.told({ feed: "sim", state: "down", since: 3_000, reason: "killed" }, 0);
  book.told({ feed: "sim", state: "up", since: 5_000, reason: "" }, 10);
  const changes = [{ state: "up", since: 5_000, reason: "" }, { state: "stale", since: 4_000, reason: "no news" }, { state: "odd", since: 1 }, null, 7];
  book.take([listed("sim", "up", { since: 5_000, changes, refusals: { bad_json: 3, bad_topic: 9, nothing: 0, odd: "x" } })], 2_000);
  const { changes: kept, refusals } = book.get("sim");
  assert.deepEqual(kept.map(({ state, since }) => [state, since]), [["up", 5_000], ["stale", 4_000], ["down", 3_000]]);
  assert.deepEqual(refusals, [["bad_topic", 9], ["bad_json", 3]]);
  for (let i = 0; i < 3 * CHANGES_MAX; i += 1) book.told({ feed: "sim", state: "down", since: 10_000 + i, reason: "again" }, i);
  assert.equal(book.get("sim").changes.length, CHANGES_MAX);
  assert.equal(book.get("sim").changes[0].since, 10_000 + 3 * CHANGES_MAX - 1);
});

test("a list that was on its way does not undo what a notice said", () => {
  const book = new Book();
  book.told({ feed: "sim", state: "down", since: 9_000, reason: "killed" }, 100);
  book.take([listed("sim", "up", { since: 1_000, samples: 5 })], 200);
  assert.equal(book.get("sim").state, "down");
  assert.equal(book.get("sim").samples, 5);
  book.take([listed("sim", "up", { since: 1_000 })], 5_000);
  assert.equal(book.get("sim").state, "up");
  book.take([], 6_000);
  assert.equal(book.get("sim"), undefined);
});

test("no odd answer does harm", () => {
  const book = new Book();
  for (const odd of [null, 7, "x", {}, [null, 7, {}, { feed: 3 }, { feed: "a", state: {}, since: "x", reason: 9, samples: -1, refused: NaN, refusals: [1], changes: {} }]]) book.take(odd);
  for (const odd of [null, {}, { feed: "b" }]) book.told(odd);
  assert.deepEqual(book.all.map(({ name, state, samples }) => [name, state, samples]), [["a", "unknown", 0], ["b", "unknown", 0]]);
  assert.match(words.next(book.get("a")), /no news/);
  for (const odd of [null, {}, { components: { messages: { "tick.a.b": null, "tick.a.c": { payload: { properties: { event: { const: "c" } } } } } } }]) {
    assert.ok(kindsOf(odd, "a").length <= 1);
  }
  const round = { components: { schemas: { a: { $ref: "#/components/schemas/a" } } } };
  round.components.messages = { "tick.x.k": { payload: { properties: { event: { const: "k" }, data: { properties: { value: { $ref: "#/components/schemas/a" } } } } } } };
  assert.equal(kindsOf(round, "x")[0].kind, "k");
});

const CONTRACT = {
  components: {
    messages: {
      "tick.sim.quote": {
        payload: {
          description: "A symbol's last price. A tick of the feed sim, of class state.",
          properties: { event: { const: "quote" }, data: { properties: { value: { $ref: "#/components/schemas/sim.quote" } } } },
        },
      },
      "tick.other.thing": { payload: { properties: { event: { const: "thing" } } } },
    },
    schemas: {
      "sim.quote": {
        type: "object",
        properties: {
          volume: { type: "integer", description: "How many <b>shares</b>." },
          price: { type: "string", description: "Last price.", "x-tickerd-main": true, "x-tickerd-unit": "{field:currency}" },
          wind: { type: "object", properties: { speed: { type: "number", "x-tickerd-unit": "m/s" } } },
        },
      },
    },
  },
};

test("a feed's kinds are told with their fields and units, the main one first", () => {
  const [kind, ...others] = kindsOf(CONTRACT, "sim");
  assert.equal(others.length, 0);
  assert.deepEqual([kind.kind, kind.className, kind.about], ["quote", "state", "A symbol's last price."]);
  assert.deepEqual(kind.fields.map(({ path, unit, type }) => [path, unit, type]), [
    ["price", "as currency says", "string"],
    ["volume", "", "integer"],
    ["wind.speed", "m/s", "number"],
  ]);
});

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

const blank = (script, given) => openBlank(alone, ["feeds"], script, given);

const FEEDS = [
  listed("host", "up", { topics: 12, samples: 400 }),
  listed("mine", "up", { refused: 120, refusals: { bad_json: 118, bad_topic: 2 } }),
  listed("sim", "stale", { topics: 2, stale: 1, samples: 1_200, refused: 3, reason: "no news for 5 s" }),
  listed("gone", "down", { reason: "<b>killed</b> by SIGKILL", changes: [{ state: "down", since: SINCE, reason: "killed" }, { state: "up", since: SINCE - 60_000, reason: "" }] }),
];

test("the list shows every feed, trouble first, and all samples refused cannot be missed", async () => {
  const page = await blank(async ([feeds, now]) => {
    const { FeedList } = await import("/src/feeds/list.js");
    const list = new FeedList(document.querySelector("main").appendChild(document.createElement("section")));
    globalThis.opened = [];
    list.onOpen = (name) => globalThis.opened.push(name);
    globalThis.list = list;
    globalThis.draw = (at) => list.paint(now, at);
    list.take(feeds);
    draw(0);
  }, [FEEDS, NOW]);
  const rows = () => page.$$eval("tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim())));
  assert.deepEqual(await rows(), [
    ["gone", "✕ down since 12:03:11 (3 min) <b>killed</b> by SIGKILL", "0", "0", "0", "none", "–"],
    ["mine", "! up since 12:03:11 (3 min)", "0", "0", "0", "all 120 samples refused", "–"],
    ["sim", "◷ stale since 12:03:11 (3 min) no news for 5 s", "2", "1", "1,200", "3 of 1,203 (0.2 %)", "–"],
    ["host", "✓ up since 12:03:11 (3 min)", "12", "0", "400", "none", "–"],
  ]);
  assert.equal(await page.textContent(".feeds-summary"), "4 feeds: 1 down, 1 stale, 2 up. Of one of them every sample was refused.");
  assert.ok(await page.locator('tr[data-feed="mine"] .alarming').isVisible());

  // From the keyboard; the focus stays where it is when the row moves.
  await page.locator("tr[data-feed=host] button").focus();
  await page.keyboard.press("Enter");
  await page.evaluate((since) => {
    list.feed({ feed: "host", state: "down", since, reason: "killed" });
    list.feed({ feed: "gone", state: "up", since, reason: "" });
    draw(10);
  }, SINCE + 1_000);
  assert.deepEqual((await rows()).map(([name]) => name), ["host", "mine", "sim", "gone"]);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.feed), "host");
  assert.deepEqual(await page.evaluate(() => opened), ["host"]);

  await page.evaluate((feeds) => {
    list.take(feeds.slice(0, 1));
    draw(20);
  }, FEEDS);
  assert.deepEqual((await rows()).map(([name]) => name), ["host"]);
  for (const width of [390, 1360]) {
    await page.setViewportSize({ width, height: 800 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
  }
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a feed's own page says how it is and was, what is refused and what to do, and draws a topic", async () => {
  const page = await blank(async ([feeds, now, contract]) => {
    const [{ FeedPage }, { Topics }] = await Promise.all([import("/src/feeds/page.js"), import("/src/data/topics.js")]);
    const topics = new Topics();
    const say = (name, seq, value) => {
      const data = { topic: name, seq, ts: now - 2_000, value };
      topics.ensure(name).take("quote", data, JSON.stringify({ event: "quote", data }));
    };
    say("sim.AAPL", 1, { price: "189.30", attribution: "Prices by <i>nobody</i>" });
    say("sim.MSFT", 1, { price: "12.00" });
    say("host.cpu", 1, { busy_pct: 3 });
    topics.get("sim.MSFT").staleSince = now - 60_000;
    globalThis.drawn = [];
    globalThis.left = 0;
    const asks = async (path) => (path === "v1/asyncapi.json" ? contract : null);
    const feed = new FeedPage(document.querySelector("main").appendChild(document.createElement("section")), { topics, onChart: (name) => globalThis.drawn.push(name), ask: asks });
    feed.onClose = () => (globalThis.left += 1);
    globalThis.show = (name, at) => (feed.show(name), feed.paint(now, at));
    globalThis.feed = feed;
    globalThis.say = say;
    globalThis.draw = (at) => feed.paint(now, at);
    show("sim", 0);
    globalThis.before = document.querySelector(".sentence").textContent;
    feed.take(feeds);
    draw(2_000);
  }, [FEEDS, NOW, CONTRACT]);
  const text = (selector) => page.locator(selector).innerText();
  assert.equal(await page.evaluate(() => globalThis.before), "Asking the server for its feeds.");
  assert.match((await text(".feed-head")).replace(/\s+/g, " "), /sim ◷ stale since 12:03:11/);
  assert.match(await text(".feed-todo"), /Look whether its source has news/);
  assert.equal(await page.locator(".feed-todo code").first().innerText(), "tickerd feed list");
  assert.deepEqual(await page.$$eval(".feed-figures > div", (all) => all.map((part) => part.textContent)), [
    "Accepted1,200", "Refused3 of 1,203 (0.2 %)", "Rate–", "Topics2", "Stale topics1",
  ]);
  const topics = await page.$$eval(".feed-topics tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim())));
  assert.deepEqual(topics, [
    ["sim.MSFT stale since 12:05:31", "12.00 price", "quote", "2.0 s"],
    ["sim.AAPL", "189.30 price", "quote", "2.0 s"],
  ]);
  assert.equal(await text(".credit"), "Prices by <i>nobody</i>");
  await page.locator(".feed-kind").getByText("as currency says").waitFor();
  assert.equal(await page.locator(".feed-kind b").count(), 0);
  await page.click("button[data-topic='sim.AAPL']");
  assert.deepEqual(await page.evaluate(() => drawn), ["sim.AAPL"]);

  // A new value and a recovered topic.
  await page.evaluate(() => {
    say("sim.AAPL", 2, { price: "190.00" });
    draw(2_300);
  });
  assert.match(await text(".feed-topics"), /190\.00/);

  await page.evaluate(() => show("gone", 5_000));
  assert.deepEqual(await page.$$eval(".feed-rows tbody tr", (rows) => rows.map((row) => row.innerText.replace(/\s+/g, " ").trim())), [
    "12:03:11 ✕ down <b>killed</b> by SIGKILL",
    "12:03:11 ✕ down killed", "12:02:11 ✓ up",
  ]);
  await page.evaluate(() => show("mine", 7_000));
  assert.equal(await text(".feed-alarm"), "✕ All 120 samples refused.");
  assert.match((await page.locator(".feed-rows").first().innerText()).replace(/\s+/g, " "), /bad_json 118 the value is not usable JSON bad_topic 2/);
  assert.match(await text(".feed-topics + .small"), /no topic yet/);
  await page.evaluate(() => show("nobody", 9_000));
  assert.match(await text(".sentence"), /There is no feed “nobody”. The feeds of this server are: host, mine, sim, gone./);
  await page.click(".feed-back");
  assert.equal(await page.evaluate(() => left), 1);
  await page.evaluate(() => show("mine", 11_000));
  for (const width of [390, 1360]) {
    await page.setViewportSize({ width, height: 800 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
  }
  await page.evaluate(() => show(null));
  assert.ok(await page.locator(".feed-page").isHidden());
  assert.deepEqual(page.errors, []);
  await page.close();
});
