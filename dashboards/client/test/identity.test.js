// Tokens: when one is asked for, how it is renewed, when to stop, and that nobody sees it.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeSocket, World, settle, tick } from "./world.js";

let world;
beforeEach(() => (world = new World()));
afterEach(() => world.end());

/** A source of tokens that counts, and answers when the test says. */
function source(answers = ["t1", "t2", "t3", "t4", "t5"]) {
  const asked = [];
  const token = async ({ reason }) => {
    asked.push(reason);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { token, asked };
}

/** Takes the `auth` that a connection sent, and answers it. */
async function identify(socket, { user = "ann", expires_in_ms = undefined } = {}) {
  await settle();
  const [auth] = socket.take().filter(({ event }) => event === "auth");
  socket.say("authenticated", { id: auth.data.id, user, expires_in_ms });
  await settle();
  return auth.data.token;
}

async function refuse(socket, code = 401, more = {}) {
  await settle();
  const [auth] = socket.take().filter(({ event }) => event === "auth");
  socket.say("error", { id: auth.data.id, code, name: "x", message: "token_expired: over", temporary: false, ...more });
  await settle();
}

test("the token is got before the connection, said first, and what is wanted follows", async () => {
  const { token, asked } = source();
  const client = world.make({ token });
  client.subscribe("a.x");
  const socket = await world.greet();
  assert.deepEqual(asked, ["connect"]);
  assert.equal(client.status.state, "connecting");
  assert.equal(await identify(socket), "t1");
  assert.equal(client.status.state, "live");
  assert.equal(client.user, "ann");
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["a.x"] }]);
});

test("a cookie or a certificate that says who one is, before the token: the token has its own answer", async () => {
  const client = world.make({ token: "one" });
  const socket = await world.greet();
  socket.say("authenticated", { user: "ann" });
  assert.deepEqual([client.status.state, client.user], ["connecting", "ann"]);
  await identify(socket);
  assert.equal(client.status.state, "live");
  client.close();
  const { token, asked } = source();
  world.make({ token });
  for (const state of ["waiting", "stopped"]) {
    const other = await world.greet();
    other.say("authenticated", { user: "ann" });
    await refuse(other);
    assert.equal(world.client.status.state, state);
    await world.pass(400);
  }
  assert.deepEqual(asked, ["connect", "refused"]);
});

test("a good token is used again after a lost connection, without asking", async () => {
  const { token, asked } = source();
  world.make({ token });
  await identify(await world.greet());
  FakeSocket.last.end(1006);
  await world.pass(400);
  assert.equal(await identify(await world.greet()), "t1");
  assert.deepEqual(asked, ["connect"]);
});

test("none to be had connects without; an empty one stops; an error waits and tries again", async () => {
  const client = world.make({ token: async () => null });
  await world.live();
  assert.equal(client.status.state, "live");
  client.close();
  world.make({ token: () => "" });
  await settle();
  assert.equal(world.client.status.state, "stopped");
  assert.equal(world.client.status.code, 4001);
  world.client.close();
  const { token, asked } = source([new Error("no network"), new Error("no network"), "t1"]);
  const made = FakeSocket.made.length;
  world.make({ token });
  await settle();
  assert.equal(world.client.status.state, "waiting");
  assert.equal(world.client.status.why, "no network");
  assert.equal(FakeSocket.made.length, made);
  await world.pass(400);
  await world.pass(600);
  assert.equal(await identify(await world.greet()), "t1");
  assert.deepEqual(asked, ["connect", "connect", "connect"]);
});

test("auth_expiring: the next one is said on the same connection, once", async () => {
  const { token, asked } = source();
  world.make({ token });
  const socket = await world.greet();
  await identify(socket);
  await world.grant(socket);
  for (let i = 0; i < 3; i += 1) socket.say("notice", { type: "auth_expiring", in_ms: 40_000 });
  await settle();
  assert.equal(await identify(socket), "t2");
  assert.deepEqual(asked, ["connect", "expiring"]);
  assert.deepEqual(world.told("expiring").length, 3);
  assert.equal(FakeSocket.made.length, 1);
});

test("a next token that cannot be got is asked for again, while the old one holds", async () => {
  const { token, asked } = source(["t1", new Error("busy"), new Error("busy"), "t2"]);
  world.make({ token });
  const socket = await world.greet();
  await identify(socket);
  socket.say("notice", { type: "auth_expiring", in_ms: 40_000 });
  await settle();
  await world.pass(5_000);
  await world.pass(5_000);
  assert.equal(await identify(socket), "t2");
  assert.deepEqual(asked, ["connect", "expiring", "expiring", "expiring"]);
  assert.equal(world.client.status.state, "live");
});

test("a late answer of an older connection is not sent on the new one", async () => {
  const waiting = [];
  world.make({ token: ({ reason }) => (reason === "connect" && waiting.length === 0 ? "t1" : new Promise((resolve) => waiting.push(resolve))) });
  const first = await world.greet();
  await identify(first);
  first.say("notice", { type: "auth_expiring", in_ms: 40_000 });
  await settle();
  first.end(1006);
  await world.pass(400);
  const second = await world.greet();
  assert.equal(second.sent.filter(({ event }) => event === "auth").length, 1);
  waiting[0]("t2");
  await settle();
  assert.deepEqual(second.sent.filter(({ event }) => event === "auth").map(({ data }) => data.token), ["t1"]);
  assert.equal(waiting.length, 1);
});

test("an ended token is asked for once, and the client comes back", async () => {
  const { token, asked } = source();
  world.make({ token });
  const first = await world.greet();
  await identify(first);
  first.end(4103, "token_expired");
  await world.pass(400);
  assert.equal(await identify(await world.greet()), "t2");
  assert.deepEqual(asked, ["connect", "expired"]);
});

test("a refused token is asked for once more; two in a row, and it stops", async () => {
  for (const how of [(socket) => refuse(socket), async (socket) => socket.end(4001, "token_revoked"), async (socket) => socket.end(4008, "auth_timeout")]) {
    const { token, asked } = source();
    world.make({ token });
    await how(await world.greet());
    assert.equal(world.client.status.state, "waiting");
    await world.pass(1_000);
    await how(await world.greet());
    assert.equal(world.client.status.state, "stopped");
    assert.match(world.client.status.todo, /token/);
    assert.deepEqual(asked, ["connect", "refused"]);
    await world.pass(600_000);
    assert.deepEqual(asked, ["connect", "refused"]);
    world.client.close();
  }
});

test("a refusal is forgotten once a token was taken", async () => {
  const { token } = source();
  world.make({ token });
  await refuse(await world.greet());
  for (let i = 0; i < 3; i += 1) {
    await world.pass(1_000);
    const socket = await world.greet();
    await identify(socket);
    await world.pass(10_000);
    socket.end(4001, "token_revoked");
    assert.equal(world.client.status.state, "waiting", `time ${i}`);
  }
});

test("a token as text that is refused or ends stops, and says what helps", async () => {
  for (const end of [(socket) => refuse(socket), async (socket) => socket.end(4001, "x"), async (socket) => socket.end(4103, "x")]) {
    world.make({ token: "secret" });
    await end(await world.greet());
    assert.deepEqual([world.client.status.state, world.client.status.todo], ["stopped", "give another token"]);
    assert.doesNotMatch(JSON.stringify(world.client.status), /secret/);
    world.client.close();
  }
});

test("a server that cannot look at tokens now is asked again", async () => {
  world.make({ token: "secret" });
  await refuse(await world.greet(), 500, { temporary: true });
  assert.equal(world.client.status.state, "waiting");
});

test("a server that asks nobody who they are is used as it is", async () => {
  world.make({ token: "secret" });
  await refuse(await world.greet(), 405);
  assert.equal(world.client.status.state, "live");
});

test("setIdentity(null): token, values and positions go; handlers and subscriptions stay", async () => {
  const { token, asked } = source();
  const client = world.make({ token });
  const got = [];
  client.subscribe("a.all", { mode: "all" }).on("tick", ({ seq }) => got.push(seq));
  const first = await world.greet();
  await identify(first);
  await world.grant(first);
  tick(first, "a.all", 5);
  client.setIdentity(null);
  assert.equal(client.latest("a.all"), undefined);
  assert.equal(client.user, undefined);
  assert.equal(first.readyState, 3);
  const second = await world.live();
  assert.deepEqual(world.asked, [{ event: "subscribe", topics: ["a.all"], mode: "all" }]);
  tick(second, "a.all", 5);
  assert.deepEqual(got, [5, 5]);
  assert.deepEqual(asked, ["connect"]);
  assert.equal(second.sent.filter(({ event }) => event === "auth").length, 0);
});

test("setIdentity with the next token of the same user interrupts nothing, and asks again for what failed", async () => {
  const client = world.make({ token: "one" });
  client.subscribe(["a.x", "rooms.desk"]);
  const socket = await world.greet();
  await identify(socket);
  const [{ data }] = socket.take();
  socket.say("subscribed", { id: data.id, topics: [{ topic: "a.x", seq: 0, mode: "latest" }], patterns: [], failed: [{ topic: "rooms.desk", code: 403, message: "no" }] });
  await settle();
  client.setIdentity("two");
  assert.equal(await identify(socket), "two");
  assert.deepEqual(await world.grant(socket), [{ event: "subscribe", topics: ["rooms.desk"] }]);
  assert.equal(FakeSocket.made.length, 1);
});

test("setIdentity with another user's token connects anew", async () => {
  const client = world.make({ token: "ann" });
  const first = await world.greet();
  await identify(first);
  client.setIdentity("bob");
  await refuse(first, 409);
  assert.equal(first.readyState, 3);
  assert.equal(await identify(await world.greet(), { user: "bob" }), "bob");
  assert.equal(client.user, "bob");
});

test("logged out while a token is on its way: it is dropped", async () => {
  let answer;
  let signal;
  const client = world.make({
    token: (about) => {
      ({ signal } = about);
      return new Promise((resolve) => (answer = resolve));
    },
  });
  await settle();
  client.setIdentity(null);
  assert.equal(signal.aborted, true);
  answer("late");
  const socket = await world.live();
  assert.equal(client.status.state, "live");
  assert.equal(socket.sent.filter(({ event }) => event === "auth").length, 0);
});

test("rights that a new token lacks are told", async () => {
  const client = world.make({ token: "one" });
  client.subscribe(["a.x", "b.*"]);
  const socket = await world.greet();
  await identify(socket);
  await world.grant(socket);
  socket.say("notice", { type: "revoked", topics: ["a.x"], patterns: ["b.*"] });
  assert.deepEqual(world.told("failed").map(({ topic, pattern, code }) => [topic ?? pattern, code]), [["a.x", 403], ["b.*", 403]]);
});

test("a token is shown to nobody who looks at the messages", async () => {
  const client = world.make({ token: "secret" });
  const seen = [];
  client.on("message", (message) => seen.push(message));
  await identify(await world.greet());
  assert.ok(seen.some(({ out, event }) => out && event === "auth"));
  assert.doesNotMatch(JSON.stringify(seen), /secret/);
});

test("HTTP requests carry the token, to the same server", async () => {
  const calls = [];
  const fetch = async (url, init) => (calls.push([String(url), init.headers.get("authorization"), init.method]), new Response("{}"));
  const client = world.make({ token: "secret", fetch });
  await client.http("v1/feeds");
  await client.http("v1/ticket", { method: "POST" });
  client.setIdentity(null);
  await client.http("v1/feeds");
  assert.deepEqual(calls, [["http://server/v1/feeds", "Bearer secret", undefined], ["http://server/v1/ticket", "Bearer secret", "POST"], ["http://server/v1/feeds", null, undefined]]);
});

test("after setIdentity commands wait until the server has taken the token: none is done as the user before", async () => {
  const client = world.make({ token: "ann" });
  const first = await world.greet();
  await identify(first);
  client.setIdentity("bob");
  const published = client.publish("rooms.x", "I am bob");
  await settle();
  assert.deepEqual(first.sent.map(({ event }) => event).filter((event) => event !== "ping"), ["auth"]);
  await refuse(first, 409);
  const second = await world.greet();
  assert.equal(await identify(second, { user: "bob" }), "bob");
  const [{ event, data }] = second.take();
  assert.equal(event, "publish");
  second.say("published", { id: data.id, topic: "rooms.x", seq: 1 });
  assert.equal((await published).seq, 1);
  client.setIdentity("bob2");
  const again = client.publish("rooms.x", "as before");
  assert.equal(await identify(second, { user: "bob" }), "bob2");
  second.say("published", { id: second.take()[0].data.id, topic: "rooms.x", seq: 2 });
  assert.equal((await again).seq, 2);
});

test("of two tokens in a row each has its own answer", async () => {
  const client = world.make({ token: "ann" });
  const first = await world.greet();
  await identify(first);
  client.setIdentity("ann2");
  client.setIdentity("bob");
  const [one, two] = first.take();
  first.say("authenticated", { id: one.data.id, user: "ann" });
  first.say("error", { id: two.data.id, code: 409, message: "another user's", temporary: false });
  await settle();
  assert.deepEqual([first.readyState, world.told("error")], [3, []]);
  assert.equal(await identify(await world.greet(), { user: "bob" }), "bob");
  assert.equal(client.user, "bob");
});

test("retry() after two refusals asks for another token, and counts anew", async () => {
  const { token, asked } = source();
  const client = world.make({ token });
  for (let i = 0; i < 2; i += 1) {
    await refuse(await world.greet());
    await world.pass(1_000);
  }
  assert.equal(client.status.state, "stopped");
  client.retry();
  await refuse(await world.greet());
  assert.equal(client.status.state, "waiting");
  await world.pass(1_000);
  assert.equal(await identify(await world.greet()), "t4");
  assert.deepEqual(asked, ["connect", "refused", "refused", "refused"]);
});

test("a server that does not answer auth is left after 30 s, first or on a live connection", async () => {
  const client = world.make({ token: "ann" });
  const beat = async (socket, times) => {
    for (let i = 0; i < times; i += 1) {
      socket.say("heartbeat", {});
      await world.pass(10_000);
    }
  };
  const first = await world.greet();
  await beat(first, 3);
  assert.deepEqual([client.status.state, client.status.why], ["waiting", "no answer"]);
  await world.pass(400);
  const second = await world.greet();
  await identify(second);
  await beat(second, 4);
  assert.equal(client.status.state, "live");
  client.setIdentity("ann2");
  await beat(second, 3);
  assert.deepEqual([client.status.state, client.status.why], ["waiting", "no answer"]);
});

test("another user's token that was set while the connection was lost: nothing of the user before is left", async () => {
  const client = world.make({ token: "ann" });
  client.subscribe("rooms.a", { mode: "all" });
  const first = await world.greet();
  await identify(first);
  await world.grant(first);
  tick(first, "rooms.a", 5);
  client.setIdentity("bob");
  first.end(1006);
  await world.pass(400);
  await identify(await world.greet(), { user: "bob" });
  assert.equal(client.latest("rooms.a"), undefined);
  const last = await world.greet();
  await identify(last, { user: "bob" });
  assert.deepEqual([client.user, client.status.state], ["bob", "live"]);
  assert.deepEqual(await world.grant(last), [{ event: "subscribe", topics: ["rooms.a"], mode: "all" }]);
});
