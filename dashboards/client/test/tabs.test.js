// Tabs that share a connection, with locks and channels of the test's own. `tests/browser/client_tabs.test.js` has a browser's.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { connect } from "../src/index.js";
import "../src/tabs.js";
import { FakeSocket, World, settle, tick } from "./world.js";

class Locks {
  /** Name → when the last one that asked for it has left. */
  #last = new Map();

  request(name, ...rest) {
    const turn = Promise.resolve(this.#last.get(name)).then(() => (rest[0].signal?.aborted ? undefined : rest.at(-1)()));
    this.#last.set(name, turn);
    return turn;
  }
}

class Channel {
  static all = new Set();

  constructor(name) {
    this.name = name;
    Channel.all.add(this);
  }

  postMessage(data) {
    for (const one of Channel.all) {
      if (one !== this && one.name === this.name) queueMicrotask(() => Channel.all.has(one) && one.onmessage?.({ data: structuredClone(data) }));
    }
  }

  close() {
    Channel.all.delete(this);
  }
}

const REAL = globalThis.BroadcastChannel;
let world, tabs;
beforeEach(() => {
  world = new World();
  world.page();
  tabs = [];
  globalThis.BroadcastChannel = Channel;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { locks: new Locks() } });
});
afterEach(() => {
  for (const tab of tabs) tab.close();
  world.fire("pagehide");
  globalThis.BroadcastChannel = REAL;
  world.end();
});

/** The client of a tab. All of these tabs are hidden or shown together; `hiddenRate: null` stands for one that somebody sees. */
function open(options) {
  const tab = connect("ws://server/ws", { WebSocket: FakeSocket, tabs: true, ...options });
  tabs.push(tab);
  return tab;
}

test("the connection is as fast as the tab wants that somebody sees, also while the one that has it is hidden", async () => {
  open().subscribe("a.x");
  const socket = await world.greet();
  await world.grant(socket);
  open({ hiddenRate: null }).subscribe("b.x");
  await settle();
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["b.x"] }]);
  assert.equal(FakeSocket.made.length, 1);
  world.hide(true);
  await world.pass(5_000);
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "5s" }]);
});

test("many topics of another tab are one command, and one answer", async () => {
  open();
  const socket = await world.greet();
  const tab = open();
  const names = Array.from({ length: 400 }, (_, i) => `a.t${i}`);
  const one = tab.subscribe(names);
  await settle();
  const asked = await world.grant(socket);
  assert.deepEqual(asked.map(({ topics }) => topics), [names]);
  assert.equal((await one.ready).topics.length, 400);
});

test("a tab that leaves while it waits for an answer is no fault, nor is a topic that it asks for otherwise meanwhile", async () => {
  open();
  const socket = await world.greet();
  const [gone, stays] = [open(), open()];
  await settle();
  gone.subscribe(["a.x", "a.y"]);
  stays.subscribe("b.x", { rate: "5s" });
  await settle();
  gone.close();
  const failed = [];
  stays.on("failed", (info) => failed.push(info));
  const fast = stays.subscribe("b.x", { rate: "1s" });
  await settle();
  assert.deepEqual(failed, []);
  await world.grant(socket);
  assert.equal((await fast.ready).topics.length, 1);
  assert.deepEqual(failed, []);
});

test("while topics are quiet, tabs live on the server's signs of life and on answers to other tabs", async () => {
  const first = open();
  const socket = await world.greet();
  const second = open();
  await settle();
  const states = [];
  for (const tab of [first, second]) tab.on("status", ({ state }) => states.push(state));
  /** In steps, as a timer that comes late is of a page that slept. */
  const wait = async () => {
    for (let i = 0; i < 28; i += 1) await world.pass(500);
  };
  for (let i = 0; i < 5; i += 1) {
    await wait();
    socket.say("heartbeat", { ts: 1 });
    await settle();
  }
  for (let i = 0; i < 5; i += 1) {
    const listed = first.topics("a.*");
    await wait();
    const [{ data }] = socket.take();
    socket.say("topics", { id: data.id, topics: [] });
    await listed;
    await settle();
  }
  assert.deepEqual([states, FakeSocket.made.length], [[], 1]);
});

test("a tab that comes later is told what is stale and which feeds are not up, as long as that is known", async () => {
  const first = open();
  const own = first.subscribe("a.x");
  const socket = await world.greet();
  await world.grant(socket);
  tick(socket, "a.x", 1);
  for (const feed of ["a", "b"]) socket.say("notice", { type: "feed", feed, state: "down", since: 1, reason: "x" });
  socket.say("notice", { type: "feed", feed: "b", state: "up", since: 2, reason: "" });
  socket.say("notice", { type: "stale", feed: "a", topics: ["a.x"], since: 5, max_age_ms: 3 });
  await settle();
  const later = async () => {
    const tab = open();
    const told = [];
    tab.on("feed", ({ feed, state }) => told.push(`${feed} ${state}`));
    const one = tab.subscribe("a.x");
    await settle();
    await world.grant(socket);
    const stale = tab.latest("a.x")?.stale;
    one.close();
    await settle();
    return [stale, ...told];
  };
  assert.deepEqual(await later(), [5, "a down"]);
  own.close();
  await settle();
  await world.grant(socket);
  assert.deepEqual(await later(), [undefined], "nobody had the feed, so it may be up: the server says");
});

test("after a close that is final, retry() of any tab connects, and another such close is told", async () => {
  const pair = [open(), open()];
  const end = async () => {
    const socket = await world.greet();
    socket.end(4009, "too_many");
    await settle();
    assert.deepEqual(pair.map(({ status }) => status.code), [4009, 4009]);
  };
  await end();
  pair[1].retry();
  await settle();
  assert.equal(FakeSocket.made.length, 2);
  FakeSocket.last.end(4009, "too_many");
  await settle();
  assert.deepEqual(pair.map(({ status }) => status.state), ["stopped", "stopped"]);
  for (const tab of pair) tab.retry();
  await world.greet();
  assert.deepEqual(pair.map(({ status }) => status.state), ["live", "live"]);
  assert.equal(FakeSocket.made.length, 3);
});

test("get tells what failed also to a tab that has no connection of its own", async () => {
  open();
  const socket = await world.greet();
  const tab = open();
  const told = [];
  tab.on("failed", (info) => told.push(info));
  await settle();
  const got = tab.get(["a.x", "a.typo"]);
  await settle();
  const failed = [{ topic: "a.typo", code: 404, message: "there is no a.typo" }];
  socket.say("values", { id: socket.take()[0].data.id, values: [{ event: "quote", data: { topic: "a.x", seq: 1, ts: 1, value: 1 } }], failed });
  assert.equal((await got)[0].value, 1);
  assert.deepEqual(told, failed);
});
