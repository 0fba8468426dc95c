// All configured feeds are on the page, also those of which nothing has come.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { quote, serveAlone } from "./alone.js";
import { openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays, rowOf } from "./view.js";

let alone, open;

before(async () => {
  alone = await serveAlone();
  open = alone.open;
});
after(() => alone?.close());

test("every configured feed is there from the start, with its state and why", async () => {
  const since = new Date(2026, 0, 1, 12, 3, 11).getTime();
  const feed = (feed, state, reason = "") => ({ feed, state, since, reason, topics: 0, stale: 0, samples: 0, refused: 0 });
  alone.feeds = {
    feeds: [
      feed("nws", "down", "starting"),
      feed("mine", "degraded", "all of the last 12 samples were refused: bad_json"),
      feed("quiet", "up"),
      feed("stocks", "up"),
      feed("told", "down", "starting"),
    ],
  };
  let talk;
  const page = await open((connection) => {
    talk = connection;
    talk.sayText(quote("stocks.AAPL", 1, "1.00"));
    talk.say("notice", { type: "feed", feed: "told", state: "closed", since, reason: "opens at 09:30" });
  });
  const says = (feed) => page.locator(`tbody[data-feed="${feed}"] tr.feed`);
  await says("nws").getByText("down since Jan 1 12:03:11").waitFor();
  const shown = await page.$$eval("tr.feed", (rows) =>
    rows.filter((row) => row.checkVisibility()).map((row) => [...row.querySelectorAll("button, span")].map((part) => part.textContent).join(" ")),
  );
  assert.deepEqual(shown, [
    "mine degraded since Jan 1 12:03:11 all of the last 12 samples were refused: bad_json 0 topics",
    "nws down since Jan 1 12:03:11 starting 0 topics",
    "quiet up no value yet 0 topics",
    "stocks up  1 topic",
    // What the stream said is newer than the list.
    "told closed since Jan 1 12:03:11 opens at 09:30 0 topics",
  ]);
  await page.locator("#notices").getByText(/Feed mine is degraded since Jan 1 12:03:11: all of the last 12/).waitFor();

  await page.fill("#filter", "nws");
  await says("quiet").waitFor({ state: "hidden" });
  assert.ok(await says("nws").isVisible());
  await page.fill("#filter", "");
  await says("quiet").waitFor();

  talk.sayText(quote("quiet.X", 1, "1.00"));
  await says("quiet").getByText("1 topic").waitFor();
  assert.equal(await says("quiet").locator(".reason").textContent(), "");

  // The daemon comes back with another configuration.
  alone.feeds = { feeds: [feed("quiet", "up"), feed("later", "down", "starting")] };
  talk.socket.close({ code: 1012, reason: "restarting" });
  await says("later").getByText("down since").waitFor();
  await says("nws").waitFor({ state: "detached" });
  await page.close();
});

test("a list of feeds that did not come is asked for again, and an older daemon has none", async () => {
  let asked = 0;
  const answer = (status, body) => async (page) => {
    await page.clock.install();
    await page.route("**/v1/feeds", (route) => {
      asked += 1;
      return asked === 1 ? route.fulfill({ status, json: body }) : route.fulfill({ json: { feeds: [{ feed: "later", state: "up", since: 1, reason: "" }] } });
    });
  };
  const busy = await open(() => {}, { prepare: answer(503, {}) });
  await busy.waitForFunction(() => document.documentElement.dataset.link === "live");
  const later = busy.locator('tbody[data-feed="later"]');
  for (let i = 0; (await later.count()) === 0; i += 1) {
    assert.ok(i < 100, "the list was not asked for again");
    await busy.clock.runFor(500);
  }
  assert.equal(asked, 2);
  await busy.close();
  asked = 0;
  const old = await open(({ sayText }) => sayText(quote("stocks.AAPL", 1, "1.00")), { prepare: answer(404, {}) });
  await old.clock.runFor(20_000);
  await rowOf(old, "stocks.AAPL").waitFor();
  assert.equal(asked, 1);
  assert.ok(await old.locator("#outage").isHidden());
  await old.close();
});

test("of a real daemon's feeds the page shows the one that is refused, the one that is down and the one that says nothing", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tickerd-feeds-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const shell = (name, script) =>
    `[[feed]]\nname = "${name}"\nexec = ["/bin/sh", "-c", ${JSON.stringify(script)}]\ninterval = "100ms"\n`;
  const line = (event, price) => `echo '{"topic":"AAPL","event":"${event}","data":{"price":"${price}"}}'`;
  const config = join(folder, "tickerd.toml");
  await writeFile(
    config,
    shell("fine", `${line("quote", "189.30")}; exec cat`) +
      shell("refused", `while ${line("Bad Event", "1.00")}; do read order; done`) +
      shell("gone", "exit 3") +
      shell("silent", "exec cat"),
  );
  const daemon = await startDaemon({ config });
  t.after(() => daemon.stop());
  const page = await openPage(alone.browser.context, daemon.url);
  await linkSays(page, "Live");
  const says = (feed) => page.locator(`tbody[data-feed="${feed}"] tr.feed`);
  await rowOf(page, "fine.AAPL").waitFor();
  await says("refused").getByText(/^degraded since \d\d:\d\d:\d\d$/).waitFor();
  await says("refused").getByText(/refused: bad_event/).waitFor();
  await says("gone").getByText(/^down since \d\d:\d\d:\d\d$/).waitFor();
  await says("silent").waitFor();
  await page.locator("#notices").getByText(/Feed refused is degraded since .*bad_event/).waitFor();
  assert.deepEqual(
    await page.$$eval("tbody[data-feed]", (groups) => groups.map((group) => group.dataset.feed)),
    ["fine", "gone", "refused", "silent"],
  );
  const out = new URL("out/", import.meta.url);
  await mkdir(out, { recursive: true });
  await page.screenshot({ path: new URL("feeds.png", out).pathname });
  await page.setViewportSize({ width: 390, height: 844 });
  for (const feed of ["refused", "gone", "silent"]) assert.ok(await says(feed).isVisible());
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.screenshot({ path: new URL("feeds-phone.png", out).pathname });
  assert.deepEqual(page.errors, []);
  await page.close();
});
