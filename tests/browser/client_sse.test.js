// The client where no WebSocket gets through: event streams and HTTP.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { begin, openBare, openEmpty, stateIs, ticksGoOn, until } from "./bare.js";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { makeIssuer } from "./issuer.js";
import { openLine } from "./line.js";
import { hurry } from "./view.js";

let folder, daemon, browser, line, config;

const settings = (more = "") => `
${more}
[history]
count = 100
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
[[topic]]
name = "rooms.lobby"
publish = true
`;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-sse-"));
  config = join(folder, "tickerd.toml");
  await writeFile(config, settings());
  daemon = await startDaemon({ config });
  line = await openLine(daemon.port);
  line.noUpgrades = true;
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  line?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("where upgrades fail and HTTP does not, values come as an event stream", async () => {
  const before = line.refused;
  const page = await openBare(browser.context, line.url, { topics: ["sim.AAPL"] });
  await stateIs(page, "live");
  await ticksGoOn(page, 3);
  // A server that is only away for a moment is to get its WebSocket back, so it is asked a few times.
  assert.ok(line.refused - before >= 2 && line.refused - before <= 6, `${line.refused - before}`);
  assert.ok(page.requests.some((url) => url.includes("/v1/sse?")), `${page.requests}`);
  const { server, statuses } = await page.evaluate(() => ({ server: client.server, statuses: seen.statuses.map(({ state }) => state) }));
  assert.match(server.server, /^tickerd\//);
  assert.equal(statuses.at(-1), "live");
  await page.close();
});

test("more topics, fewer, the past, a list, a message and a mistake, as over a WebSocket", async () => {
  const page = await openBare(browser.context, line.url, { topics: ["sim.AAPL"], transport: "sse" });
  await ticksGoOn(page);
  const answers = await page.evaluate(async () => {
    const next = (topic) => new Promise((resolve) => {
      const off = client.on("tick", (tick) => tick.topic === topic && (off(), resolve(tick)));
    });
    const more = client.subscribe(["sim.MSFT", "rooms.lobby", "none.here"]);
    const { topics, failed } = await more.ready;
    await next("sim.MSFT");
    const heard = next("rooms.lobby");
    const published = await client.publish("rooms.lobby", { text: "over HTTP" });
    const { value } = await heard;
    const history = await client.history("sim.AAPL", { limit: 3 });
    const listed = await client.topics("sim.*");
    const got = await client.get("sim.AAPL");
    const presence = await client.presence("rooms.lobby").catch(({ code, message }) => ({ code, message }));
    const refused = await client.publish("sim.AAPL", 1).catch(({ code, message }) => ({ code, message }));
    more.close();
    return { topics, failed, published, value, history, listed, got, presence, refused, latest: client.latest("sim.MSFT") ?? null };
  });
  assert.deepEqual(answers.topics.map(({ topic }) => topic).sort(), ["rooms.lobby", "sim.MSFT"]);
  assert.deepEqual(answers.failed.map(({ topic, code }) => [topic, code]), [["none.here", 404]]);
  assert.equal(answers.published.topic, "rooms.lobby");
  assert.deepEqual(answers.value, { text: "over HTTP" });
  assert.ok(answers.history.length > 0 && answers.history.every(({ topic }) => topic === "sim.AAPL"));
  assert.ok(answers.listed.some(({ topic }) => topic === "sim.AAPL"));
  assert.equal(answers.got[0].topic, "sim.AAPL");
  assert.equal(answers.presence.code, 405, JSON.stringify(answers.presence));
  assert.ok(answers.refused.code >= 400 && answers.refused.message.length > 5, JSON.stringify(answers.refused));
  assert.equal(answers.latest, null, "the last holder of sim.MSFT is gone");
  await ticksGoOn(page, 3);
  // What nobody wants any more is no longer asked for.
  await until("a stream of the rest", () => {
    const last = page.requests.findLast((url) => url.includes("/v1/sse?"));
    return new URL(last).searchParams.get("topics") === "sim.AAPL";
  });
  await page.close();
});

test("a daemon that stops and one that is killed: it comes back, and by a WebSocket where one gets through", async () => {
  const page = await openBare(browser.context, line.url, { topics: ["sim.AAPL"] });
  await stateIs(page, "live");
  await hurry(page);
  for (const [round, end] of ["stop", "kill"].entries()) {
    await daemon[end]();
    await page.waitForFunction(() => client.status.state !== "live");
    daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
    await page.waitForFunction((epochs) => seen.epochs.length === epochs && client.status.state === "live", round + 2);
    await ticksGoOn(page, 2);
    assert.equal(page.sockets > 0 && page.frames.length, 0, "no WebSocket got through");
  }
  line.noUpgrades = false;
  line.cut();
  await until("a WebSocket", () => page.frames.some(({ out }) => !out));
  await stateIs(page, "live");
  line.noUpgrades = true;
  await page.close();
});

test("a stream on which nothing comes is not taken for a lost one", async () => {
  const page = await openEmpty(browser.context, line.url);
  await page.clock.install();
  await begin(page, "/client.js", { topics: ["rooms.lobby"], mode: "latest", options: { transport: "sse" } });
  await stateIs(page, "live");
  let answered = 0;
  page.on("response", (response) => (answered += response.request().method() === "HEAD" ? 1 : 0));
  // Three minutes in steps in which the client asks the server, which is all that it hears.
  for (let step = 0; step < 9; step += 1) {
    const before = answered;
    await page.clock.runFor(20_000);
    await until("an answer of the server", () => answered > before);
  }
  const statuses = await page.evaluate(() => seen.statuses.map(({ state }) => state));
  assert.deepEqual(statuses, ["connecting", "live"]);
  assert.equal(page.requests.filter((url) => url.includes("/v1/sse?")).length <= 2, true);
  await page.close();
});

test("with a token: a ticket for each stream, the token in no address, and an end that is told", async () => {
  const issuer = await makeIssuer(folder);
  const path = join(folder, "auth.toml");
  await writeFile(path, settings(`[auth]\n${issuer.config}[[auth.group]]\nname = "readers"\nsubscribe = ["sim.**"]\nhistory = ["sim.**"]\n`));
  const closed = await startDaemon({ config: path });
  try {
    const token = issuer.token("ann", ["readers"]);
    const page = await openBare(browser.context, closed.url, { topics: ["sim.AAPL"], transport: "sse", token });
    await ticksGoOn(page, 2);
    assert.ok((await page.evaluate(() => client.history("sim.AAPL", { limit: 2 }))).length > 0);
    // Two that follow each other at once: the later stream has both.
    await page.evaluate(() => Promise.all(["sim.MSFT", "sim.TSLA"].map((topic) => client.subscribe(topic).ready)));
    await page.waitForFunction(() => client.latest("sim.MSFT"));
    const streams = page.requests.filter((url) => url.includes("/v1/sse?"));
    const tickets = streams.map((url) => new URL(url).searchParams.get("ticket"));
    assert.ok(tickets.length >= 2 && tickets.every((ticket) => ticket?.startsWith("tkt_")), `${streams}`);
    assert.equal(new Set(tickets).size, tickets.length, "a ticket is good once");
    assert.ok(page.requests.every((url) => !url.includes(token)), "a token stands in an address");
    await page.evaluate(() => client.setIdentity(null));
    const left = await stateIs(page, "stopped");
    assert.equal(left.code, 4001, JSON.stringify(left));
    assert.match(left.why, /token|who/i);
    assert.equal(await page.evaluate(() => client.latest("sim.AAPL") ?? null), null);
    await page.close();

    const wrong = await openBare(browser.context, closed.url, { topics: ["sim.AAPL"], transport: "sse", token: "of-another-server" });
    const { code, todo } = await stateIs(wrong, "stopped");
    assert.deepEqual([code, todo], [4001, "give another token"]);
    await wrong.close();
  } finally {
    await closed.stop();
  }
});
