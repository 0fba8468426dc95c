// A part that every client needs comes later than the core, or at first not at all: copies of the client that have loaded nothing yet.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

const HELLO = { v: 1, epoch: "e1", heartbeat_ms: 15_000 };

let folder, client, made;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tickerd-late-"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  cpSync(fileURLToPath(new URL("../src", import.meta.url)), join(folder, "src"), { recursive: true });
});
afterEach(() => {
  client.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Lets in whoever connects at once, and tells of a topic in the same breath: no file is read meanwhile. */
class EagerSocket {
  readyState = 1;

  set onmessage(hear) {
    const say = (event, data) => hear({ data: JSON.stringify({ event, data }) });
    if (!hear) return;
    queueMicrotask(() => {
      say("connected", HELLO);
      say("notice", { type: "topics", added: ["a.new"], removed: [] });
      made();
    });
  }

  send() {}
  close() {}
}

/** The next socket, once it has said all that. */
const next = () => new Promise((resolve) => (made = resolve));

async function start() {
  const { connect } = await import(join(folder, "src/index.js"));
  const told = [];
  const first = next();
  client = connect("ws://server/ws", { WebSocket: EagerSocket });
  client.on("topics", ({ added }) => told.push(...added));
  await first;
  return told;
}

test("the first notices are told, though what tells them is not here yet", async () => {
  const told = await start();
  assert.deepEqual(told, ["a.new"]);
});

test("where it cannot be loaded the client connects, and the next connection has it", async () => {
  const [here, away] = [join(folder, "src/life.js"), join(folder, "life.js")];
  renameSync(here, away);
  const told = await start();
  assert.deepEqual([client.status.state, told], ["live", []]);
  renameSync(away, here);
  for (const topics of [["a.new"], ["a.new", "a.new"]]) {
    const second = next();
    client._link.lost(1006, "gone");
    client.retry();
    await second;
    assert.deepEqual(told, topics); // told once each time
  }
});
