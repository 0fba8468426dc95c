// A socket in a worker: both sides, with a worker that is a context of its own and messages that are copied as a browser's are.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { socketsIn } from "../src/worker.js";

const SIDE = readFileSync(new URL("../src/worker_side.js", import.meta.url), "utf8");
const MEBI = 1_024 * 1_024;

/** The sockets that the worker made, and what the worker waits for. */
let sockets, timers, worker, told;

class Socket {
  readyState = 0;
  sent = [];

  constructor(url, protocol) {
    if (url === "mixed:") throw new Error("not from this page");
    Object.assign(this, { url, protocol });
    sockets.push(this);
  }

  send(text) {
    this.sent.push(text);
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  say(...texts) {
    for (const data of texts) this.onmessage?.({ data });
  }
}

/** `lost` keeps what the page says from the worker, as a page that is busy does. */
function makeWorker() {
  const queue = [];
  const made = { lost: false };
  const context = createContext({
    WebSocket: Socket,
    setTimeout: (work) => timers.push(work) && work,
    clearTimeout: (work) => (timers = timers.filter((one) => one !== work)),
    postMessage: (data) => made.onmessage({ data: structuredClone(data) }),
  });
  runInContext(SIDE, context);
  const deliver = () => {
    while (queue.length > 0 && !made.lost) context.onmessage({ data: queue.shift() });
  };
  made.postMessage = (data) => {
    queue.push(structuredClone(data));
    deliver();
  };
  made.deliver = deliver;
  made.terminate = () => told.push("terminated");
  return made;
}

/** The time of gathering is over. */
function pass() {
  for (const work of timers.splice(0)) work();
}

function connect() {
  const one = new (socketsIn(worker))("ws://127.0.0.1:1/ws", "tickerd.v1.json");
  one.onopen = () => told.push("open");
  one.onmessage = ({ data }) => told.push(data);
  one.onclose = ({ code, reason }) => told.push(`closed ${code} ${reason}`);
  return one;
}

beforeEach(() => {
  [sockets, timers, told] = [[], [], []];
  worker = makeWorker();
});

test("what one side says the other gets, in order, and the server's close last", () => {
  const one = connect();
  assert.deepEqual([sockets[0].url, sockets[0].protocol, one.readyState], ["ws://127.0.0.1:1/ws", "tickerd.v1.json", 0]);
  sockets[0].open();
  assert.equal(one.readyState, 1);
  one.send("a");
  assert.deepEqual(sockets[0].sent, ["a"]);
  sockets[0].say("1", "2");
  assert.deepEqual(told, ["open"], "it is gathered first");
  pass();
  sockets[0].say("3");
  sockets[0].onclose({ code: 4001, reason: "token_expired" });
  assert.deepEqual(told, ["open", "1", "2", "3", "closed 4001 token_expired"]);
  assert.equal(one.readyState, 3);
});

test("a page that is busy gets what came meanwhile together", () => {
  connect();
  sockets[0].open();
  sockets[0].say("1");
  worker.lost = true;
  pass();
  let turns = 0;
  const { onmessage } = worker;
  worker.onmessage = (event) => {
    turns += 1;
    onmessage(event);
  };
  sockets[0].say("2", "3");
  pass();
  sockets[0].say("4");
  pass();
  assert.deepEqual([told, turns], [["open", "1"], 0], "nothing more while it has not taken the first");
  worker.lost = false;
  worker.deliver();
  pass();
  assert.deepEqual([told, turns], [["open", "1", "2", "3", "4"], 1]);
});

test("a page that takes nothing is given up before it fills the memory", () => {
  connect();
  sockets[0].open();
  sockets[0].say("1");
  worker.lost = true;
  pass();
  const large = "x".repeat(MEBI);
  for (let i = 0; i < 32; i += 1) sockets[0].say(large);
  assert.deepEqual([told, sockets[0].readyState], [["open", "1"], 1]);
  sockets[0].say("y");
  assert.deepEqual(told, ["open", "1", "closed 1006 the page was too slow"]);
  assert.equal(sockets[0].readyState, 3);
});

test("after close nothing is heard, also of what is on its way", () => {
  const one = connect();
  sockets[0].open();
  sockets[0].say("1", "2", "3");
  one.onmessage = ({ data }) => {
    told.push(data);
    one.onmessage = one.onclose = null;
    one.close();
  };
  pass();
  one.close();
  assert.deepEqual(told, ["open", "1"]);
  assert.equal(sockets[0].readyState, 3);
  one.send("late");
  assert.deepEqual(sockets[0].sent, []);
});

test("an address that may not be connected to is told of that socket alone", () => {
  const Sockets = socketsIn(worker);
  const [good, bad] = [new Sockets("ws://127.0.0.1:1/ws", "p"), new Sockets("mixed:", "p")];
  for (const one of [good, bad]) one.onclose = ({ code, reason }) => told.push(`closed ${code} ${reason}`);
  assert.deepEqual([bad.readyState, good.readyState], [3, 0]);
  sockets[0].open();
  assert.deepEqual([good.readyState, told], [1, []], "the page had no handler yet");
});

test("a worker that says nothing until the page gives up is taken for dead", (t) => {
  worker.lost = true;
  const Sockets = socketsIn(worker);
  const one = new Sockets("ws://127.0.0.1:1/ws", "p");
  const now = performance.now() + 10_000;
  t.mock.method(performance, "now", () => now);
  one.close();
  assert.deepEqual(told, ["terminated"]);
  const before = globalThis.WebSocket;
  globalThis.WebSocket = Socket;
  try {
    assert.ok(new Sockets("ws://127.0.0.1:1/ws", "p") instanceof Socket);
  } finally {
    globalThis.WebSocket = before;
  }
});

test("a socket that is closed before it is open ends no other, nor does a server that does not answer", (t) => {
  const Sockets = socketsIn(worker);
  const one = new Sockets("ws://127.0.0.1:1/ws", "p");
  sockets[0].open();
  worker.lost = true;
  new Sockets("ws://127.0.0.1:2/ws", "p").close();
  worker.lost = false;
  worker.deliver();
  const other = new Sockets("ws://127.0.0.1:2/ws", "p");
  const now = performance.now() + 10_000;
  t.mock.method(performance, "now", () => now);
  other.close();
  assert.deepEqual([told, one.readyState], [[], 1]);
});

test("where the worker fails the connections end, and the next ones are common ones", () => {
  const Sockets = socketsIn(worker);
  const one = new Sockets("ws://127.0.0.1:1/ws", "p");
  one.onclose = ({ code, reason }) => told.push(`closed ${code} ${reason}`);
  worker.onerror();
  assert.deepEqual(told, ["terminated", "closed 1006 the worker has failed"]);
  const before = globalThis.WebSocket;
  globalThis.WebSocket = Socket;
  try {
    const next = new Sockets("ws://127.0.0.1:1/ws", "p");
    assert.ok(next instanceof Socket);
  } finally {
    globalThis.WebSocket = before;
  }
});
