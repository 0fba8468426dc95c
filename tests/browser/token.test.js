// The token box of the page: on a server with [auth], whoever has a token is let in, and it stays in memory.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serveAlone } from "./alone.js";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays, seqPasses } from "./view.js";

const TOKEN = "a-token-of-the-wall-0123456789-0123456789";
let folder, files, origin, config, daemon, browser, alone;

before(async () => {
  files = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end(`<iframe src="${daemon.url}"></iframe>`);
  }).listen(0, "127.0.0.1");
  await once(files, "listening");
  origin = `http://127.0.0.1:${files.address().port}`;
  folder = await mkdtemp(join(tmpdir(), "tickerd-token-"));
  await writeFile(join(folder, "wall"), TOKEN);
  config = join(folder, "tickerd.toml");
  await writeFile(config, settings());
  daemon = await startDaemon({ config });
  browser = await openBrowser({ ignoreHTTPSErrors: true });
  alone = await serveAlone();
  await mkdir(new URL("out/", import.meta.url), { recursive: true });
});

after(async () => {
  await alone?.close();
  await browser?.close();
  await daemon?.stop();
  files?.close();
  await rm(folder, { recursive: true, force: true });
});

const settings = (server = "") => `
[server]
origins = ["${origin}"]
${server}
[auth]
[[auth.token]]
name = "wall"
token = { file = "${join(folder, "wall")}" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["sim.**", "rooms.*"]
publish = ["rooms.*"]
presence = ["rooms.*"]
history = ["sim.**", "rooms.*"]
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
[[topic]]
name = "rooms.lobby"
publish = true
presence = true
[[topic]]
name = "rooms.news"
publish = true
`;

async function enter(page, token) {
  await page.fill("#token", token);
  await page.press("#token", "Enter");
}

const why = (page, text) => page.locator("#token-why").getByText(text).waitFor();

/** Nothing that outlives the page, and nothing that others read, holds the token. */
async function isNowhere(page, context) {
  const kept = await page.evaluate(() => [
    location.href,
    document.cookie,
    JSON.stringify({ ...localStorage, ...sessionStorage }),
    document.documentElement.outerHTML,
    ...[...document.querySelectorAll("input")].map((input) => input.value),
  ]);
  kept.push(...page.requests, JSON.stringify(await context.cookies()));
  assert.ok(kept.every((text) => !text.includes(TOKEN)), `${kept.find((text) => text.includes(TOKEN))}`);
}

test("the page asks for a token, takes the right one, and keeps it in memory alone", async () => {
  const page = await openPage(browser.context, daemon.url);
  const box = page.locator("#token-box");
  await why(page, "This server shows what it has to those who have a token.");
  await page.screenshot({ path: new URL("out/token.png", import.meta.url).pathname });
  await enter(page, "of-another-server");
  await why(page, /The server needs a valid token\. Enter a token\./);
  await linkSays(page, "Stopped: 4001 token_unknown");
  await page.getByText(/^The server needs a valid token: token_unknown.* \(4001\)\.$/).waitFor();
  await page.screenshot({ path: new URL("out/token-refused.png", import.meta.url).pathname });

  await enter(page, TOKEN);
  await linkSays(page, "Live");
  await seqPasses(page, "sim", 1);
  assert.ok(await box.isHidden());
  await isNowhere(page, browser.context);

  // It comes back by itself for as long as the page is open, and no longer.
  await daemon.stop();
  await linkSays(page, "Reconnecting in");
  daemon = await startDaemon({ config, listen: `127.0.0.1:${daemon.port}` });
  await linkSays(page, "Live");
  await seqPasses(page, "sim", 1);
  assert.ok(await box.isHidden());
  await page.reload();
  await why(page, "This server shows what it has to those who have a token.");
  await page.close();
});

test("it works over wss", async () => {
  const [certificate, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", [...request, ...names, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const path = join(folder, "tls.toml");
  const listen = 'listen = [{ address = "127.0.0.1:0", tls = true }]';
  await writeFile(path, settings(`${listen}\n[server.tls]\ncertificate = "${certificate}"\nkey = "${key}"`));
  const secure = await startDaemon({ config: path, listen: null });
  try {
    const page = await openPage(browser.context, secure.url);
    await why(page, "This server shows what it has to those who have a token.");
    await enter(page, TOKEN);
    await seqPasses(page, "sim", 1);
    assert.ok(page.requests.some((url) => url.startsWith("wss://")), `${page.requests}`);
    await isNowhere(page, browser.context);
    await page.close();
  } finally {
    await secure.stop();
  }
});

test("a token that ends is asked for again, on the same connection or on the next", async () => {
  const heard = [];
  let last;
  const page = await alone.open(({ socket, say, connections }) => {
    last = { socket, say };
    socket.onMessage((text) => heard.push({ connections, ...JSON.parse(text) }));
  });
  const idOf = () => heard.findLast(({ event }) => event === "auth").data.id;
  const auths = () => heard.filter(({ event }) => event === "auth").map(({ connections, data }) => [connections, data.token]);
  const sent = async (count) => {
    while (auths().length < count) await page.evaluate(() => new Promise(requestAnimationFrame));
  };
  await linkSays(page, "Live");
  assert.ok(await page.locator("#token-box").isHidden(), "nobody asked for one");
  // The first token begins a connection of its own, a later one of the same user goes on.
  await page.click("#token-open");
  await enter(page, "first");
  await sent(1);
  last.say("authenticated", { id: idOf(), user: "ann" });
  await page.locator("#token-box").waitFor({ state: "hidden" });
  last.say("notice", { type: "auth_expiring", in_ms: 30_000 });
  await why(page, "The token ends in 30 s. Enter a new one.");
  await enter(page, "second");
  await sent(2);
  last.say("authenticated", { id: idOf(), user: "ann" });
  await page.locator("#token-box").waitFor({ state: "hidden" });

  // Another user's token begins another connection.
  await page.click("#token-open");
  await enter(page, "of-bob");
  await sent(3);
  last.say("error", { id: idOf(), code: 409, name: "conflict", message: "this connection is another user's" });
  await sent(4);
  assert.deepEqual(auths(), [[2, "first"], [2, "second"], [2, "of-bob"], [3, "of-bob"]]);
  last.say("authenticated", { id: idOf(), user: "bob" });
  await page.locator("#token-box").waitFor({ state: "hidden" });

  last.socket.close({ code: 4103, reason: "token_expired: the token ended" });
  await why(page, "The token has ended. Enter a token.");
  while (heard.at(-1)?.connections !== 4) await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.equal(auths().length, 4, "what has ended is not sent again");
  await page.close();
});

test("closes are told in words", async () => {
  for (const [code, reason, words] of [
    [4003, "forbidden: no", "This page may not connect here: forbidden: no (4003)."],
    [4008, "auth_timeout: say it sooner", "The server waits for a token: auth_timeout: say it sooner (4008)."],
    [4009, "", "This page sent too much that the server does not understand (4009)."],
    [4100, "over_capacity: come later", "The server is full. Trying"],
    [4101, "", "Your address has too many connections. Trying"],
  ]) {
    const page = await alone.open(({ socket }) => socket.close({ code, reason }), { greeted: false });
    await page.locator("#outage").getByText(words).waitFor();
    await page.close();
  }
});

test("no other page shows this one in a frame", async () => {
  const page = await browser.context.newPage();
  await page.goto(`${origin}/frame`);
  const [, frame] = page.frames();
  assert.equal(frame.url(), "chrome-error://chromewebdata/");
  await page.close();
});
