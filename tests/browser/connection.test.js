// When the page's connection tries again, as plain functions: its socket, clock and chance are the test's.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { Connection } from "../../dashboards/web/src/link/connection.js";
import { RETRY_MAX_MS, RETRY_SEEN_MS } from "../../dashboards/web/src/link/retry.js";

const real = { random: Math.random, now: performance.now, setTimeout, clearTimeout };
let sockets, now, connection;

class Socket {
  static OPEN = 1;
  readyState = 0;
  constructor() {
    sockets.push(this);
  }
  close() {}
  open() {
    this.readyState = Socket.OPEN;
    this.onopen();
  }
  hear(event, data = {}) {
    this.onmessage({ data: JSON.stringify({ event, data }) });
  }
}

beforeEach(() => {
  sockets = [];
  now = 1_000_000;
  Math.random = () => 1; // the longest wait that chance allows
  performance.now = () => now;
  globalThis.setTimeout = () => 1;
  globalThis.clearTimeout = () => {};
  globalThis.WebSocket = Socket;
  globalThis.addEventListener = () => {};
  globalThis.document = { hidden: false, addEventListener() {} };
  connection = new Connection("ws://test/ws");
  connection.start();
});
after(() => {
  Math.random = real.random;
  performance.now = real.now;
  Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
});

/** One more try: as far as it comes, for how long, and how it ends; gives the wait that follows. */
function attempt({ opens = true, connected = false, livesMs = 0, code = 1006, reason = "" } = {}) {
  connection.retryNow();
  const socket = sockets.at(-1);
  if (opens) socket.open();
  if (connected) socket.hear("connected", { heartbeat_ms: 15_000 });
  now += livesMs;
  socket.onclose({ code, reason });
  return connection.state.until - now;
}
const grow = () => Array.from({ length: 9 }, () => attempt({ opens: false })).at(-1);

test("`connected` ends the back-off, also of a connection that was lost at once", () => {
  assert.equal(grow(), RETRY_SEEN_MS);
  assert.equal(attempt({ connected: true }), 500);
});

test("an open socket alone does not: a server may open it only to say why it refuses", () => {
  assert.equal(grow(), RETRY_SEEN_MS);
  assert.equal(attempt({ opens: true }), RETRY_SEEN_MS);
});

test("a server that lets in and sends away is asked less and less often, and no less so while one looks", () => {
  for (const code of [4100, 4102, 4200, 1012]) {
    let wait;
    for (let i = 0; i < 12; i += 1) wait = attempt({ connected: true, code });
    assert.equal(wait, RETRY_MAX_MS, `after ${code}`);
    assert.equal(attempt({ connected: true, livesMs: 60_000 }), 500, `after ${code} and a minute of life`);
  }
});

test("a wait is short while somebody looks at the page, and long while it is hidden", () => {
  assert.ok(RETRY_SEEN_MS < RETRY_MAX_MS);
  assert.equal(grow(), RETRY_SEEN_MS);
  document.hidden = true;
  assert.equal(grow(), RETRY_MAX_MS);
});

test("40xx stops with its reason, whether `connected` came or not", () => {
  for (const connected of [false, true]) {
    attempt({ connected, code: 4000, reason: "bad_request: name" });
    assert.deepEqual(connection.state, { name: "stopped", code: 4000, reason: "bad_request: name" });
  }
});

test("tries that do not open are counted, in a row", () => {
  for (const opens of [false, false, true, false, false, false]) attempt({ opens });
  assert.equal(connection.state.unopened, 3);
  attempt({ opens: true });
  assert.equal(connection.state.unopened, 0);
});
