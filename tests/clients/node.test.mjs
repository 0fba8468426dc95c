// Node's own WebSocket and fetch against the daemon at TICKERD_ADDRESS; see together.py.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openLine } from "./line.mjs";
import { judge, visit } from "./visit.mjs";

const TIMEOUT_MS = 120_000;
let line;

before(async () => {
  line = await openLine(process.env.TICKERD_ADDRESS);
  globalThis.cut = line.cut;
});
after(() => line?.close());

test("Node's WebSocket loses its line and gets exactly what it missed", { timeout: TIMEOUT_MS }, async () => {
  judge(await visit(line.host));
});

test("Node's WebSocket is refused or let in, and closes with its own code", { timeout: TIMEOUT_MS }, async () => {
  const refused = new WebSocket(`ws://${line.host}/ws?name=admin`);
  await new Promise((resolve) => (refused.onerror = resolve));
  const socket = new WebSocket(`ws://${line.host}/ws`);
  await new Promise((resolve) => (socket.onmessage = resolve));
  socket.close(4321, "enough");
  const { code, wasClean } = await new Promise((resolve) => (socket.onclose = resolve));
  assert.deepEqual([code, wasClean], [4321, true]);
});

test("Node's fetch reads lists, values, tags and problems", { timeout: TIMEOUT_MS }, async () => {
  const read = (path, headers = {}) => fetch(`http://${line.host}${path}`, { headers });
  const { topics } = await (await read("/v1/topics?match=sim.*")).json();
  assert.ok(topics.some(({ topic }) => topic === "sim.AAPL"));
  const first = await read("/v1/topics/sim.AAPL");
  const { event, data } = await first.json();
  assert.deepEqual([event, data.topic], ["quote", "sim.AAPL"]);
  const next = await read("/v1/topics/sim.AAPL?wait=20", { "If-None-Match": first.headers.get("ETag") });
  assert.ok((await next.json()).data.seq > data.seq);
  const wrong = await read("/v1/topics?match=a.**.b");
  assert.deepEqual([wrong.status, wrong.headers.get("Content-Type")], [422, "application/problem+json"]);
});

/** Reads an event stream until `enough` holds of its events; what comes as `{ id, event, data }`. */
async function follow(path, headers, enough) {
  const gone = new AbortController();
  const answer = await fetch(`http://${line.host}${path}`, { headers, signal: gone.signal });
  assert.equal(answer.headers.get("Content-Type"), "text/event-stream");
  const events = [];
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + piece).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split("\n").find((row) => row.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("data")) events.push({ id: field("id"), ...JSON.parse(field("data")) });
    }
    if (enough(events)) break;
  }
  gone.abort();
  return events;
}

test("Node's fetch follows an event stream, and goes on behind the last event", { timeout: TIMEOUT_MS }, async () => {
  const path = "/v1/sse?topics=sim.trades.AAPL,sim.trades.MSFT";
  const trades = (events) => events.filter(({ event }) => event === "trade");
  const before = await follow(path, {}, (events) => trades(events).length >= 4);
  assert.deepEqual(before.slice(0, 2).map(({ event }) => event), ["connected", "subscribed"]);
  const { id } = trades(before).at(-1);
  const after = await follow(path, { "Last-Event-ID": id }, (events) => trades(events).length >= 20);
  assert.deepEqual(after.find(({ event }) => event === "subscribed").data.topics.map(({ recovered }) => recovered), [true, true]);
  const seen = new Map();
  for (const { data } of [...trades(before), ...trades(after)]) {
    const last = seen.get(data.topic) ?? data.seq - 1;
    assert.ok(data.seq <= last + 1, `${data.topic} jumps from ${last} to ${data.seq}`);
    seen.set(data.topic, Math.max(last, data.seq));
  }
});
