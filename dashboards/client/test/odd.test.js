// A server that is broken, or not the client's own: odd shapes, odd numbers, and whom a token is sent to.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeSocket, HELLO, World, settle } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

const ODD = [null, 0, -1, 1e18, "", "x", "__proto__", [], {}, [null], [5], [{}], [[]], [{ topic: null }], true, { toString: 1 }];
const MESSAGES = [
  ["connected", HELLO],
  ["subscribed", { id: 1, topics: [{ topic: "sim.A", mode: "latest" }], patterns: [{ pattern: "sim.*" }], failed: [] }],
  ["quote", { topic: "sim.A", seq: 3, ts: 5, value: 1 }],
  ...["feed", "lag", "reset", "stale", "fresh", "topics", "revoked", "auth_expiring", "other"].map((type) => ["notice", { type, topics: ["sim.A"], removed: [], added: [], patterns: [], skipped: 1, since: 1 }]),
  ["pong", { t: 1, ts: 1 }],
  ["error", { id: 1, code: 429, message: "x", retry_after_ms: 5 }],
  ["presence", { topic: "rooms.a", count: 1 }],
  ["closing", { reconnect_ms: [0, 1] }],
  ["authenticated", { user: "ann" }],
];

test("no message of an odd shape breaks anything, and the next one counts", async () => {
  for (const [event, data] of MESSAGES) {
    for (const key of Object.keys(data)) {
      for (const odd of ODD) {
        const client = world.make({});
        const ticks = [];
        client.on("tick", ({ value }) => ticks.push(value));
        client.subscribe(["sim.A", "sim.*"]);
        await settle();
        const socket = FakeSocket.last;
        socket.open();
        socket.say("connected", HELLO);
        await settle();
        socket.say(event, { ...data, [key]: odd });
        socket.say("quote", { topic: "sim.B", seq: 1, ts: 1, value: "after" });
        await settle();
        const what = `${event} with ${key}: ${JSON.stringify(odd)}`;
        assert.ok(ticks.includes("after"), what);
        assert.ok(Number.isFinite(client.now()), what);
        client.close();
      }
    }
  }
});

test("odd numbers make no timer that spins and no wait without end", async () => {
  const client = world.make({});
  await settle();
  FakeSocket.last.open();
  FakeSocket.last.say("connected", { ...HELLO, heartbeat_ms: 1e-3 });
  await world.pass(900);
  assert.equal(client.status.state, "live", "a heartbeat that no server can keep is not believed");
  FakeSocket.last.say("connected", { ...HELLO, heartbeat_ms: 1e18 });
  for (const ms of [3_600_000, 3_600_000, 1_000]) await world.pass(ms);
  assert.notEqual(client.status.state, "live");
  client.close();
});

test("a window of reconnects is at most ten minutes away", async () => {
  const client = world.make({});
  await settle();
  FakeSocket.last.open();
  FakeSocket.last.say("connected", HELLO);
  await world.pass(10_000);
  FakeSocket.last.say("closing", { reconnect_ms: [1e18, 1e18] });
  FakeSocket.last.end(1012);
  assert.equal(client.status.until - performance.now(), 600_000);
  client.close();
});

test("a token goes to its own server alone", async () => {
  const asked = [];
  const fetch = async (url, { headers }) => asked.push([String(url), headers.get("authorization")]);
  const client = world.make({ token: "secret", fetch });
  const own = new URL(client._url);
  for (const path of ["https://elsewhere.example/", "//elsewhere.example/v1", "wss://elsewhere.example/ws", "data:text/plain,x", `ftp://${own.host}/`, `http://${own.host}:1/`]) {
    await assert.rejects(client.http(path), ({ code, message }) => code === 400 && message.includes(own.host), path);
  }
  assert.deepEqual(asked, []);
  await client.http("v1/feeds");
  await client.http(`/v1/feeds`);
  const http = own.protocol.replace("ws", "http");
  assert.deepEqual(asked, [[`${http}//${own.host}/v1/feeds`, "Bearer secret"], [`${http}//${own.host}/v1/feeds`, "Bearer secret"]]);
  client.close();
});
