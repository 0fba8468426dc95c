// How ticks reach a program: loops, handlers, frames of a page, and the ends of all of them.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import { verifier } from "../src/verify.js";
import { FakeSocket, World, settle, tick } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

const collect = (one) => {
  const ticks = [];
  one.on("tick", (it) => ticks.push(it));
  return ticks;
};
const seqs = (ticks) => ticks.map(({ topic, seq }) => `${topic}#${seq}`);

test("a loop gets ticks, and its end ends the subscription", async () => {
  const client = world.make();
  const one = client.subscribe("a.x", { mode: "all" });
  const got = [];
  const loop = (async () => {
    for await (const it of one) if (got.push(it.seq) === 3) break;
  })();
  const socket = await world.live();
  for (const seq of [1, 2, 3, 4]) tick(socket, "a.x", seq);
  await loop;
  assert.deepEqual(got, [1, 2, 3]);
  assert.equal(one.isClosed, true);
  assert.deepEqual(await world.grant(socket), [{ event: "unsubscribe", topics: ["a.x"] }]);
});

test("whoever asks for the next tick while others wait gets one too, or hears of the end", async () => {
  const one = world.make().subscribe("a.x", { mode: "all" });
  const loop = one[Symbol.asyncIterator]();
  const asked = Array.from({ length: 4 }, () => loop.next());
  const socket = await world.live();
  for (const seq of [1, 2]) tick(socket, "a.x", seq);
  one.close();
  const said = await Promise.all(asked);
  assert.deepEqual(said.map(({ value, done }) => [value?.seq, done]), [[1, false], [2, false], [undefined, true], [undefined, true]]);
});

test("a loop that is slow gets the newest, and knows how many it missed", async () => {
  const client = world.make();
  const loop = client.subscribe("a.x")[Symbol.asyncIterator]();
  const socket = await world.live();
  for (const seq of [1, 2, 3, 4]) tick(socket, "a.x", seq);
  const { value } = await loop.next();
  assert.deepEqual([value.seq, value.skipped], [4, 3]);
});

test("a loop that is slow and wants all has room for 10,000; what is more is told", async () => {
  const client = world.make();
  const one = client.subscribe("a.x", { mode: "all" });
  const gaps = [];
  one.on("gap", (gap) => gaps.push(gap));
  const loop = one[Symbol.asyncIterator]();
  const socket = await world.live();
  for (let seq = 1; seq <= 10_001; seq += 1) tick(socket, "a.x", seq);
  await settle();
  assert.deepEqual(gaps, [{ topics: ["a.x"], recovered: false, why: "overflow" }]);
  assert.deepEqual(world.told("lag"), [{ by: "reader", skipped: 5_000 }]);
  assert.equal((await loop.next()).value.seq, 5_001);
});

test("closing a subscription ends its loop and its signal ends both", async () => {
  const client = world.make();
  const control = new AbortController();
  const one = client.subscribe("a.x", { signal: control.signal });
  await world.live();
  const end = (async () => {
    for await (const it of one) assert.fail(it.topic);
  })();
  control.abort();
  await end;
  assert.equal(client.subscribe("a.y", { signal: AbortSignal.abort() }).isClosed, true);
  await assert.rejects(one.ready.then(() => client.subscribe("a.z", { signal: AbortSignal.abort() }).ready), { name: "AbortError" });
});

test("a signal that lives long keeps nothing of what has ended", async () => {
  const client = world.make();
  const socket = await world.live();
  const { signal } = new AbortController();
  for (let i = 0; i < 100; i += 1) client.subscribe("a.x", { signal }).close();
  const asked = client.history("a.x", { signal });
  await settle();
  const [{ data }] = socket.take().filter(({ event }) => event === "history");
  socket.say("history", { id: data.id, topic: "a.x", values: [] });
  await asked;
  for (let i = 0; i < 100; i += 1) client.on("tick", () => {}, { signal })();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a handler that throws stops no other", async () => {
  const client = world.make();
  const one = client.subscribe("a.x");
  const failures = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => failures.push(error.message));
  one.on("tick", () => {
    throw new Error("of the program");
  });
  const got = collect(one);
  const socket = await world.live();
  tick(socket, "a.x", 1);
  await settle();
  for (const listener of before) process.on("uncaughtException", listener);
  assert.equal(got.length, 1);
  assert.deepEqual(failures, ["of the program"]);
});

test("a handler ends by its function and by its signal", async () => {
  const client = world.make();
  const one = client.subscribe("a.x");
  const control = new AbortController();
  let calls = 0;
  const off = one.on("tick", () => (calls += 1));
  one.on("tick", () => (calls += 1), { signal: control.signal });
  const socket = await world.live();
  tick(socket, "a.x", 1);
  off();
  tick(socket, "a.x", 2);
  control.abort();
  tick(socket, "a.x", 3);
  assert.equal(calls, 3);
});

test("in a page ticks come once per frame: of a state the newest, of events all", async () => {
  world.page();
  const client = world.make();
  const got = collect(client.subscribe(["a.x", "a.trades", "b.*"]));
  const all = collect(client.subscribe("b.e", { mode: "all" }));
  const whole = collect(client);
  const socket = await world.greet();
  await world.grant(socket, (info) => ({ ...info, mode: info.topic === "a.trades" ? "all" : info.mode }));
  for (const seq of [1, 2, 3]) for (const topic of ["a.x", "a.trades", "b.s", "b.e"]) tick(socket, topic, seq);
  assert.deepEqual(got, []);
  world.frame();
  const of = (ticks, topic) => ticks.filter((it) => it.topic === topic).map(({ seq }) => seq);
  assert.deepEqual([of(got, "a.x"), of(got, "a.trades"), of(got, "b.s"), of(got, "b.e")], [[3], [1, 2, 3], [1, 2, 3], [1, 2, 3]]);
  assert.deepEqual(of(all, "b.e"), [1, 2, 3]);
  for (const seq of [4, 5]) for (const topic of ["a.x", "b.s", "b.e"]) tick(socket, topic, seq);
  world.frame();
  assert.deepEqual([of(got, "a.x"), of(got, "b.s"), of(got, "b.e")], [[3, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]);
  assert.equal(got.findLast(({ topic }) => topic === "a.x").skipped, 1);
  assert.deepEqual(of(all, "b.e"), [1, 2, 3, 4, 5]);
  assert.deepEqual(of(whole, "b.e"), [1, 2, 3, 4, 5]);
});

test("hidden: once a second, and slower on the wire after a while; shown again at once", async () => {
  world.page();
  const client = world.make({ rate: "1s" });
  const got = collect(client.subscribe("a.x"));
  client.subscribe("a.all", { mode: "all" });
  const socket = await world.live();
  world.hide(true);
  tick(socket, "a.x", 1);
  tick(socket, "a.x", 2);
  await world.pass(1_000);
  assert.deepEqual(seqs(got), ["a.x#2"]);
  await world.pass(4_500);
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "5s" }]);
  tick(socket, "a.x", 3);
  world.hide(false);
  assert.deepEqual(seqs(got), ["a.x#2", "a.x#3"]);
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"], rate: "1s" }]);
});

test("frames that a browser holds back do not hold ticks back for ever", async () => {
  world.page();
  const client = world.make();
  const got = collect(client.subscribe("a.x"));
  const socket = await world.live();
  tick(socket, "a.x", 1);
  await world.pass(1_000);
  assert.deepEqual(seqs(got), ["a.x#1"]);
});

test("closing a client closes its subscriptions", async () => {
  const client = world.make();
  const one = client.subscribe("a.x");
  await world.live();
  await client[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
  assert.equal(one.isClosed, true);
  assert.equal(FakeSocket.last.readyState, 3);
});

test("of a tick that comes without its message it cannot be known who signed it", async () => {
  const verify = verifier(world.make());
  assert.equal(await verify({ text: "" }), undefined);
  assert.equal(await verify({ text: '{"event":"quote","data":{"topic":"a.x","seq":1,"ts":1,"value":1}}' }), false);
});

test("a handler that comes while ticks wait for the frame begins with the newest, and the others have had them", async () => {
  world.page();
  const sub = world.make().subscribe("a.x", { mode: "all" });
  const first = collect(sub);
  const socket = await world.live();
  for (let i = 1; i <= 3; i += 1) tick(socket, "a.x", i);
  const second = collect(sub);
  await settle();
  tick(socket, "a.x", 4);
  world.frame();
  assert.deepEqual([seqs(first), seqs(second)], [["a.x#1", "a.x#2", "a.x#3", "a.x#4"], ["a.x#3", "a.x#4"]]);
});

test("a signature by a known key is proved also after other keys could not be fetched", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" });
  const made = (kid) => {
    const said = '{"event":"quote","data":{"topic":"a.x","seq":1,"ts":1,"value":1';
    return { text: `${said},"sig":"${sign(null, Buffer.from(`${said}}}`), privateKey).toString("base64url")}","kid":"${kid}"}}` };
  };
  const [known, unknown] = ["k".repeat(43), "u".repeat(43)];
  const answers = [{ json: async () => ({ keys: [{ kid: known, kty: "OKP", crv: "Ed25519", x }] }) }];
  const verify = verifier({
    http: async () => {
      if (!answers[0]) throw new Error("no network");
      return answers.shift();
    },
  });
  assert.equal(await verify(made(known)), true);
  await world.pass(20_000);
  assert.equal(await verify(made(unknown)), undefined);
  assert.equal(await verify(made(known)), true);
});
