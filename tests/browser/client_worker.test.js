// The client with its socket in a worker, and the page, which has it so.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openEmpty, stateIs, ticksGoOn, until } from "./bare.js";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays, seqPasses } from "./view.js";

let folder, config, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-worker-"));
  config = join(folder, "tickerd.toml");
  await writeFile(config, '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\ninterval = "100ms"\npoll = "100ms"\n');
  daemon = await startDaemon({ config });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A client whose socket is in a worker from that file; `turns` are how many messages each turn of the page brought. */
async function openWorker(file) {
  const page = await openEmpty(browser.context, daemon.url);
  await page.evaluate(async (file) => {
    const { connect } = await import("/client.js");
    const { socketsIn } = await import("/client/worker.js");
    const worker = new Worker(file);
    globalThis.turns = [];
    worker.addEventListener("message", ({ data: { texts } }) => texts && turns.push(texts.length));
    globalThis.seen = { ticks: 0, jumps: 0, gaps: [], seqs: {} };
    globalThis.client = connect({ WebSocket: socketsIn(worker), flush: "now" });
    client.on("gap", (gap) => seen.gaps.push(gap));
    client.subscribe("sim.*", { mode: "all" }).on("tick", ({ topic, seq }) => {
      seen.ticks += 1;
      if (seq !== (seen.seqs[topic] ?? seq - 1) + 1) seen.jumps += 1;
      seen.seqs[topic] = seq;
    });
  }, file);
  return page;
}

test("every tick comes, in order, and what came while the page was busy comes in one turn", async () => {
  const page = await openWorker("/client/worker_side.js");
  await stateIs(page, "live");
  await ticksGoOn(page, 20);
  assert.equal(page.workers().length, 1);
  const { largest, topics } = await page.evaluate(async () => {
    const before = turns.length;
    const end = performance.now() + 1_000;
    while (performance.now() < end); // as a page does that draws too much
    while (turns.length < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
    return { largest: Math.max(...turns.slice(before)), topics: (await client.topics("sim.*")).length };
  });
  // Ten beats; what the worker had handed over before is a turn of its own.
  assert.ok(largest > 2 * topics, `${largest} messages in the largest turn, of ${topics} topics`);
  await ticksGoOn(page, 20);
  assert.deepEqual(await page.evaluate(() => [seen.jumps, seen.gaps]), [0, []]);
  await page.close();
});

test("the server's close has its code and reason, and the next connection comes by the same worker", async () => {
  const page = await openWorker("/client/worker_side.js");
  await stateIs(page, "live");
  await page.evaluate(() => client.on("status", (status) => status.state === "waiting" && (globalThis.ended ??= status)));
  await daemon.stop();
  await page.waitForFunction(() => globalThis.ended);
  const { code, why } = await page.evaluate(() => ended);
  assert.equal(code, 1012);
  assert.match(why, /^service_restart/);
  daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
  await page.evaluate(() => client.retry());
  await stateIs(page, "live");
  await ticksGoOn(page, 5);
  assert.equal(page.workers().length, 1);
  await page.close();
});

test("where the worker's file is missing, the socket is a common one", async () => {
  const page = await openWorker("/client/no_such.js");
  await stateIs(page, "live");
  await ticksGoOn(page, 5);
  await until("a socket of the page itself", () => page.sockets > 0);
  await page.close();
});

test("the page has its socket in a worker, and without workers it works all the same", async () => {
  const page = await openPage(browser.context, daemon.url);
  await linkSays(page, "Live");
  await seqPasses(page, "sim", 0);
  assert.equal(page.workers().length, 1);
  assert.deepEqual(page.errors, []);
  await page.close();
  const plain = await browser.context.newPage();
  await plain.addInitScript(() => delete globalThis.Worker);
  await plain.goto(daemon.url);
  await linkSays(plain, "Live");
  await seqPasses(plain, "sim", 0);
  assert.equal(plain.workers().length, 0);
  await plain.close();
});
