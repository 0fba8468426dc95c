// A token that ends soon: one connection renews it in band and stays, the other is closed with 4103; see access.py. The tokens
// are signed here, by Node's own crypto.
import assert from "node:assert/strict";
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const { TICKERD_ADDRESS: host, TICKERD_ISSUER_KEY } = process.env;
const key = createPrivateKey(readFileSync(TICKERD_ISSUER_KEY));

function token(life, user = "eve") {
  const now = Math.floor(Date.now() / 1000);
  const tickerd = { groups: ["readers"] };
  const claims = { iss: "https://login.example.org/", aud: "tickerd", sub: user, iat: now, exp: now + life, tickerd };
  const text = [{ alg: "EdDSA", kid: "of-the-tests" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${sign(null, Buffer.from(text), key).toString("base64url")}`;
}

/** A connection that follows a topic, and how many ticks it got. */
async function connect(first) {
  const socket = new WebSocket(`wss://${host}/ws?topics=sim.AAPL`, ["tickerd.v1.json", `bearer.${Buffer.from(first).toString("base64url")}`]);
  const came = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    came.push(JSON.parse(data));
    wake();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = resolve;
    // Node 20 tells of a refused handshake by this alone.
    socket.onerror = () => resolve({ code: 1006, reason: "" });
  });
  const next = async (is, from = 0) => {
    for (let at = from; ; at++) {
      while (at >= came.length) {
        await Promise.race([
          new Promise((resolve) => (wake = resolve)),
          closed.then(({ code }) => Promise.reject(new Error(`closed with ${code}: ${JSON.stringify(came)}`))),
        ]);
      }
      if (is(came[at])) return came[at];
    }
  };
  return { socket, came, closed, next, say: (event, data) => socket.send(JSON.stringify({ event, data })) };
}
const isTick = ({ data }) => data.topic === "sim.AAPL" && "value" in data;

const soon = token(5);
const [renews, ends] = [await connect(soon), await connect(soon)];
for (const one of [renews, ends]) {
  await one.next(isTick);
  const { data } = await one.next(({ event, data }) => event === "notice" && data.type === "auth_expiring");
  // The server's clock may be 5 s behind the issuer's.
  assert.ok(data.in_ms <= 10_000, JSON.stringify(data));
}
// A token of another user is for another connection.
renews.say("auth", { id: "other", token: token(3600, "mallory") });
assert.equal((await renews.next(({ data }) => data.id === "other")).data.code, 409);
renews.say("auth", { id: "renew", token: token(3600) });
const { event, data } = await renews.next(({ data }) => data.id === "renew");
assert.deepEqual([event, data.user], ["authenticated", "eve"]);
assert.ok(data.expires_in_ms > 3_000_000, JSON.stringify(data));

const { code, reason } = await ends.closed;
assert.deepEqual([code, reason.split(":")[0]], [4103, "token_expired"]);
// The other has gone on without a new subscription.
await renews.next(isTick, renews.came.length);
assert.equal(renews.came.filter(({ event }) => event === "subscribed").length, 1);
// The old token opens nothing any more.
const late = await connect(soon);
assert.equal((await late.closed).code, 1006);
renews.socket.close();
await renews.closed;
console.log("a renewed token keeps its connection, and one that ended is closed with 4103");
process.exit(0);
