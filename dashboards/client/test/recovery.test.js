// Coming back: positions, what was missed, and that it is told.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { World, settle, tick } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

/** Loses the connection and comes back. */
async function again(socket, hello) {
  socket.end(1006);
  await world.pass(400);
  return world.greet(hello);
}

test("of topics of which each tick matters it says where it was; of others it does not", async () => {
  const client = world.make();
  const one = client.subscribe("a.all", { mode: "all" });
  client.subscribe(["a.x", "a.trades", "a.quiet", "b.*"]);
  const gaps = [];
  one.on("gap", (gap) => gaps.push(gap));
  const first = await world.greet();
  await world.grant(first, (info) => ({ ...info, mode: ["a.trades", "a.quiet"].includes(info.topic) ? "all" : info.mode }));
  tick(first, "a.all", 8);
  tick(first, "a.x", 3);
  tick(first, "a.trades", 5);
  const second = await again(first);
  const asked = await world.grant(second, (info) => ({ ...info, ...(info.topic === "a.all" && { recovered: true }), ...(info.topic === "a.trades" && { recovered: false }) }));
  assert.deepEqual(asked, [
    { event: "subscribe", topics: ["a.all"], mode: "all", since: { epoch: "e1", seq: { "a.all": 8 } } },
    { event: "subscribe", topics: ["a.trades", "a.quiet"], since: { epoch: "e1", seq: { "a.trades": 5, "a.quiet": 0 } } },
    { event: "subscribe", topics: ["a.x", "b.*"] },
  ]);
  assert.deepEqual(world.told("gap"), [
    { topics: ["a.all"], recovered: true, why: "reconnected" },
    { topics: ["a.trades"], recovered: false, why: "reconnected" },
  ]);
  assert.deepEqual(gaps, [{ topics: ["a.all"], recovered: true, why: "reconnected" }]);
});

test("missed ticks come once, and in order", async () => {
  const client = world.make();
  const got = [];
  client.subscribe("a.all", { mode: "all" }).on("tick", ({ seq }) => got.push(seq));
  const first = await world.live();
  for (const seq of [1, 2]) tick(first, "a.all", seq);
  const second = await again(first);
  await world.grant(second, (info) => ({ ...info, recovered: true }));
  for (const seq of [2, 3, 4, 5]) tick(second, "a.all", seq);
  assert.deepEqual(got, [1, 2, 3, 4, 5]);
});

test("another epoch: positions and values are forgotten, and a gap is told", async () => {
  const client = world.make();
  const got = [];
  client.subscribe("a.all", { mode: "all" }).on("tick", ({ seq }) => got.push(seq));
  client.subscribe("a.x");
  const first = await world.live();
  tick(first, "a.all", 800);
  tick(first, "a.x", 900);
  const second = await again(first, { epoch: "e2" });
  assert.deepEqual(await world.grant(second), [
    { event: "subscribe", topics: ["a.all"], mode: "all", since: { epoch: "e2", seq: { "a.all": 0 } } },
    { event: "subscribe", topics: ["a.x"] },
  ]);
  assert.equal(client.latest("a.x"), undefined);
  tick(second, "a.all", 1);
  assert.deepEqual(got, [800, 1]);
  assert.deepEqual(world.told("gap"), [{ topics: ["a.all"], recovered: false, why: "restarted" }]);
  assert.deepEqual(world.told("epoch"), ["e1", "e2"]);
});

test("a reset is a gap", async () => {
  const client = world.make();
  client.subscribe("a.all", { mode: "all" });
  const socket = await world.live();
  socket.say("notice", { type: "reset", topics: ["a.all"] });
  assert.deepEqual(world.told("gap"), [{ topics: ["a.all"], recovered: false, why: "reset" }]);
});

test("several servers share the feeds: a position says whose numbers it means", async () => {
  const client = world.make();
  const got = [];
  client.subscribe(["a.all", "a.quiet", "b.all"], { mode: "all" }).on("tick", ({ topic, seq, skipped }) => got.push([topic, seq, skipped]));
  const first = await world.greet();
  await world.grant(first, (info) => ({ ...info, epoch: info.topic.startsWith("a.") ? "e1-1-a-1" : undefined }));
  tick(first, "a.all", 2 ** 32 + 7);
  tick(first, "b.all", 3);
  await world.pass(400); // what is loaded on use is there
  first.say("notice", { type: "reset", feed: "a", topics: ["a.all", "a.quiet"], epoch: "e1-2-b-1" });
  first.say("notice", { type: "reset", topics: ["a.all"] });
  tick(first, "a.all", 2 * 2 ** 32 + 3);
  tick(first, "a.all", 2 * 2 ** 32 + 5);
  assert.deepEqual(got, [["a.all", 2 ** 32 + 7, 0], ["b.all", 3, 0], ["a.all", 2 * 2 ** 32 + 3, 0], ["a.all", 2 * 2 ** 32 + 5, 1]]);
  assert.deepEqual(world.told("gap").map(({ topics }) => topics), [["a.all", "a.quiet"], ["a.all"]]);
  const second = await again(first);
  assert.deepEqual(await world.grant(second), [
    {
      event: "subscribe",
      topics: ["a.all", "a.quiet", "b.all"],
      mode: "all",
      since: { epoch: { "a.all": "e1-2-b-1", "a.quiet": "e1-2-b-1" }, seq: { "a.all": 2 * 2 ** 32 + 5, "a.quiet": 0, "b.all": 3 } },
    },
  ]);
});

test("a server's own topics are counted from the beginning by another server, and go on with the same one", async () => {
  const client = world.make();
  const got = [];
  client.on("tick", ({ topic, seq }) => got.push(`${topic}#${seq}`));
  client.subscribe(["tickerd.stats", "tickerd.bars.1m.*"]);
  const names = ["tickerd.stats", "tickerd.bars.1m.a"];
  const grant = async (socket, epoch) => {
    await settle();
    const [{ data }] = socket.take();
    socket.say("subscribed", { id: data.id, topics: [{ topic: "tickerd.stats", seq: 0, mode: "latest", epoch }], patterns: [{ pattern: "tickerd.bars.1m.*", count: 0, mode: "latest", epochs: { tickerd: epoch } }], failed: [] });
    await settle();
  };
  const first = await world.greet();
  await grant(first, "e1-a");
  for (const name of names) tick(first, name, 500);
  const second = await again(first);
  await grant(second, "e1-a");
  for (const name of names) tick(second, name, 500);
  await world.pass(5_000); // a connection that lasted is soon followed by the next one
  const third = await again(second);
  await grant(third, "e1-b");
  for (const name of names) tick(third, name, 3);
  assert.deepEqual(got, [...names.map((name) => `${name}#500`), ...names.map((name) => `${name}#3`)]);
});

test("a lag of the server's is told", async () => {
  world.make();
  const socket = await world.live();
  socket.say("notice", { type: "lag", skipped: 12 });
  assert.deepEqual(world.told("lag"), [{ by: "server", skipped: 12 }]);
});

test("a pattern of which each tick matters: a jump after the return is a gap, no jump is none", async () => {
  const client = world.make();
  client.subscribe("a.*", { mode: "all" });
  const first = await world.live();
  for (const topic of ["a.x", "a.y", "a.z"]) tick(first, topic, 5);
  tick(first, "a.z", 9); // merged by the feed itself: nothing was lost on the way
  const second = await again(first);
  await world.grant(second);
  tick(second, "a.x", 5);
  tick(second, "a.x", 9);
  tick(second, "a.y", 6);
  tick(second, "a.z", 12);
  await world.pass(100);
  assert.deepEqual(world.told("gap"), [{ topics: ["a.z"], recovered: false, why: "reconnected" }]);
});

test("at each connection nothing is stale until it is told", async () => {
  const client = world.make();
  client.subscribe("a.x");
  const first = await world.live();
  tick(first, "a.x", 1);
  first.say("notice", { type: "stale", topics: ["a.x"], since: 77 });
  await again(first);
  assert.equal(client.latest("a.x").stale, 0);
});

test("a command that waits for the connection is sent on it; one that was sent is not sent twice", async () => {
  const client = world.make();
  const history = client.history("a.x", { limit: 2 });
  const first = await world.greet();
  const [sent] = first.take();
  assert.deepEqual(sent, { event: "history", data: { id: sent.data.id, topic: "a.x", limit: 2 } });
  first.say("history", { id: sent.data.id, topic: "a.x", epoch: "e1", values: [{ event: "quote", data: { topic: "a.x", seq: 1, ts: 2, value: 3 } }] });
  assert.deepEqual((await history).map(({ topic, seq, event, value }) => [topic, seq, event, value]), [["a.x", 1, "quote", 3]]);
  assert.equal(client.latest("a.x"), undefined, "the past is not the newest");
  const publish = client.publish("rooms.l", 1);
  await settle();
  first.take();
  first.end(1006);
  await assert.rejects(publish, { code: 0, temporary: true, message: "no answer" });
  const second = await world.greet();
  assert.deepEqual(second.take(), []);
});

test("errors have their code; a command over the limit is sent again after the time that is named", async () => {
  const client = world.make();
  const socket = await world.live();
  const wrong = client.get(["a..b"]);
  await settle();
  socket.say("error", { id: socket.take()[0].data.id, code: 400, name: "bad_request", message: "not a topic", temporary: false });
  await assert.rejects(wrong, { name: "TickerdError", code: 400, message: "not a topic", temporary: false });
  const busy = client.presence("rooms.l");
  await settle();
  socket.say("error", { id: socket.take()[0].data.id, code: 429, name: "rate_limited", message: "slow", temporary: true, retry_after_ms: 700 });
  await world.pass(600);
  assert.deepEqual(socket.take(), []);
  await world.pass(200);
  const [again] = socket.take();
  socket.say("presence", { id: again.data.id, topic: "rooms.l", count: 0, members: [] });
  assert.equal((await busy).count, 0);
  socket.say("error", { code: 400, name: "bad_request", message: "of nobody's", temporary: false });
  assert.equal(world.told("error")[0].message, "of nobody's");
});

test("commands keep the server's pace", async () => {
  const client = world.make();
  const socket = await world.live();
  for (let i = 0; i < 60; i += 1) client.command("ping", { t: i }).catch(() => {});
  await settle();
  const count = () => socket.sent.splice(0).length;
  assert.equal(count(), 18);
  await world.pass(1_000);
  assert.ok(Math.abs(count() - 9) <= 1);
  await world.pass(2_000);
  assert.ok(Math.abs(count() - 18) <= 2);
});

test("a command ends by its signal, by time, and when too many wait", async () => {
  const client = world.make();
  const socket = await world.live();
  const control = new AbortController();
  const aborted = client.command("topics", {}, { signal: control.signal });
  control.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  const late = assert.rejects(client.command("topics"), { code: 408, temporary: true });
  for (let i = 0; i < 40; i += 1) {
    await world.pass(1_000);
    socket.say("heartbeat", { ts: 1 });
  }
  await late;
  socket.end(1006);
  const many = Array.from({ length: 300 }, () => client.command("topics"));
  const ends = Promise.allSettled(many);
  await settle();
  client.close();
  const reasons = (await ends).map(({ reason }) => reason.code);
  assert.equal(reasons.filter((code) => code === 429).length, 44);
  assert.equal(reasons.filter((code) => code === 0).length, 256);
});

test("the server's clock is ours, corrected", async () => {
  const client = world.make();
  const socket = await world.greet();
  const [{ data }] = socket.sent.filter(({ event }) => event === "ping");
  await world.pass(100);
  socket.say("pong", { t: data.t, ts: Date.now() + 60_000 });
  assert.equal(client.now(), Date.now() + 60_050);
});
