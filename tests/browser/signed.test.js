// Signed ticks, verified in the browser by WebCrypto alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

let folder, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-signed-"));
  const [key, config] = ["key.pem", "tickerd.toml"].map((name) => join(folder, name));
  execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", key]);
  const feed = '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\nsign = true';
  await writeFile(config, `[server.signing]\nkey = { file = "${key}" }\n${feed}\n`);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("pushed and fetched ticks verify, and one with a changed byte does not", async () => {
  const page = await openPage(browser.context, daemon.url);
  await page.waitForFunction(() => document.querySelector("tr[data-topic] .seq")?.textContent);
  const verdicts = await page.evaluate(async () => {
    const bytes = (text) =>
      Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    const { keys } = await (await fetch("/v1/keys")).json();
    const known = new Map();
    for (const key of keys) known.set(key.kid, await crypto.subtle.importKey("jwk", key, "Ed25519", false, ["verify"]));
    const verify = (text) => {
      const found = /^(.*),"sig":"([A-Za-z0-9_-]{86})","kid":"([A-Za-z0-9_-]{43})"}}$/s.exec(text);
      if (!found) return false;
      const [, message, sig, kid] = found;
      return crypto.subtle.verify("Ed25519", known.get(kid), bytes(sig), new TextEncoder().encode(`${message}}}`));
    };
    const socket = new WebSocket(`ws://${location.host}/ws?topics=sim.AAPL`);
    const pushed = await new Promise((resolve) => {
      socket.onmessage = ({ data }) => data.includes('"value":') && resolve(data);
    });
    socket.close();
    const stream = new EventSource("/v1/sse?topics=sim.AAPL");
    const streamed = await new Promise((resolve) => {
      stream.onmessage = ({ data }) => data.includes('"value":') && resolve(data);
    });
    stream.close();
    const fetched = await (await fetch("/v1/topics/sim.AAPL")).text();
    const changed = pushed.replace(/"seq":(\d+)/, (_, seq) => `"seq":${Number(seq) + 1}`);
    return Promise.all([pushed, streamed, fetched, changed].map(verify));
  });
  assert.deepEqual(verdicts, [true, true, true, false]);
  assert.deepEqual(page.errors, []);
});

test("the client's check says yes to what came, no to what was changed or is not signed, and asks for the keys once", async () => {
  const page = await openPage(browser.context, daemon.url);
  const { verdicts, events } = await page.evaluate(async () => {
    const [{ connect }, { verifier }] = await Promise.all([import("/client.js"), import("/client/verify.js")]);
    const client = connect();
    const verify = verifier(client);
    const ticks = [];
    await new Promise((resolve) => {
      client.on("tick", (tick) => ticks.push(tick) >= 6 && resolve());
      client.subscribe(["sim.AAPL", "sim.trades.AAPL", "sim.MSFT"], { mode: "all" });
    });
    const came = await Promise.all(ticks.map(verify));
    const [tick] = ticks;
    const { text } = tick;
    const changes = [
      text.replace(/"seq":(\d+)/, (_, seq) => `"seq":${Number(seq) + 1}`),
      text.replace(/"sig":"(.)/, (_, letter) => `"sig":"${letter === "A" ? "B" : "A"}`),
      text.replace(/"kid":"(.)/, (_, letter) => `"kid":"${letter === "A" ? "B" : "A"}`),
      text.replace(/,"sig":"[^"]*"/, ""),
      text.replace(/^\{/, "{ "),
      "{}",
    ];
    const changed = await Promise.all(changes.map((text) => verify({ ...tick, text })));
    // As `history` and `get` give it.
    const unknown = await verify({ ...tick, text: "" });
    client.close();
    return { verdicts: { came, changed, unknown: String(unknown) }, events: [...new Set(ticks.map(({ event }) => event))] };
  });
  assert.ok(verdicts.came.every((verdict) => verdict === true), `${verdicts.came} of ${events}`);
  assert.ok(verdicts.changed.every((verdict) => verdict === false), `${verdicts.changed}`);
  assert.equal(verdicts.unknown, "undefined");
  assert.equal(page.requests.filter((url) => url.endsWith("/v1/keys")).length, 1);
  assert.deepEqual(page.errors, []);
  await page.close();
});
