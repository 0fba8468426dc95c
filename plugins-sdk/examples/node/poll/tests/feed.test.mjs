// The feed as a process, with this test in tickerd's place.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const FEED = fileURLToPath(new URL("../example-node.mjs", import.meta.url));

function start(config) {
  const child = spawn(process.execPath, [FEED], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const order = (line) => child.stdin.write(`${JSON.stringify(line)}\n`);
  order({ tfp: 1, host: "0.0.0", instance: "test", interval_ms: 1000, topics_max: 10, config });
  return { order, ended, end: () => child.stdin.end(), said: async () => JSON.parse((await lines.next()).value) };
}

test("each poll is answered until it is told to stop", async () => {
  const feed = start({ range_m: 4 });
  assert.equal((await feed.said()).mode, "poll");
  for (let poll = 1; poll <= 3; poll++) {
    feed.order({ poll, deadline_ms: 1000 });
    const { topic, event, data } = await feed.said();
    assert.deepEqual([topic, event], ["harbour", "tide"]);
    assert.ok(Math.abs(data.level_m) <= 2);
    assert.deepEqual(await feed.said(), { done: poll });
  }
  for (const later of [null, "what is this?", [1]]) feed.order(later);
  feed.order({ stop: true });
  assert.equal(await feed.ended, 0);
});

test("the end of input stops it too", async () => {
  const feed = start({});
  await feed.said();
  feed.end();
  assert.equal(await feed.ended, 0);
});

test("a wrong configuration is told", async () => {
  for (const config of [{ range_m: -1 }, { rang: 1 }, { period_s: "long" }, []]) {
    const feed = start(config);
    const said = await feed.said();
    assert.equal(said.fail, "config");
    assert.ok(said.msg);
    assert.equal(await feed.ended, 78);
  }
});
