// The connection: when it comes back, when it stops, and what makes it hurry.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";
import { FakeSocket, World, settle } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

const PROTOCOL = readFileSync(new URL("../../../daemon/PROTOCOL.md", import.meta.url), "utf8");
const CLOSES = [...PROTOCOL.matchAll(/^\| (\d{4}) \| `\w+` \| (stop|back off|at once) \|/gm)].map(([, code, then]) => [Number(code), then]);

/** The server closes a connection that had lived for `livedMs`; what the client says of it. */
async function closed(code, livedMs = 60_000) {
  world.make();
  const socket = await world.live();
  for (let passed = 0; passed < livedMs; passed += 10_000) {
    socket.say("heartbeat", { ts: 1 });
    await world.pass(Math.min(10_000, livedMs));
  }
  socket.end(code, "why");
  return world.client.status;
}

test("the table of closes is read whole", () => assert.ok(CLOSES.length >= 20, `${CLOSES.length} rows`));

for (const [code, then] of CLOSES) {
  test(`close ${code}: ${then}`, async () => {
    const status = await closed(code);
    const stops = then === "stop";
    assert.equal(status.state, stops ? "stopped" : "waiting");
    if (stops) {
      assert.ok(status.todo.length > 5);
      await world.pass(600_000);
      assert.equal(FakeSocket.made.length, 1, "it came back by itself");
    } else {
      // With a random number of one half: half of the window for `at once`, 250 ms and half of the first ceiling for the others.
      assert.equal(Math.round(status.until - performance.now()), then === "at once" ? 250 : 375);
    }
  });
}

test("a lost connection is as one closed by nobody", async () => {
  assert.equal((await closed(1006)).state, "waiting");
});

test("waits double, have full jitter, and end with connected, not with an open socket", async () => {
  world.make();
  await settle();
  const waits = [];
  for (let i = 0; i < 9; i += 1) {
    FakeSocket.last.open();
    FakeSocket.last.end(4100, "over_capacity");
    waits.push(Math.round(world.client.status.until - performance.now()));
    await world.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [375, 500, 750, 1_250, 2_250, 4_250, 8_250, 10_250, 10_250]);
  await world.live();
  await world.pass(5_000);
  FakeSocket.last.end(1006);
  assert.equal(Math.round(world.client.status.until - performance.now()), 375);
});

test("while somebody looks, a fault on the way is waited for 5 s at most; a hidden page waits longer", async () => {
  world.page();
  world.make();
  await settle();
  const wait = async () => {
    for (let i = 0; i < 10; i += 1) {
      FakeSocket.last.end(1006);
      await world.pass(world.client.status.until - performance.now());
    }
    FakeSocket.last.end(1006);
    return Math.round(world.client.status.until - performance.now());
  };
  mockRandom(1);
  assert.equal(await wait(), 5_000);
  world.hide(true);
  await world.pass(6_000);
  assert.equal(await wait(), 20_000);
});

const mockRandom = (value) => mock.method(Math, "random", () => value);

test("a server that sends away at once is not returned to at once for ever", async () => {
  world.make();
  const waits = [];
  for (let i = 0; i < 4; i += 1) {
    await world.live();
    FakeSocket.last.end(1012, "service_restart");
    waits.push(Math.round(world.client.status.until - performance.now()));
    await world.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [250, 500, 750, 1_250]);
});

test("a line that breaks again and again is waited for longer", async () => {
  world.make();
  const waits = [];
  for (let i = 0; i < 4; i += 1) {
    await world.live();
    FakeSocket.last.end(1006);
    waits.push(Math.round(world.client.status.until - performance.now()));
    await world.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [375, 500, 750, 1_250]);
});

test("the window of closing is kept to", async () => {
  world.make();
  const socket = await world.live();
  await world.pass(10_000);
  socket.say("closing", { in_ms: 1_000, reconnect_ms: [500, 5_000] });
  socket.end(1012, "service_restart");
  assert.equal(Math.round(world.client.status.until - performance.now()), 2_750);
});

test("an odd window is none", async () => {
  for (const odd of [null, 7, [1], ["a", "b"], [NaN, 2], {}]) {
    world.make();
    const socket = await world.live();
    await world.pass(10_000);
    socket.say("closing", { reconnect_ms: odd });
    socket.end(1012);
    assert.equal(Math.round(world.client.status.until - performance.now()), 250);
    world.client.close();
  }
});

test("nothing for two heartbeats, three at the most: the connection is lost", async () => {
  for (let phase = 0; phase < 1_000; phase += 100) {
    world.make();
    const socket = await world.live({ heartbeat_ms: 1_000 });
    const steps = async (ms) => {
      for (let passed = 0; passed < ms; passed += 100) await world.pass(100);
    };
    await steps(1_000 + phase);
    socket.say("heartbeat", { ts: 1 });
    await steps(1_900);
    assert.equal(world.client.status.state, "live");
    await steps(1_200);
    assert.ok(world.told("status").some(({ state, why }) => state === "waiting" && why === "silence"));
    assert.equal(socket.readyState, 3, "the old socket stays open");
    world.client.close();
  }
});

test("a server that opens and says nothing is lost after 10 s", async () => {
  world.make();
  await settle();
  FakeSocket.last.open();
  await world.pass(9_900);
  assert.equal(world.client.status.state, "connecting");
  await world.pass(200);
  assert.equal(world.client.status.state, "waiting");
});

test("a timer that a browser held back first lets messages be read", async () => {
  world.make();
  const socket = await world.live({ heartbeat_ms: 1_000 });
  const { now } = performance;
  performance.now = () => now() + 60_000; // the timer fires a minute late
  await world.pass(2_000);
  assert.equal(world.client.status.state, "live");
  socket.say("heartbeat", { ts: 1 });
  await world.pass(1_500);
  assert.equal(world.client.status.state, "live");
});

test("online, a page shown again and a resumed one connect at once", async () => {
  world.page();
  world.make();
  await world.live();
  const wakes = { online: () => world.online(true), pageshow: () => world.fire("pageshow", { persisted: true }), resume: () => world.fire("resume"), visible: () => (world.hide(true), world.hide(false)) };
  for (const [name, wake] of Object.entries(wakes)) {
    FakeSocket.last.end(1006);
    const before = FakeSocket.made.length;
    wake();
    await settle();
    assert.equal(FakeSocket.made.length, before + 1, name);
    await world.live();
  }
});

test("awake with an open socket, the server is asked and has 5 s", async () => {
  world.page();
  world.make();
  const socket = await world.live();
  socket.sent.length = 0;
  world.hide(true);
  world.hide(false);
  assert.deepEqual(socket.sent.map(({ event }) => event), ["ping"]);
  await world.pass(4_000);
  socket.say("pong", { ts: 1 });
  await world.pass(10_000);
  assert.equal(world.client.status.state, "live");
  world.hide(true);
  world.hide(false);
  await world.pass(5_100);
  assert.equal(world.client.status.state, "waiting");
});

test("a page that is put aside has no socket, and is back when it is shown", async () => {
  world.page();
  world.make();
  const socket = await world.live();
  world.fire("pagehide", { persisted: true });
  assert.equal(socket.readyState, 3);
  await world.pass(600_000);
  assert.equal(FakeSocket.made.length, 1);
  world.fire("pageshow", { persisted: true });
  await settle();
  assert.equal(FakeSocket.made.length, 2);
});

test("without network it says so, tries on, and hurries when there is one", async () => {
  world.page();
  world.make();
  const socket = await world.live();
  world.online(false);
  socket.end(1006);
  assert.equal(world.client.status.state, "offline");
  await world.pass(1_000);
  assert.equal(FakeSocket.made.length, 2, "a server on the same machine needs no network");
});

test("retry connects now, and starts again what had stopped", async () => {
  world.make();
  const socket = await world.live();
  socket.end(4009, "too_many_errors");
  assert.equal(world.client.status.state, "stopped");
  world.client.retry();
  await world.live();
  assert.equal(world.client.status.state, "live");
});

test("closed for good: no socket, no timer, no listener, and words", async () => {
  world.page();
  const client = world.make();
  const socket = await world.live();
  client.close();
  assert.equal(socket.readyState, 3);
  assert.equal(world.listeners, 0);
  await world.pass(600_000);
  assert.equal(FakeSocket.made.length, 1);
  assert.throws(() => client.subscribe("a.b"), /closed/);
  await assert.rejects(client.command("ping"), /closed/);
});

test("a signal closes it, also one that was over before", async () => {
  const control = new AbortController();
  world.make({ signal: control.signal });
  const socket = await world.live();
  control.abort();
  assert.equal(socket.readyState, 3);
  world.make({ signal: AbortSignal.abort() });
  await settle();
  assert.equal(FakeSocket.made.length, 1);
});

test("a socket that is given up before it opens may say that that is an error", async () => {
  const unheard = [];
  class Socket extends FakeSocket {
    close() {
      if (!this.onerror) unheard.push(this);
    }
  }
  world.make({ WebSocket: Socket, token: "ann" }).setIdentity("bob");
  await settle();
  assert.equal(FakeSocket.made.length, 2);
  assert.deepEqual(unheard, []);
});

test("without a WebSocket it stops and says what to give", async () => {
  world.make({ WebSocket: undefined, EventSource: undefined });
  await settle();
  assert.equal(world.client.status.state, "stopped");
  assert.match(world.client.status.why, /connect\(url, \{ WebSocket \}\)/);
});

test("what is no message is passed over", async () => {
  world.make();
  const socket = await world.live();
  for (const odd of ["", "null", "[]", "7", "{", '{"event":7,"data":{}}', '{"event":"quote","data":null}', '{"event":"notice","data":{"type":"stale"}}', '{"event":"notice","data":{"type":"topics","removed":[null,7]}}', '{"event":"subscribed","data":{}}', '{"event":"error","data":{}}', '{"event":"later","data":{"x":1}}']) socket.text(odd);
  assert.equal(world.client.status.state, "live");
});

test("an address: http becomes ws, a bare host gets /ws, other schemes are refused", async () => {
  const { connect } = await import("../src/index.js");
  for (const [given, becomes] of [["http://h:1", "ws://h:1/ws"], ["https://h/x/ws", "wss://h/x/ws"], [new URL("wss://h/ws#a"), "wss://h/ws"]]) {
    const client = connect(given, { WebSocket: FakeSocket, name: "ann" });
    await settle();
    assert.equal(FakeSocket.last.url, `${becomes}?name=ann`);
    client.close();
  }
  assert.throws(() => connect("ftp://h/"), /no ws: address/);
});
