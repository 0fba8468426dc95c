// The example chat page, served from another origin, against the real daemon.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { serveForeign } from "./foreign.js";

const EXAMPLES = new URL("../../dashboards/examples/", import.meta.url);
const TOKEN = "a-token-of-the-wall-0123456789-0123456789";
let folder, site, config, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-chat-"));
  site = await serveForeign({ folder: EXAMPLES });
  // As the page's own head says, with this test's origin.
  const head = (await readFile(new URL("chat.html", EXAMPLES), "utf8")).split("-->", 1)[0];
  const toml = head.slice(head.indexOf("[server]"), head.indexOf("python3")).replace("http://localhost:8000", site.origin);
  config = join(folder, "tickerd.toml");
  await writeFile(config, toml);
  daemon = await startDaemon({ config });
  // The policy that the daemon itself gives its pages, and what another origin has to add to it.
  site.policy = `default-src 'self'; script-src 'self' http://127.0.0.1:*; connect-src http://127.0.0.1:* ws://127.0.0.1:*`;
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

const addressOf = (query, { port } = daemon) => `${site.origin}/chat.html?${query}&server=ws://127.0.0.1:${port}/ws`;

async function enter(name) {
  const page = await openPage(browser.context, addressOf(`name=${name}`));
  await page.waitForFunction(() => document.getElementById("link").textContent === "online");
  return page;
}

async function say(page, text) {
  await page.fill("#talk input", text);
  await page.click("#talk button");
}

function hears(page, text) {
  return page.waitForFunction(
    (text) => [...document.querySelectorAll("#said li")].some((line) => line.textContent.includes(text)),
    text,
  );
}

const lines = (page) => page.$$eval("#said li", (all) => all.map((line) => line.textContent));

test("people meet, talk to all and to one, and find what they missed", async () => {
  const ann = await enter("ann");
  const bob = await enter("bob");
  const eve = await enter("eve");
  await Promise.all([ann, bob, eve].map((page) => page.waitForFunction(() => document.getElementById("count").textContent === "3")));
  assert.deepEqual(await ann.$$eval("#people button", (all) => all.map((one) => one.textContent)), ["ann (you)", "bob", "eve"]);

  await say(ann, "hello <b>all</b>");
  await Promise.all([ann, bob, eve].map((page) => hears(page, "annhello <b>all</b>")));
  assert.equal(await bob.$("#said li b b"), null, "what people write is text");

  await ann.click("#people button:text-is('bob')");
  await say(ann, "only you");
  await hears(bob, "annonly you");
  await hears(ann, "to bobonly you");
  await say(bob, "fence");
  await hears(eve, "bobfence");
  assert.ok(!(await lines(eve)).some((line) => line.includes("only you")));
  await ann.screenshot({ path: new URL("out/chat.png", import.meta.url).pathname });

  // Bob is away, and comes back on the same page.
  await bob.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await ann.waitForFunction(() => document.getElementById("count").textContent === "2");
  await say(ann, "you there?");
  await hears(ann, "the message waits");
  await say(eve, "while you were away");
  await hears(ann, "evewhile you were away");
  await bob.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await hears(bob, "annyou there?");
  await hears(bob, "evewhile you were away");
  assert.equal((await lines(bob)).filter((line) => line.includes("away")).length, 1);
  for (const page of [ann, bob, eve]) assert.deepEqual(page.errors, []);
});

test("who joins sees what was said before, in order and once, and goes on from there", async () => {
  const early = await enter("early");
  const post = (room, text, name) =>
    fetch(`${daemon.url}v1/topics/${room}?name=${name}`, { method: "POST", body: JSON.stringify(text) });
  for (const text of ["first of three", "second of three", "third of three"]) await say(early, text);
  assert.ok((await post("rooms.news", "older news", "desk")).ok);
  assert.ok((await post("rooms.news", "newer news", "desk")).ok);
  await hears(early, "newer news");
  const late = await enter("late");
  await hears(late, "third of three");
  await hears(late, "newer news");
  await say(early, "and a fourth");
  await hears(late, "and a fourth");
  const said = (await lines(late)).map((line) => /(first of three|second of three|third of three|and a fourth|older news|newer news)/.exec(line)?.[0]);
  const inOrder = (words) => said.filter((word) => words.includes(word));
  const talk = ["first of three", "second of three", "third of three", "and a fourth"];
  assert.deepEqual(inOrder(talk), talk);
  assert.deepEqual(inOrder(["older news", "newer news"]), ["older news", "newer news"]);
  await late.screenshot({ path: new URL("out/chat-past.png", import.meta.url).pathname });
  for (const page of [early, late]) assert.deepEqual(page.errors, []);
  await Promise.all([early.close(), late.close()]);
});

test("who joins an empty room is told of no mistake", async (t) => {
  const other = await startDaemon({ config });
  t.after(() => other.stop());
  const page = await openPage(browser.context, addressOf("name=first", other));
  await linkIs(page, /^online$/);
  await say(page, "hello?");
  await hears(page, "hello?");
  assert.equal((await lines(page)).length, 1);
  await page.close();
});

/** Opens the page with its socket in the hands of the test. */
async function enterAlone(answer, query = "name=ann") {
  const page = await browser.context.newPage();
  let connections = 0;
  await page.routeWebSocket(/\/ws/, (socket) => answer(socket, (connections += 1)));
  await page.goto(addressOf(query));
  return page;
}

const linkIs = (page, words) =>
  page.waitForFunction(
    (words) => new RegExp(words).test(document.getElementById("link").textContent),
    words.source,
  );

test("a refusal is told in its words, and not asked for again", async () => {
  let tries = 0;
  const page = await enterAlone((socket, connections) => {
    tries = connections;
    socket.close({ code: 4000, reason: "bad_request: a name has 1 to 64 of A-Z a-z 0-9 _ -" });
  });
  await linkIs(page, /^stopped: bad_request: a name has 1 to 64 of A-Z a-z 0-9 _ - \(4000\)\. What helps: change the address/);
  assert.equal(tries, 1);
  await page.close();
});

test("a real daemon says what is wrong with a name, and is not asked again", async () => {
  const page = await browser.context.newPage();
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await page.goto(addressOf("name=an%20n"));
  await linkIs(page, /^stopped: bad_request: .*name.*\(4000\)/);
  assert.equal(sockets.length, 1);
  await page.close();
});

test("lines that come before the past is told stand behind it, and what is gone is told", async () => {
  const message = (seq, value) => ({ event: "message", data: { topic: "rooms.lobby", seq, ts: seq, from: "user:bob", value } });
  let talk;
  const page = await enterAlone((socket) => {
    const say = (event, data) => socket.send(JSON.stringify({ event, data }));
    talk = { socket, say, asked: [], wanted: null };
    socket.onMessage((text) => {
      const { event, data } = JSON.parse(text);
      talk.asked.push([event, data]);
      if (event === "subscribe") talk.grant(data);
      if (event === "history" && data.topic === "rooms.lobby") talk.wanted?.(data.id);
    });
    talk.grant = ({ id, topics, since }) => {
      const granted = topics.map((topic) => ({ topic, seq: 9, mode: "all", ...(since && { recovered: topic !== "rooms.lobby" }) }));
      say("subscribed", { id, topics: granted, patterns: [], failed: [] });
    };
    talk.history = new Promise((resolve) => (talk.wanted = resolve));
    say("connected", { v: 1, epoch: "e", heartbeat_ms: 15_000, limits: {} });
  });
  const tell = ({ event, data }) => talk.say(event, data);
  const past = async (...values) => talk.say("history", { id: await talk.history, topic: "rooms.lobby", epoch: "e", values });
  await linkIs(page, /^online$/);
  await talk.history;
  tell(message(4, "live"));
  await past(message(2, "two"), message(3, "three"), message(4, "live"));
  await hears(page, "live");
  tell(message(5, "five"));
  await hears(page, "five");
  const texts = async () => (await lines(page)).map((line) => line.split("bob").at(-1));
  assert.deepEqual(await texts(), ["two", "three", "live", "five"]);

  const before = talk;
  talk.socket.close({ code: 1012 });
  await linkIs(page, /offline|connecting/);
  await linkIs(page, /^online$/);
  assert.notEqual(talk, before);
  const [, { since }] = talk.asked.find(([event]) => event === "subscribe");
  assert.equal(since.seq["rooms.lobby"], 5);
  await past(message(8, "eight"));
  await hears(page, "eight");
  assert.deepEqual((await texts()).slice(4), ["some lines of rooms.lobby are no longer kept", "eight"]);
  await page.close();
});

test("a daemon that lets no page of this address in: the page says what to change", async (t) => {
  const strict = join(folder, "strict.toml");
  await writeFile(strict, "");
  const other = await startDaemon({ config: strict });
  t.after(() => other.stop());
  const page = await browser.context.newPage();
  await page.goto(addressOf("name=ann", other));
  await linkIs(page, /connecting again/);
  const advice = `add "${site.origin}" to its origins`;
  await page.waitForFunction((advice) => document.getElementById("link").textContent.includes(advice), advice);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.screenshot({ path: new URL("out/chat-refused.png", import.meta.url).pathname });
  await page.close();
});

test("another name is taken without a reload, and stands in the address", async () => {
  const page = await enter("old");
  const other = await enter("watcher");
  await page.fill("#name", "new_one");
  await page.press("#name", "Enter");
  await page.waitForFunction(() => document.getElementById("me").textContent === "as new_one");
  await other.waitForFunction(() => document.getElementById("people").textContent.includes("new_one"));
  await other.waitForFunction(() => !document.getElementById("people").textContent.includes("old"));
  // Each page hears of it by its own connection.
  const people = () => [...document.querySelectorAll("#people button")].map((one) => one.textContent);
  await page.waitForFunction(`(${people})().includes("new_one (you)")`);
  assert.equal(new URL(page.url()).searchParams.get("name"), "new_one");
  await say(page, "it is me");
  await hears(other, "new_oneit is me");
  for (const one of [page, other]) {
    assert.deepEqual(one.errors, []);
    await one.close();
  }
});

test("with [auth] the page asks for a token, and one's name is the token's", async (t) => {
  await writeFile(join(folder, "wall"), TOKEN);
  const strict = join(folder, "auth.toml");
  await writeFile(strict, `${await readFile(config, "utf8")}
[auth]
[[auth.token]]
name = "wall"
token = { file = "${join(folder, "wall")}" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["rooms.*"]
publish = ["rooms.*"]
presence = ["rooms.*"]
history = ["rooms.*"]
`);
  const other = await startDaemon({ config: strict });
  t.after(() => other.stop());
  const page = await openPage(browser.context, addressOf("name=eve", other));
  const give = async (token) => {
    await page.fill("#token", token);
    await page.press("#token", "Enter");
  };
  await page.locator("#why").getByText("The server asks who you are.").waitFor();
  await give("of-another-server");
  await page.locator("#why").getByText("The server needs a valid token.").waitFor();
  await page.screenshot({ path: new URL("out/chat-token.png", import.meta.url).pathname });
  await give(TOKEN);
  await page.waitForFunction(() => document.getElementById("me").textContent === "as wall");
  await page.waitForFunction(() => document.getElementById("count").textContent === "1");
  await say(page, "hello");
  await hears(page, "wallhello");
  assert.ok(await page.locator("#ask").isHidden());
  const kept = await page.evaluate(() => JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }]));
  assert.ok(!kept.includes(TOKEN));
  assert.ok(!page.requests.some((url) => url.includes(TOKEN)));
  await page.close();
});

test("the demo serves the chat itself, under its own strict policy", async (t) => {
  const demo = await startDaemon({ command: "demo" });
  t.after(() => demo.stop());
  const pages = [];
  for (const name of ["ann", "bob"]) pages.push(await openPage(browser.context, `${demo.url}chat.html?name=${name}`));
  for (const page of pages) await page.waitForFunction(() => document.getElementById("count").textContent === "2");
  await say(pages[0], "hello from the demo");
  await hears(pages[1], "annhello from the demo");
  for (const page of pages) {
    assert.deepEqual(page.errors, []);
    assert.ok(page.requests.every((url) => new URL(url).host === new URL(demo.url).host), page.requests.join());
    await page.close();
  }
});

test("without a daemon the page says what to write into the address", async () => {
  const page = await browser.context.newPage();
  await page.goto(`${site.origin}/chat.html?name=ann&server=ws://127.0.0.1:1/ws`);
  await linkIs(page, /^stopped: no daemon at ws:\/\/127\.0\.0\.1:1\/ws\. Name one in the address/);
  await page.close();
});
