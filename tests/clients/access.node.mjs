// Node's own WebSocket and fetch over TLS, with tokens; see access.py.
import assert from "node:assert/strict";
import { come, leave } from "./member.mjs";

const { TICKERD_ADDRESS: host, TICKERD_USER: user, TICKERD_WALL: wall, TICKERD_PUBLISHER: publisher } = process.env;

await come({ host, user, wall, publisher, ways: ["subprotocol", "ticket", "message"] });
// An event stream too: the token goes with the request.
const stream = await fetch(`https://${host}/v1/sse?topics=sim.AAPL`, { headers: { Authorization: `Bearer ${user}` } });
assert.equal(stream.status, 200);
console.log("ready");
const { ends, back, statuses } = await leave({ user });
for (const { way, code, reason } of ends) {
  assert.equal(code, 4001, way);
  assert.match(reason, /token_revoked/);
}
for (const { way, code, got } of back) {
  // Without an Origin a refused handshake gets 401, which Node shows as 1006.
  assert.equal(code, way === "message" ? 4001 : 1006, way);
  assert.deepEqual(got, [], way);
}
assert.deepEqual(statuses, [401, 401]);
let ended = "";
for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) ended = piece;
console.log(`Node was seen off, and so was its event stream: ${ended.length} bytes at its end`);
process.exit(0);
