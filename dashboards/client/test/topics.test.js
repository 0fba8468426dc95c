// Subscriptions: what goes over the wire for all of them together, and what each reader gets.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { World, settle, tick } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

const collect = (one) => {
  const ticks = [];
  one.on("tick", (it) => ticks.push(it));
  return ticks;
};
const seqs = (ticks) => ticks.map(({ topic, seq }) => `${topic}#${seq}`);

test("what is subscribed before the connection goes out in one command", async () => {
  const client = world.make();
  client.subscribe("a.x");
  client.subscribe(["a.y", "b.*"]);
  await world.live();
  assert.deepEqual(world.asked, [{ event: "subscribe", topics: ["a.x", "a.y", "b.*"] }]);
});

test("topics in any order, gone and back: each tick is of its own topic", async () => {
  const client = world.make();
  const all = client.subscribe("**");
  const got = collect(all);
  const socket = await world.live();
  await world.grant(socket);
  let seq = 0;
  const say = (...topics) => topics.forEach((topic) => tick(socket, topic, (seq += 1)));
  say("a.x", "a.y", "a.z", "a.x", "a.y", "a.z", "a.z", "a.x", "a.z", "a.y");
  assert.deepEqual(["a.x", "a.y", "a.z"].map((topic) => client.latest(topic).seq), [8, 10, 9]);
  // The one that is to follow a.x is gone; what comes again under its name is new, and skips nothing.
  socket.say("notice", { type: "topics", added: [], removed: ["a.z"] });
  say("a.x");
  assert.equal(client.latest("a.z"), undefined);
  say("a.z", "a.x", "a.z");
  assert.deepEqual(["a.x", "a.y", "a.z"].map((topic) => client.latest(topic).seq), [13, 10, 14]);
  assert.deepEqual(got.slice(-4).map(({ topic, seq, skipped }) => [topic, seq, skipped]), [["a.x", 11, 2], ["a.z", 12, 0], ["a.x", 13, 1], ["a.z", 14, 1]]);
  // Nor does it hold what nobody wants any more.
  const one = client.subscribe("a.y");
  all.close();
  const own = collect(one);
  say("a.x", "a.y", "a.z");
  assert.deepEqual([seqs(own).at(-1), client.latest("a.x"), client.latest("a.z")], ["a.y#16", undefined, undefined]);
});

test("the same topic twice is one subscription, and ends with the last holder", async () => {
  const client = world.make();
  const [one, two] = [client.subscribe("a.x"), client.subscribe("a.x")];
  const socket = await world.live();
  assert.deepEqual(world.asked, [{ event: "subscribe", topics: ["a.x"] }]);
  const [got1, got2] = [collect(one), collect(two)];
  tick(socket, "a.x", 1);
  assert.deepEqual([seqs(got1), seqs(got2)], [["a.x#1"], ["a.x#1"]]);
  one.close();
  assert.deepEqual(await world.grant(socket), []);
  tick(socket, "a.x", 2);
  assert.deepEqual([seqs(got1), seqs(got2)], [["a.x#1"], ["a.x#1", "a.x#2"]]);
  two.close();
  two.close();
  assert.deepEqual(await world.grant(socket), [{ event: "unsubscribe", topics: ["a.x"] }]);
});

test("subscribed and ended at once, nothing goes out", async () => {
  const client = world.make();
  const socket = await world.live();
  client.subscribe("a.x").close();
  assert.deepEqual(await world.grant(socket), []);
});

test("StrictMode: mount, unmount, mount in one turn is one subscription", async () => {
  const client = world.make();
  const socket = await world.live();
  client.subscribe("a.x").close();
  client.subscribe("a.x");
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"] }]);
});

test("ended and wanted again in one turn, a topic keeps its newest tick", async () => {
  const client = world.make();
  const [topic, pattern] = [client.subscribe("a.x"), client.subscribe("b.*")];
  const socket = await world.live();
  for (const name of ["a.x", "b.y"]) tick(socket, name, 5);
  for (const one of [topic, pattern]) one.close();
  assert.deepEqual(["a.x", "b.y"].map((name) => client.latest(name)), [undefined, undefined]);
  const got = collect(client.subscribe(["a.x", "b.*"]));
  assert.deepEqual(await world.grant(socket), []);
  assert.deepEqual(seqs(got), ["a.x#5", "b.y#5"]);
});

test("the wire has the most demanding mode and rate, and less again when it ends", async () => {
  const client = world.make({ rate: "5s" });
  client.subscribe("a.x");
  const socket = await world.live();
  assert.deepEqual(world.asked, [{ event: "subscribe", topics: ["a.x"], rate: "5s" }]);
  const fast = client.subscribe("a.x", { rate: "1s" });
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "1s" }]);
  const all = client.subscribe("a.x", { mode: "all", rate: "1m" });
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "1s", mode: "all" }]);
  all.close();
  fast.close();
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "5s" }]);
});

test("a topic that a pattern also covers is asked for as the more demanding of both", async () => {
  const client = world.make();
  client.subscribe("a.x", { rate: "5s" });
  const socket = await world.live();
  const pattern = client.subscribe("a.*", { rate: "1s" });
  const asked = await world.grant(socket);
  assert.equal(asked.length, 1);
  assert.deepEqual([...asked[0].topics].sort(), ["a.*", "a.x"]);
  assert.equal(asked[0].rate, "1s");
  pattern.close();
  assert.deepEqual(await world.grant(socket), [{ event: "unsubscribe", topics: ["a.*"] }, { event: "subscribe", topics: ["a.x"], rate: "5s" }]);
});

test("a pattern brings its topics, and a topic comes once to whoever holds it twice", async () => {
  const client = world.make();
  const one = client.subscribe(["a.*", "a.x"]);
  const got = collect(one);
  const socket = await world.live();
  tick(socket, "a.x", 1);
  tick(socket, "a.y", 1);
  tick(socket, "b.x", 1);
  assert.deepEqual(seqs(got), ["a.x#1", "a.y#1"]);
  assert.equal(one.latest("a.y").value, 1);
  assert.equal(client.latest("a.y"), one.latest("a.y"));
});

test("who comes later begins with the newest", async () => {
  const client = world.make();
  client.subscribe("a.x");
  const socket = await world.live();
  tick(socket, "a.x", 7);
  const late = collect(client.subscribe("a.*"));
  await settle();
  assert.deepEqual(seqs(late), ["a.x#7"]);
  tick(socket, "a.x", 7); // the server's snapshot for the pattern
  tick(socket, "a.x", 8);
  assert.deepEqual(seqs(late), ["a.x#7", "a.x#8"]);
});

test("repeats and older ticks are dropped; the same seq later is a feed that repeats itself", async () => {
  const client = world.make();
  const got = collect(client.subscribe("a.x"));
  const socket = await world.live();
  for (const seq of [3, 3, 2, 4, 1, 4]) tick(socket, "a.x", seq);
  assert.deepEqual(seqs(got), ["a.x#3", "a.x#4"]);
  tick(socket, "a.x", 4, { ts: 99_999 });
  assert.deepEqual(seqs(got), ["a.x#3", "a.x#4", "a.x#4"]);
});

test("what was merged on the way is counted", async () => {
  const client = world.make();
  const got = collect(client.subscribe(["a.x", "tickerd.bars.1m.a.x"]));
  const socket = await world.live();
  for (const seq of [3, 4, 9]) tick(socket, "a.x", seq);
  for (const seq of [100, 105]) tick(socket, "tickerd.bars.1m.a.x", seq); // a jump is a time without ticks
  assert.deepEqual(got.map(({ skipped }) => skipped), [0, 0, 4, 0, 0]);
});

test("a direct message is no tick of the room: its seq is its own, and it is not the newest", async () => {
  const client = world.make();
  const got = collect(client.subscribe("rooms.l"));
  const socket = await world.live();
  const letter = (seq, more) => socket.say("message", { topic: "rooms.l", seq, ts: seq, from: "user:a", value: seq, ...more });
  letter(5);
  letter(1, { to: "user:me" });
  letter(2, { to: "user:me" });
  letter(6);
  assert.deepEqual(got.map(({ seq }) => seq), [5, 1, 2, 6]);
  assert.equal(client.latest("rooms.l").seq, 6);
});

test("ready tells what was granted; it rejects if nothing was; failed tells it to the client", async () => {
  const client = world.make();
  const half = client.subscribe(["a.x", "nobody.x"]);
  const none = client.subscribe("nobody.y");
  const socket = await world.greet();
  const [{ data }] = socket.take();
  socket.say("subscribed", {
    id: data.id,
    topics: [{ topic: "a.x", seq: 3, rate: "1s", mode: "latest" }],
    patterns: [],
    failed: [{ topic: "nobody.x", code: 404, message: "there is no feed" }, { topic: "nobody.y", code: 404, message: "there is no feed" }],
  });
  const { topics, failed } = await half.ready;
  assert.deepEqual([topics[0].seq, failed[0].code], [3, 404]);
  await assert.rejects(none.ready, { code: 404, message: "there is no feed" });
  assert.deepEqual(world.told("failed").map(({ topic }) => topic), ["nobody.x", "nobody.y"]);
});

test("who asks for what was refused before is told so, until it is asked for again", async () => {
  const client = world.make();
  client.subscribe("nobody.x");
  const refuse = async (socket) => {
    await settle();
    socket.say("subscribed", { id: socket.take()[0].data.id, topics: [], patterns: [], failed: [{ topic: "nobody.x", code: 404, message: "there is no feed" }] });
  };
  const first = await world.greet();
  await refuse(first);
  await assert.rejects(client.subscribe("nobody.x").ready, { code: 404, message: "there is no feed" });
  const half = client.subscribe(["nobody.x", "a.x"]);
  assert.deepEqual(await world.grant(first), [{ event: "subscribe", topics: ["a.x"] }]);
  assert.deepEqual((await half.ready).failed.map(({ topic }) => topic), ["nobody.x"]);
  first.end(1006);
  await world.pass(400);
  const later = client.subscribe("nobody.x");
  const second = await world.greet();
  const last = client.subscribe("nobody.x");
  await world.grant(second);
  for (const one of [later, last]) assert.equal((await one.ready).topics.length, 1);
});

test("a whole command that is refused is told for each of its topics", async () => {
  const client = world.make();
  const one = client.subscribe("a..x");
  const socket = await world.greet();
  const [{ data }] = socket.take();
  socket.say("error", { id: data.id, code: 400, name: "bad_request", message: "no", temporary: false });
  await assert.rejects(one.ready, { code: 400 });
  assert.equal(world.told("failed")[0].topic, "a..x");
});

test("what fails for a time is asked for again; what is refused is not", async () => {
  const client = world.make();
  const socket = await world.live();
  const refuse = async (name, more) => {
    client.subscribe(name);
    await settle();
    socket.say("error", { id: socket.take()[0].data.id, code: 500, message: "no", ...more });
    await settle();
  };
  await refuse("a.x", { temporary: true });
  await refuse("a.y", { code: 400, temporary: false });
  await world.pass(5_000);
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"] }]);
  await world.pass(5_000);
  assert.deepEqual(await world.grant(socket), []);
});

test("a subscription has room beside a program's commands", async () => {
  const client = world.make();
  const socket = await world.live();
  for (let i = 0; i < 300; i += 1) client.history("a.x").catch(() => {});
  const { ready } = client.subscribe("a.x");
  for (let i = 0; i < 29; i += 1) {
    await world.pass(1_000);
    socket.say("heartbeat", { ts: 1 });
    await world.grant(socket);
  }
  assert.equal((await ready).topics.length, 1);
});

test("what fails on one connection is asked for again on the next", async () => {
  const client = world.make();
  client.subscribe("a.x");
  const socket = await world.greet();
  const [{ data }] = socket.take();
  socket.say("subscribed", { id: data.id, topics: [], patterns: [], failed: [{ topic: "a.x", code: 404, message: "not yet" }] });
  socket.end(1006);
  await world.pass(400);
  await world.live();
  assert.deepEqual(world.asked, [{ event: "subscribe", topics: ["a.x"] }]);
});

test("three thousand topics go out in parts that a server takes", async () => {
  const client = world.make();
  const names = Array.from({ length: 3_000 }, (_, i) => `feed.${"long".repeat(6)}${i}`);
  const one = client.subscribe(names);
  await world.live();
  assert.ok(world.asked.length > 3);
  assert.deepEqual(world.asked.flatMap(({ topics }) => topics), names);
  for (const command of world.asked) {
    assert.ok(command.topics.length <= 1_000);
    assert.ok(JSON.stringify(command).length < 50_000);
  }
  assert.equal((await one.ready).topics.length, 3_000);
});

test("stale and fresh go by the notice, not by ticks", async () => {
  const client = world.make();
  const got = collect(client.subscribe("a.x"));
  const socket = await world.live();
  tick(socket, "a.x", 1);
  socket.say("notice", { type: "stale", feed: "a", topics: ["a.x"], since: 500, max_age_ms: 300 });
  assert.equal(client.latest("a.x").stale, 500);
  tick(socket, "a.x", 2);
  assert.deepEqual(got.map(({ stale }) => stale), [500, 500]);
  socket.say("notice", { type: "fresh", feed: "a", topics: ["a.x"] });
  tick(socket, "a.x", 3);
  assert.equal(got[2].stale, 0);
  assert.deepEqual(world.told("stale"), [{ topics: ["a.x"], since: 500 }, { topics: ["a.x"], since: 0 }]);
});

test("a topic that its feed ended is forgotten, and may begin anew", async () => {
  const client = world.make();
  const got = collect(client.subscribe("a.*"));
  const socket = await world.live();
  tick(socket, "a.x", 5);
  socket.say("notice", { type: "topics", added: [], removed: ["a.x"] });
  assert.equal(client.latest("a.x"), undefined);
  tick(socket, "a.x", 1);
  assert.deepEqual(seqs(got), ["a.x#5", "a.x#1"]);
});

test("a subscribe that says where it was fits into a message, also with long names of a cluster", async () => {
  const long = `feed.${"x".repeat(60)}.${"x".repeat(60)}.${"y".repeat(25)}`;
  const names = Array.from({ length: 400 }, (_, i) => `${long}${1_000 + i}`);
  world.make().subscribe(names, { mode: "all" });
  const cluster = (info) => ({ ...info, epoch: "k3v9q2ta-1-b-1" });
  const first = await world.greet();
  await world.grant(first, cluster);
  await world.pass(500);
  await world.grant(first, cluster);
  for (const name of names) tick(first, name, 4_294_967_303);
  first.end(1006);
  await world.pass(400);
  for (const message_bytes of [65_536, 8_192]) {
    const socket = await world.greet({ limits: { topics: 1_024, patterns: 32, message_bytes } });
    await world.pass(20_000);
    const sent = socket.take();
    assert.deepEqual(sent.flatMap(({ data }) => data.topics), names);
    for (const message of sent) {
      assert.ok(message.data.since);
      assert.ok(JSON.stringify(message).length <= message_bytes, `${JSON.stringify(message).length}`);
    }
    socket.end(1006);
    await world.pass(400);
  }
});

test("no command has more names than the server takes", async () => {
  const client = world.make();
  const names = (letter, count) => Array.from({ length: count }, (_, i) => `a.${letter}${i}`);
  client.subscribe(names("a", 100));
  client.subscribe(names("b", 50));
  const socket = await world.greet({ limits: { topics: 90, patterns: 10, message_bytes: 65_536 } });
  const sizes = socket.take().map(({ data }) => data.topics.length);
  assert.ok(Math.max(...sizes) <= 100, `${sizes}`);
  assert.equal(sizes.reduce((sum, one) => sum + one), 150);
});

test("a rate that is none is refused here, and takes nothing from others", async () => {
  const client = world.make();
  client.subscribe("a.x", { rate: "1s" });
  const socket = await world.live();
  for (const rate of ["5", "0s", "1.5s", "fast", 5]) {
    await assert.rejects(client.subscribe(["a.**", "a.x"], { rate }).ready, /write the rate/);
  }
  await settle();
  assert.deepEqual(socket.take(), []);
  assert.deepEqual(world.told("failed").slice(0, 2).map(({ topic, code }) => [topic, code]), [["a.**", 400], ["a.x", 400]]);
});

test("get: what failed is told, and it rejects where nothing came", async () => {
  const client = world.make();
  const socket = await world.live();
  const failed = [{ topic: "a.typo", code: 404, message: "there is no a.typo" }];
  const none = client.get("a.typo");
  const some = client.get(["a.x", "a.typo"]);
  const [first, second] = socket.take();
  socket.say("values", { id: first.data.id, values: [], failed });
  await assert.rejects(none, { code: 404, message: "there is no a.typo" });
  socket.say("values", { id: second.data.id, values: [{ event: "quote", data: { topic: "a.x", seq: 1, ts: 1, value: 1 } }], failed });
  assert.deepEqual((await some).map(({ topic }) => topic), ["a.x"]);
  assert.equal(world.told("failed").length, 2);
  const later = client.get("a.x");
  socket.say("values", { id: socket.take()[0].data.id, values: [], failed: [{ topic: "a.x", code: 503, message: "not now", temporary: true }] });
  await assert.rejects(later, { code: 503, temporary: true });
});
