// An event stream in place of a WebSocket: who is answered by which stream, and what is asked for again after a lost one.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import "../src/sse.js";
import { HELLO, World, settle } from "./world.js";

class FakeStream {
  static made = [];

  constructor(url) {
    this.asks = new URL(url).searchParams;
    FakeStream.made.push(this);
  }

  say(event, data, lastEventId = "") {
    this.onmessage({ data: JSON.stringify({ event, data }), lastEventId });
  }

  close() {}
}

let world;
beforeEach(() => {
  world = new World();
  FakeStream.made.length = 0;
});
afterEach(() => world.end());

const make = () => world.make({ transport: "sse", EventSource: FakeStream, fetch: async () => new Response("{}") });
const message = (stream, topic, seq) => stream.say("message", { topic, seq, ts: seq, value: seq }, `e1-${seq}`);

/** The stream that comes up next, which has these topics and answers with what `change` makes of them. */
async function stream(topics, change = () => ({})) {
  await world.pass(30);
  const one = FakeStream.made.at(-1);
  assert.deepEqual(one.asks.get("topics").split(","), topics);
  one.say("connected", HELLO);
  await settle(); // a subscription goes out before the next line has come
  const of = (list) => list.map((topic) => ({ topic, seq: 0, rate: "50ms", mode: "all", ...change(topic) }));
  one.say("subscribed", topics[0] === "tickerd.none" ? { topics: [], patterns: [], failed: [{ topic: topics[0], code: 404 }] } : { topics: of(topics), patterns: [], failed: [] });
  await settle();
  return one;
}

async function again(one) {
  one.onerror();
  await world.pass(400);
  return stream(["tickerd.none"]);
}

test("a subscription is answered by the stream that has its topics", { timeout: 10_000 }, async () => {
  const client = make();
  const first = client.subscribe("rooms.a");
  await stream(["tickerd.none"]);
  const one = await stream(["rooms.a"], () => ({ seq: 7 }));
  assert.equal((await first.ready).topics[0].seq, 7);
  const second = client.subscribe("rooms.b");
  await settle();
  one.say("subscribed", { topics: [{ topic: "rooms.a", seq: 7, mode: "all" }], patterns: [], failed: [] });
  await stream(["rooms.a", "rooms.b"], () => ({ recovered: true }));
  assert.equal((await second.ready).topics[0].topic, "rooms.b");
  assert.deepEqual(world.told("gap"), [], "nobody was away");
});

test("after a lost stream the next one begins behind the last tick; what the server leaves open, the position tells", async () => {
  const topics = ["rooms.a", "sim.same", "sim.jumped"];
  make().subscribe(topics);
  await stream(["tickerd.none"]);
  const first = await stream(topics);
  for (const [i, topic] of topics.entries()) message(first, topic, i + 1);
  await again(first);
  const second = await stream(topics, (topic) => ({ seq: topic === "sim.same" ? 2 : 9, recovered: topic === "rooms.a" ? true : undefined }));
  assert.equal(second.asks.get("lastEventId"), "e1-3");
  assert.deepEqual(world.told("gap"), [
    { topics: ["rooms.a", "sim.same"], recovered: true, why: "reconnected" },
    { topics: ["sim.jumped"], recovered: false, why: "reconnected" },
  ]);
});

test("another user does not begin where the one before was", async () => {
  const client = make();
  client.subscribe("rooms.a");
  await stream(["tickerd.none"]);
  message(await stream(["rooms.a"]), "rooms.a", 1);
  client.setIdentity(null);
  await stream(["tickerd.none"]);
  assert.equal((await stream(["rooms.a"])).asks.get("lastEventId"), null);
});
