// Tabs that share a connection, with locks and channels of the test's own. `tests/browser/client_tabs.test.js` has a browser's.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { connect } from "../src/index.js";
import "../src/tabs.js";
import { FakeSocket, World, settle } from "./world.js";

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
