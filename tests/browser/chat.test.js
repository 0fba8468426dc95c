// The example chat page, served from another origin, against the real daemon.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

const PAGE = new URL("../../dashboards/examples/chat.html", import.meta.url);
let folder, files, origin, daemon, browser;

before(async () => {
  files = createServer(async (_, answer) => {
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end(await readFile(PAGE));
  }).listen(0, "127.0.0.1");
  await once(files, "listening");
  origin = `http://127.0.0.1:${files.address().port}`;
  folder = await mkdtemp(join(tmpdir(), "tickerd-chat-"));
  // As the page's own head says, with this test's origin.
  const head = (await readFile(PAGE, "utf8")).split("-->", 1)[0];
  const toml = head
    .slice(head.indexOf("[server]"), head.indexOf("python3"))
    .replace("http://localhost:8000", origin);
  const config = join(folder, "tickerd.toml");
  await writeFile(config, toml);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  files?.close();
  await rm(folder, { recursive: true, force: true });
});

async function enter(name) {
  const page = await openPage(browser.context, `${origin}/?name=${name}&server=ws://127.0.0.1:${daemon.port}/ws`);
  await page.waitForFunction(() => document.getElementById("link").textContent === "online");
  return page;
}

async function say(page, text) {
  await page.fill("input", text);
  await page.click("form button");
}

function hears(page, text) {
  return page.waitForFunction(
    (text) => [...document.querySelectorAll("#said li")].some((line) => line.textContent.includes(text)),
    text,
  );
}

const lines = (page) => page.$$eval("#said li", (all) => all.map((line) => line.textContent));

test("people meet, talk to all and to one, and find what they missed", async () => {
  const ann = await enter("ann");
  const bob = await enter("bob");
  const eve = await enter("eve");
  await Promise.all([ann, bob, eve].map((page) => page.waitForFunction(() => document.getElementById("count").textContent === "3")));
  assert.deepEqual(await ann.$$eval("#people button", (all) => all.map((one) => one.textContent)), ["ann (you)", "bob", "eve"]);

  await say(ann, "hello <b>all</b>");
  await Promise.all([ann, bob, eve].map((page) => hears(page, "annhello <b>all</b>")));
  assert.equal(await bob.$("#said li b b"), null, "what people write is text");

  await ann.click("#people button:text-is('bob')");
  await say(ann, "only you");
  await hears(bob, "annonly you");
  await hears(ann, "to bobonly you");
  await say(bob, "fence");
  await hears(eve, "bobfence");
  assert.ok(!(await lines(eve)).some((line) => line.includes("only you")));
  await ann.screenshot({ path: new URL("out/chat.png", import.meta.url).pathname });

  // Bob is away, and comes back on the same page.
  await bob.evaluate(() => {
    const close = WebSocket.prototype.close;
    WebSocket.prototype.send = ((send) => function (...said) {
      globalThis.open = this;
      return send.apply(this, said);
    })(WebSocket.prototype.send);
    globalThis.leave = () => close.call(globalThis.open);
  });
  await say(bob, "brb");
  await hears(eve, "bobbrb");
  await bob.evaluate(() => {
    globalThis.setTimeout = (comeBack) => (globalThis.comeBack = comeBack);
    globalThis.leave();
  });
  await ann.waitForFunction(() => document.getElementById("count").textContent === "2");
  await say(ann, "you there?");
  await hears(ann, "the message waits");
  await say(eve, "while you were away");
  await hears(ann, "evewhile you were away");
  await bob.evaluate(() => globalThis.comeBack());
  await hears(bob, "annyou there?");
  await hears(bob, "evewhile you were away");
  assert.equal((await lines(bob)).filter((line) => line.includes("away")).length, 1);
  for (const page of [ann, bob, eve]) assert.deepEqual(page.errors, []);
});
