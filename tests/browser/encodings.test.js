// What browsers bring along: permessage-deflate, binary messages, EventSource and fetch.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

const CONFIG = `
[server]
compression = { threshold = "0B" }
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
interval = "100ms"
`;
let daemon, browser, page, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-encodings-"));
  const config = join(folder, "tickerd.toml");
  await writeFile(config, CONFIG);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  page = await openPage(browser.context, daemon.url);
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Opens a socket in the page, sends a command of 2 KiB, and gives what came of it. */
const converse = (protocols) =>
  page.evaluate(async (protocols) => {
    const socket = new WebSocket(`ws://${location.host}/ws?topics=sim.AAPL`, protocols);
    socket.binaryType = "arraybuffer";
    const got = await new Promise((resolve, reject) => {
      const seen = [];
      socket.onerror = () => reject(new Error("the socket failed"));
      socket.onopen = () => socket.send(JSON.stringify({ event: "get", data: { id: "x".repeat(30), topics: Array(150).fill("sim.AAPL") } }));
      socket.onmessage = ({ data }) => {
        const text = typeof data === "string" ? data : String.fromCharCode(...new Uint8Array(data));
        seen.push({ binary: typeof data !== "string", text });
        if (text.includes("xxxxx") || text.includes("binary frames")) resolve(seen);
      };
    });
    socket.close();
    return { extensions: socket.extensions, protocol: socket.protocol, got };
  }, protocols);

test("a browser's socket is compressed both ways", async () => {
  const { extensions, got } = await converse([]);
  assert.match(extensions, /^permessage-deflate; client_no_context_takeover; server_max_window_bits=13$/);
  const answer = JSON.parse(got.at(-1).text);
  assert.equal(answer.event, "values");
  assert.equal(answer.data.values.length, 1, "a topic that is named often is answered once");
});

test("a browser gets binary messages where it asks for them", async () => {
  const { protocol, got } = await converse(["tickerd.v1.msgpack"]);
  assert.equal(protocol, "tickerd.v1.msgpack");
  assert.ok(got.every(({ binary }) => binary));
  assert.match(got.at(-1).text, /this connection speaks tickerd.v1.msgpack, in binary frames/);
});

test("EventSource follows topics, and comes back by itself", async () => {
  const before = await page.evaluate(async () => {
    window.events = [];
    window.source = new EventSource("/v1/sse?topics=sim.AAPL&rate=100ms");
    source.onmessage = ({ data, lastEventId }) => events.push({ ...JSON.parse(data), lastEventId });
    await new Promise((resolve) => {
      source.addEventListener("message", () => events.filter(({ event }) => event === "quote").length >= 2 && resolve());
    });
    return events.splice(0);
  });
  assert.deepEqual(before.slice(0, 2).map(({ event }) => event), ["connected", "subscribed"]);
  assert.match(before.at(-1).lastEventId, /^[a-z0-9]+-[0-9]+$/);
  const port = daemon.port;
  await daemon.stop();
  daemon = await startDaemon({ listen: `127.0.0.1:${port}`, config: join(folder, "tickerd.toml") });
  await page.waitForFunction(() => events.some(({ event }) => event === "quote"));
  await page.evaluate(() => source.close());
});

test("fetch has values, their tags, and the next one", async () => {
  const [first, same, next] = await page.evaluate(async () => {
    const read = async (path, tag) => {
      const answer = await fetch(path, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
      return { status: answer.status, tag: answer.headers.get("ETag"), body: answer.status === 200 ? await answer.json() : null };
    };
    const first = await read("/v1/topics/sim.AAPL?wait=20");
    const next = await read("/v1/topics/sim.AAPL?wait=20", first.tag);
    return [first, (await read("/v1/topics?match=sim.AAPL")).body, next];
  });
  assert.equal(first.status, 200);
  assert.equal(next.status, 200);
  assert.ok(next.body.data.seq > first.body.data.seq);
  assert.deepEqual(same.topics.map(({ topic }) => topic), ["sim.AAPL"]);
});
