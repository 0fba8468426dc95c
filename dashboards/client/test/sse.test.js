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

/** A client of ann with a granted topic that has a value, on a server that knows `users`, by their tokens. */
async function known(users, topics) {
  let token;
  const fetch = async (url, init) => {
    token = new Headers(init?.headers).get("authorization")?.slice(7);
    return new Response(JSON.stringify({ ticket: "tkt_1" }));
  };
  const client = world.make({ transport: "sse", EventSource: FakeStream, fetch, token: "ann" });
  /** The next stream, and its first words. */
  const next = async (names, failed = []) => {
    await settle();
    await world.pass(30);
    const one = FakeStream.made.at(-1);
    assert.deepEqual(one.asks.get("topics").split(","), names);
    one.say("connected", HELLO);
    await settle();
    one.say("authenticated", { user: users[token] });
    await settle();
    const of = names.filter((topic) => !failed.includes(topic)).map((topic) => ({ topic, seq: 1, mode: "all" }));
    one.say("subscribed", { topics: of, patterns: [], failed: failed.map((topic) => ({ topic, code: 403, message: "no" })) });
    await settle();
    return one;
  };
  client.subscribe(topics);
  await next(["tickerd.none"]);
  const one = await next(topics);
  for (const topic of topics) message(one, topic, 1);
  await settle();
  return { client, next };
}

test("setIdentity to another user forgets what is here, and the user is told", async () => {
  const { client, next } = await known({ ann: "ann", bob: "bob" }, ["rooms.ann"]);
  assert.deepEqual([client.user, client.latest("rooms.ann").value], ["ann", 1]);
  client.setIdentity("bob");
  const published = client.publish("rooms.x", "as bob");
  published.catch(() => {});
  await next(["rooms.ann"]);
  assert.deepEqual([client.status.state, client.latest("rooms.ann")], ["connecting", undefined]);
  await next(["tickerd.none"]);
  const last = await next(["rooms.ann"], ["rooms.ann"]);
  assert.equal(last.asks.get("lastEventId"), null);
  assert.deepEqual([client.user, client.status.state, client.latest("rooms.ann")], ["bob", "live", undefined]);
  assert.deepEqual(world.told("failed").map(({ topic, code }) => [topic, code]), [["rooms.ann", 403]]);
});

test("the next token of the same user keeps what is here, and what it does not grant is told", async () => {
  const { client, next } = await known({ ann: "ann", ann2: "ann" }, ["rooms.a", "rooms.b"]);
  client.setIdentity("ann2");
  const one = await next(["rooms.a", "rooms.b"], ["rooms.b"]);
  assert.equal(one.asks.get("lastEventId"), "e1-1");
  assert.deepEqual([client.user, client.status.state, client.latest("rooms.a").value], ["ann", "live", 1]);
  assert.deepEqual(world.told("failed").map(({ topic, code }) => [topic, code]), [["rooms.b", 403]]);
});

test("a user's own topic is in the path as it stands", async () => {
  const asked = [];
  const fetch = async (url) => {
    asked.push(new URL(url).pathname);
    return new Response("{}");
  };
  const client = world.make({ transport: "sse", EventSource: FakeStream, fetch });
  await stream(["tickerd.none"]);
  await Promise.all([client.history("users.auth0%7C5f7"), client.publish("users.auth0%7C5f7", 1)]);
  const paths = asked.filter((path) => path.includes("/topics/"));
  assert.deepEqual(paths, ["/v1/topics/users.auth0%7C5f7/history", "/v1/topics/users.auth0%7C5f7"]);
});

test("topics that do not fit into the address are told as failed, and the others come", async () => {
  const client = make();
  const names = Array.from({ length: 800 }, (_, i) => `stocks.symbols.NYSE${1_000 + i}`);
  const one = client.subscribe(names);
  await stream(["tickerd.none"]);
  await world.pass(30);
  const last = FakeStream.made.at(-1);
  const asked = last.asks.get("topics").split(",");
  assert.ok(asked.length > 200 && `${last.asks}`.length < 8_000, `${asked.length}`);
  last.say("subscribed", { topics: asked.map((topic) => ({ topic, seq: 0, mode: "latest" })), patterns: [], failed: [] });
  const { topics, failed } = await one.ready;
  assert.deepEqual([topics.length + failed.length, failed[0].code], [800, 413]);
});

test("a stream that the server or a proxy refuses as too large stops the client, with the reason", async () => {
  for (const status of [413, 414]) {
    world.make({ transport: "sse", EventSource: FakeStream, fetch: async () => new Response('{"detail":"too many names"}', { status }) });
    await settle();
    FakeStream.made.at(-1).onerror();
    await settle();
    assert.deepEqual([world.client.status.state, world.client.status.why], ["stopped", "too many names"]);
    world.client.close();
  }
});

test("a topic that is refused for now stays in the address, one that is refused for good does not", async () => {
  const client = make();
  client.subscribe(["rooms.a", "rooms.busy", "rooms.no"]);
  await stream(["tickerd.none"]);
  await world.pass(30);
  const codes = { "rooms.busy": 503, "rooms.no": 403 };
  const one = FakeStream.made.at(-1);
  one.say("connected", HELLO);
  one.say("subscribed", { topics: [{ topic: "rooms.a", seq: 0, mode: "all" }], patterns: [], failed: Object.entries(codes).map(([topic, code]) => ({ topic, code, message: "no" })) });
  await settle();
  assert.deepEqual(world.told("failed").map(({ topic }) => topic), ["rooms.busy", "rooms.no"]);
  client.subscribe("rooms.b");
  await settle();
  await stream(["rooms.a", "rooms.busy", "rooms.b"]);
});

test("a stream for another token that never says whose it is ends after 30 s", async () => {
  const { client } = await known({ ann: "ann" }, ["rooms.a"]);
  client.setIdentity("ann2");
  await world.pass(30_000);
  assert.deepEqual([client.status.state, client.status.why], ["waiting", "no answer"]);
});
