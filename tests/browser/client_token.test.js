// Tokens of the client in a page, against a daemon with [auth]: the next one, the end, the logout.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { begin, openBare, openEmpty, stateIs, ticksGoOn, until } from "./bare.js";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { makeIssuer } from "./issuer.js";

let folder, issuer, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-client-token-"));
  issuer = await makeIssuer(folder);
  const config = join(folder, "tickerd.toml");
  const group = '[[auth.group]]\nname = "readers"\nsubscribe = ["sim.**"]\nhistory = ["sim.**"]\n';
  await writeFile(config, `[auth]\nanonymous = ["sim.AAPL"]\n${issuer.config}${group}[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n`);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/**
 * A page whose client gets its tokens from the test: `lives` are their lengths in seconds, the last one for all that follow.
 * For the reason `never` there is none.
 */
async function open(lives, topics, never) {
  const page = await openEmpty(browser.context, daemon.url);
  const reasons = [];
  await page.exposeFunction("tokenOf", (reason) => {
    if (reason === never) throw new Error("no tokens today");
    const life = lives[Math.min(reasons.length, lives.length - 1)];
    reasons.push(reason);
    return issuer.token("ann", ["readers"], life);
  });
  await page.evaluate(() => (globalThis.token = ({ reason }) => tokenOf(reason)));
  await begin(page, "/client.js", { topics, mode: "all", options: {} });
  return Object.assign(page, { reasons });
}

// At once: the daemon lets half a minute pass after a token has ended.
describe("tokens", { concurrency: true }, () => {
  test("a token that ends soon is renewed in the stream, which goes on", async () => {
    // The server says half a minute before a token ends that it does.
    const page = await open([20, 3600], ["sim.MSFT"]);
    await until("the server's word on the second token", () => page.frames.filter(({ out, event }) => !out && event === "authenticated").length === 2);
    await ticksGoOn(page, 2);
    assert.deepEqual(page.reasons, ["connect", "expiring"]);
    assert.equal(page.sockets, 1);
    const { statuses, gaps } = await page.evaluate(() => ({ ...seen, newest: null }));
    assert.deepEqual(statuses.map(({ state }) => state), ["connecting", "live"]);
    assert.deepEqual(gaps, []);
    await page.close();
  });

  test("a token that has ended is asked for again, and what was missed is told", async () => {
    // The source of the next token is out of order until the one before has ended.
    const page = await open([4, 3600], ["sim.MSFT"], "expiring");
    await ticksGoOn(page);
    await page.waitForFunction(() => seen.statuses.some(({ state, code }) => state === "waiting" && code === 4103));
    await stateIs(page, "live");
    await ticksGoOn(page);
    assert.deepEqual(page.reasons, ["connect", "expired"]);
    assert.ok((await page.evaluate(() => seen.gaps)).some(({ why }) => why === "reconnected"));
    await page.close();
  });

  test("a logout: nothing of the user's is left, and what nobody may see is refused", async () => {
    const page = await open([3600], ["sim.AAPL", "sim.MSFT"]);
    await page.waitForFunction(() => client.latest("sim.AAPL") && client.latest("sim.MSFT"));
    assert.equal(await page.evaluate(() => client.user), "ann");
    const left = await page.evaluate(() => {
      client.setIdentity(null);
      return { latest: client.latest("sim.MSFT") ?? null, user: client.user ?? null };
    });
    assert.deepEqual(left, { latest: null, user: null });
    await page.waitForFunction(() => seen.failed.some(({ topic }) => topic === "sim.MSFT"));
    await page.waitForFunction(() => client.latest("sim.AAPL"));
    assert.equal(await page.evaluate(() => client.latest("sim.MSFT") ?? null), null);
    await page.evaluate(() => client.setIdentity(globalThis.token));
    await page.waitForFunction(() => client.latest("sim.MSFT") && client.user === "ann");
    await page.close();
  });

  test("a token of another server stops it, and the next one starts it again", async () => {
    const page = await openBare(browser.context, daemon.url, { topics: ["sim.MSFT"], token: "of-another-server" });
    const { code, todo } = await stateIs(page, "stopped");
    assert.deepEqual([code, todo], [4001, "give another token"]);
    await page.evaluate((token) => client.setIdentity(token), issuer.token("bob", ["readers"]));
    await ticksGoOn(page);
    assert.equal(await page.evaluate(() => client.user), "bob");
    await page.close();
  });
});
