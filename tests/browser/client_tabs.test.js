// One connection for all tabs of a site.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { openBare, stateIs, ticksGoOn, until } from "./bare.js";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { makeIssuer } from "./issuer.js";

let folder, issuer, daemon, browser;
let pages = [];
let anns;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-tabs-"));
  issuer = await makeIssuer(folder);
  const config = join(folder, "tickerd.toml");
  const group = '[[auth.group]]\nname = "readers"\nsubscribe = ["**"]\nhistory = ["**"]\npublish = ["rooms.*"]\npresence = ["rooms.*"]\n';
  const room = '[[topic]]\nname = "rooms.lobby"\npublish = true\npresence = true\n';
  await writeFile(config, `[history]\ncount = 100\n[auth]\nanonymous = ["sim.**"]\n${issuer.config}${group}[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n${room}`);
  daemon = await startDaemon({ config });
  anns = issuer.token("ann", ["readers"]);
  browser = await openBrowser();
});
afterEach(async () => {
  for (const page of pages) await page.close().catch(() => {});
  pages = [];
  await connectionsAre(0);
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

const connections = () => daemon.metric("tickerd_connections");
const connectionsAre = (count) => until(`${count} connections`, async () => (await connections()) === count);
/** The topics that the page's own connection has ended. */
const ended = (page) => page.frames.filter(({ out, event }) => out && event === "unsubscribe").flatMap(({ data }) => data.topics);

async function open(topics, options = {}) {
  const page = await openBare(browser.context, daemon.url, { topics, tabs: true, token: anns, ...options });
  pages.push(page);
  return page;
}

test("three pages share one connection, and when the one that has it is closed another has it", async () => {
  const first = await open(["sim.AAPL"]);
  await ticksGoOn(first);
  const second = await open(["sim.AAPL", "sim.MSFT"]);
  const third = await open(["sim.TSLA"]);
  for (const page of [first, second, third]) await ticksGoOn(page, 2);
  assert.equal(await connections(), 1);
  assert.deepEqual([first, second, third].map(({ sockets }) => sockets), [1, 0, 0]);
  await first.close();
  await until("another page with the connection", () => second.sockets + third.sockets === 1);
  for (const page of [second, third]) {
    await stateIs(page, "live");
    await ticksGoOn(page, 2);
  }
  await connectionsAre(1);
  const newest = await Promise.all([second, third].map((page) => page.evaluate(() => Object.keys(seen.newest).sort())));
  assert.deepEqual(newest, [["sim.AAPL", "sim.MSFT"], ["sim.TSLA"]], "a page gets what it asked for, and no more");
});

test("commands, their errors and messages work from any page", async () => {
  const first = await open(["rooms.lobby"]);
  await stateIs(first, "live");
  const second = await open(["rooms.lobby"]);
  await stateIs(second, "live");
  const told = await second.evaluate(async () => {
    const fails = (promise) => promise.then(() => null, ({ code, message }) => ({ code, message }));
    return {
      listed: (await client.topics("sim.*")).length,
      history: (await client.history("sim.AAPL", { limit: 2 })).length,
      published: await client.publish("rooms.lobby", { text: "of the second" }),
      refused: await fails(client.publish("sim.AAPL", 1)),
      unknown: await fails(client.subscribe("none.here").ready),
      period: await fails(client.bars("sim.AAPL", { period: "7x" })),
    };
  });
  assert.ok(told.listed > 0 && told.history > 0, JSON.stringify(told));
  assert.equal(told.published.topic, "rooms.lobby");
  assert.deepEqual(["refused", "unknown", "period"].map((name) => told[name]?.code), [403, 404, 400], JSON.stringify(told));
  for (const page of [first, second]) {
    await page.waitForFunction(() => seen.newest["rooms.lobby"]?.value.text === "of the second");
  }
  assert.deepEqual([first.sockets, second.sockets], [1, 0]);
});

test("the daemon is gone and back: all pages say so and are live again", async () => {
  const first = await open(["sim.AAPL"]);
  await ticksGoOn(first);
  const second = await open(["sim.MSFT"]);
  await ticksGoOn(second);
  const config = join(folder, "tickerd.toml");
  await daemon.kill();
  for (const page of [first, second]) await page.waitForFunction(() => seen.statuses.some(({ state }) => state === "waiting"));
  daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
  for (const page of [first, second]) {
    await page.waitForFunction(() => seen.epochs.length === 2 && client.status.state === "live");
    await ticksGoOn(page, 2);
    const gaps = await page.evaluate(() => seen.gaps.map(({ why }) => why));
    assert.ok(gaps.includes("restarted"), `${gaps}`);
  }
  await connectionsAre(1);
});

test("what a page that crashed had asked for ends", async () => {
  const first = await open(["sim.AAPL"]);
  await ticksGoOn(first);
  const second = await open(["sim.MSFT", "sim.TSLA"]);
  await ticksGoOn(second);
  const session = await browser.context.newCDPSession(second);
  const crashed = new Promise((resolve) => second.on("crash", resolve));
  session.send("Page.crash").catch(() => {});
  await crashed;
  await until("the end of its subscriptions", () => ["sim.MSFT", "sim.TSLA"].every((topic) => ended(first).includes(topic)));
  assert.ok(!ended(first).includes("sim.AAPL"));
  await ticksGoOn(first);
});

test("a page that had the connection crashes: another has it", async () => {
  const first = await open(["sim.AAPL"]);
  await ticksGoOn(first);
  const second = await open(["sim.MSFT"]);
  await ticksGoOn(second);
  const session = await browser.context.newCDPSession(first);
  const crashed = new Promise((resolve) => first.on("crash", resolve));
  session.send("Page.crash").catch(() => {});
  await crashed;
  await until("the second's own connection", () => second.sockets === 1);
  const whys = await second.evaluate(() => seen.statuses.flatMap(({ why }) => why ?? []));
  assert.deepEqual(whys, ["the tab with the connection has left"], "it found out by silence");
  await stateIs(second, "live");
  await ticksGoOn(second, 2);
});

test("two users do not share, and one who logs out has nothing of the one before", async () => {
  const ann = await open(["sim.AAPL"]);
  await ticksGoOn(ann);
  const bob = await open(["sim.AAPL"], { token: issuer.token("bob", ["readers"]) });
  await ticksGoOn(bob);
  assert.equal(await connections(), 2);
  assert.deepEqual(await Promise.all([ann, bob].map((page) => page.evaluate(() => client.user))), ["ann", "bob"]);
  await ann.evaluate(() => client.setIdentity(null));
  await stateIs(ann, "live");
  assert.equal(await ann.evaluate(() => client.user ?? null), null);
  // One of nobody's, one of bob's: hers has ended with her.
  await connectionsAre(2);
  await ticksGoOn(ann);
  await ticksGoOn(bob);
});

test("a tab that gets the token of another user is that user, and the connection of the one before ends", async () => {
  const page = await open(["sim.AAPL"]);
  await ticksGoOn(page);
  await page.evaluate(() => {
    globalThis.told = [];
    const { postMessage } = BroadcastChannel.prototype;
    BroadcastChannel.prototype.postMessage = function (message) {
      told.push(JSON.stringify(message));
      return postMessage.call(this, message);
    };
  });
  const bobs = issuer.token("bob", ["readers"]);
  await page.evaluate((token) => client.setIdentity(token), bobs);
  await page.waitForFunction(() => client.status.state === "live" && client.user === "bob");
  await ticksGoOn(page);
  await connectionsAre(1);
  const told = await page.evaluate(() => globalThis.told.join());
  assert.match(told, /"event.*auth/);
  assert.ok(!told.includes(bobs), "a token stays with who has it");
});

test("two clients of one page may share for two users", async () => {
  const page = await open(["sim.AAPL"]);
  await ticksGoOn(page);
  await page.evaluate(async (token) => {
    const { connect } = await import("/client.js");
    globalThis.other = connect({ tabs: true, token });
  }, issuer.token("bob", ["readers"]));
  await page.waitForFunction(() => other.status.state === "live" && other.user === "bob");
  assert.equal(await connections(), 2);
  await ticksGoOn(page);
});
