// What a reader does with the table: search by value, favourites, columns, the tree of a value, and taking it away as CSV.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { layoutOf, windFrom } from "../../dashboards/web/src/data/columns.js";
import { marksOf, UNMARKED } from "../../dashboards/web/src/data/contract.js";
import { cell, csv } from "../../dashboards/web/src/data/csv.js";
import { Favourites } from "../../dashboards/web/src/data/favourites.js";
import { fit } from "../../dashboards/web/src/table/fit.js";
import { quote, serveAlone, tick } from "./alone.js";
import { linkSays, rowOf } from "./view.js";

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

const visible = (page) => page.$$eval("tr[data-topic]", (rows) => rows.filter((row) => row.checkVisibility()).map((row) => row.dataset.topic));

/** Waits until just these topics are to be seen. */
async function sees(page, ...wanted) {
  const deadline = Date.now() + 20_000;
  let last;
  do last = await visible(page);
  while (String(last) !== String(wanted) && Date.now() < deadline);
  assert.deepEqual(last, wanted);
}

/** Opens a page that is live, and gives what its server can say. */
async function openLive(lines = [], options = {}) {
  let talk;
  const page = await alone.open((connection) => {
    talk = connection;
    for (const line of lines) connection.sayText(line);
  }, options);
  await linkSays(page, "Live");
  return { page, say: (...texts) => texts.forEach((text) => talk.sayText(text)), talk: () => talk };
}

// Pure parts

const keys = (kind, paths, seen = {}, marks = UNMARKED) => {
  const { name, columns } = layoutOf(kind, marks, new Map(paths.map((path) => [path, seen.figures?.includes(path) ?? false])), seen);
  return [name, ...columns.map(({ key }) => key)];
};

test("columns fit the kind, and only fields that are there have one", () => {
  assert.deepEqual(keys("quote", ["price", "volume", "ask"], { main: "price" }), ["quote", "value", "change", "change_pct", "ask", "volume"]);
  assert.deepEqual(keys("trade", ["price", "size", "side"], { main: "price", hasSourceTime: true }), ["trade", "value", "size", "side", "source_time"]);
  assert.deepEqual(keys("observation", ["temperature_c", "wind_ms", "condition"], { main: "temperature_c" }), ["weather", "value", "condition", "wind"]);
  assert.deepEqual(keys("cpu", ["busy_pct", "user_pct"], { main: "busy_pct", figures: ["busy_pct", "user_pct"] }), ["figures", "value", "user_pct"]);
  assert.deepEqual(keys("order", ["id", "customer.name"], { main: undefined }), ["tree", "value"]);
  // By its marks, whatever it is called.
  const marks = marksOf({ properties: { last: { "x-tickerd-main": true, "x-tickerd-role": "price" }, offer: { "x-tickerd-role": "ask" } } }, {});
  assert.deepEqual(keys("odd", ["last", "offer"], { main: "last" }, marks), ["quote", "value", "change", "change_pct", "ask"]);
});

test("heads say what they count in, and no two are the same", () => {
  const paths = new Map(["used_pct", "used_bytes", "rx_bytes_per_s"].map((path) => [path, true]));
  const { columns } = layoutOf("memory", UNMARKED, paths, { main: "used_pct" });
  assert.deepEqual(columns.map(({ head }) => head), ["Used %", "Used bytes", "Received"]);
  assert.equal(columns[0].isBar, true);
});

test("a wind is told by where it comes from, with an arrow along it", () => {
  assert.deepEqual([0, 47, 90, 181, 337.6, 360, -45, NaN].map(windFrom), ["↓ N", "↙ NE", "← E", "↑ S", "↓ N", "↓ N", "↘ NW", ""]);
});

test("columns that have no room go, the least important first, and never the topic and its figure", () => {
  const columns = [
    { key: "topic", head: "", rank: -1, chars: 8, px: 100 },
    { key: "value", head: "", rank: 0, chars: 8 },
    { key: "bid", head: "", rank: 3, chars: 8 },
    { key: "high", head: "", rank: 5, chars: 8, seen: 12 },
    { key: "more", head: "", rank: 0, chars: 1, isRest: true },
  ];
  const fits = (room, off = []) => fit(columns, { room, ch: 10, rem: 10, off: new Set(off) });
  assert.deepEqual(fits(1_000).cramped, []);
  assert.equal(fits(1_000).tracks, "minmax(6rem, 100px) 80px 80px 125px minmax(24px, 1fr)");
  assert.deepEqual(fits(360).cramped, ["high"]);
  assert.deepEqual(fits(240).cramped, ["bid", "high"]);
  assert.deepEqual(fits(10).cramped, ["bid", "high"]);
  assert.ok(!fits(1_000, ["bid"]).shown.has("bid"));
});

test("CSV is quoted where it has to be, and nothing in it is a formula", () => {
  for (const [text, wanted] of [
    ["open", "open"],
    ["-1.50", "-1.50"],
    ["+1e5", "+1e5"],
    ["=1+1", "'=1+1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"],
    ["+49 30 1", "'+49 30 1"],
    ["\t=1", `'\t=1`],
    ['say "hi", Bob', '"say ""hi"", Bob"'],
    ["two\nlines", '"two\nlines"'],
    ["=a,b", `"'=a,b"`],
    ["", ""],
  ]) {
    assert.equal(cell(text), wanted, JSON.stringify(text));
  }
  const topic = (name, value) => ({ name, kind: "k", ts: 1_767_225_600_123, text: tick("k", name, 1, value) });
  const { text, cut } = csv([topic("a.b", '{"x":"1.50","deep":{"list":[true,null]}}'), topic("a.c", '"calm"'), { name: "a.d", kind: "", ts: 0, text: "" }]);
  assert.equal(
    text,
    "topic,kind,time,x,deep.list.0,deep.list.1,value\r\na.b,k,2026-01-01T00:00:00.123Z,1.50,true,null,\r\na.c,k,2026-01-01T00:00:00.123Z,,,,calm\r\na.d,,,,,,\r\n",
  );
  assert.equal(cut, 0);
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`f${i}`, i])));
  assert.equal(csv([topic("a.b", wide)]).cut, 100);
});

test("favourites of the address go first, are bounded, and go back to this browser's own", () => {
  const values = new Map([["fav", "a.b,a.c"]]);
  const address = { get: (name) => values.get(name) ?? null, set: (name, text) => (text === null ? values.delete(name) : values.set(name, text)), onChange() {} };
  const favourites = new Favourites(address);
  assert.deepEqual([favourites.names, favourites.isShared], [["a.b", "a.c"], true]);
  favourites.toggle("a.b");
  assert.equal(values.get("fav"), "a.c");
  favourites.leave();
  assert.deepEqual([favourites.names, favourites.isShared], [[], false]);
  for (let i = 0; i < 500; i += 1) assert.ok(favourites.toggle(`t.${i}`));
  assert.equal(favourites.toggle("one.more"), false);
  assert.ok(favourites.toggle("t.0"), "one that is there can always go");
});

test("favourites that the browser does not store last as long as the page", () => {
  const values = new Map();
  let change;
  const address = { get: (name) => values.get(name) ?? null, set: (name, text) => (text === null ? values.delete(name) : values.set(name, text)), onChange: (handler) => (change = handler) };
  const refuse = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  globalThis.localStorage = { getItem: () => '["t.old"]', setItem: refuse };
  const favourites = new Favourites(address);
  favourites.toggle("t.new");
  values.set("view", "board");
  change();
  assert.deepEqual(favourites.names, ["t.old", "t.new"]);
  values.set("fav", "a.b");
  change();
  assert.deepEqual(favourites.names, ["a.b"]);
  favourites.leave();
  assert.deepEqual(favourites.names, ["t.old", "t.new"]);
  delete globalThis.localStorage;
});

// On the page

test("a search by value follows the values, and the address keeps it", async () => {
  const { page, say } = await openLive([quote("t.low", 1, "100.00"), quote("t.high", 1, "300.00"), tick("note", "t.note", 1, '"calm"')]);
  await rowOf(page, "t.note").waitFor();
  await page.fill("#filter", "price>200");
  await sees(page, "t.high");
  assert.match(page.url(), /q=price/);
  say(quote("t.low", 2, "201.00"), quote("t.high", 2, "199.99"));
  await sees(page, "t.low");
  say(quote("t.new", 1, "500"), quote("t.newlow", 1, "5"));
  await sees(page, "t.low", "t.new");
  await page.fill("#filter", "price>");
  await page.locator("#search-error").getByText("After price> a value is missing, such as price>200.").waitFor();
  assert.equal(await page.getAttribute("#filter", "aria-invalid"), "true");
  await sees(page, "t.low", "t.new");
  await page.fill("#filter", '"CALM"');
  await page.locator("#search-error").waitFor({ state: "hidden" });
  await sees(page, "t.note");
  const address = new URL(page.url()).hash;
  await page.close();
  const { page: linked } = await openLive([quote("t.low", 1, "100.00"), tick("note", "t.note", 1, '"calm"')], { hash: address });
  assert.equal(await linked.inputValue("#filter"), '"CALM"');
  await sees(linked, "t.note");
  await linked.click(".search-help");
  await linked.locator("#search-forms").getByText("the name or the kind contains this word").waitFor();
  await linked.close();
});

test("rows go on to be put in order after a click on a head or on a row", async () => {
  const { page, say } = await openLive([quote("t.a", 1, "1.00"), quote("t.b", 1, "2.00")], { hash: "#topics=" });
  await sees(page, "t.a", "t.b");
  await page.getByRole("button", { name: "Price" }).click();
  say(quote("t.a", 2, "3.00"));
  await sees(page, "t.b", "t.a");
  await page.click('tr[data-topic="t.b"] .open');
  say(quote("t.b", 2, "4.00"));
  await sees(page, "t.a", "t.b");
  await page.close();
});

test("stars make favourites, which come first or alone, and go into a link", async () => {
  const lines = ["a", "b", "c"].map((name) => quote(`t.${name}`, 1, "1.00"));
  const { page } = await openLive(lines);
  await rowOf(page, "t.c").waitFor();
  const star = page.getByRole("button", { name: "Favourite t.c" });
  assert.equal(await star.getAttribute("aria-pressed"), "false");
  // With keys alone: from the row's name one to the left.
  await rowOf(page, "t.c").locator(".name").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  assert.equal(await star.getAttribute("aria-pressed"), "true");
  await page.evaluate(() => document.activeElement.blur());
  await page.selectOption(".table-tools select", "first");
  await sees(page, "t.c", "t.a", "t.b");
  await page.selectOption(".table-tools select", "only");
  await sees(page, "t.c");
  await page.reload();
  await sees(page, "t.c");
  await page.click("text=Put into link");
  assert.match(page.url(), /fav=t\.c/);
  const hash = new URL(page.url()).hash;
  const { page: other } = await openLive(lines, { hash, prepare: (page) => page.addInitScript(() => localStorage.setItem("tickerd.favourites", '["t.a"]')) });
  await sees(other, "t.c");
  await other.click("text=Back to mine");
  await sees(other, "t.a");
  await other.close();
  await page.evaluate(() => localStorage.clear());
  await page.close();
});

test("any value opens in place as a tree with its digits, and closes again", async () => {
  const long = JSON.stringify(Array.from({ length: 250 }, (_, i) => i));
  const { page, say } = await openLive([tick("order", "shop.one", 1, `{"total":28.500,"lines":[{"sku":"<b>A</b>","qty":1.50}],"many":${long}}`)]);
  const row = rowOf(page, "shop.one");
  const opener = page.getByRole("button", { name: "All fields of shop.one" });
  await opener.click();
  assert.equal(await opener.getAttribute("aria-expanded"), "true");
  await row.locator(".tree").getByText("total: 28.500").waitFor();
  assert.equal(await row.locator(".tree").getByText("sku").count(), 0, "closed parts are built when they are opened");
  await row.getByText("lines:").click();
  await row.locator("summary").getByText("0:").click();
  await row.locator(".tree").getByText('sku: "<b>A</b>"').waitFor();
  assert.equal(await row.locator("b").count(), 0);
  await row.getByText("many:").click();
  await row.getByText("Show 100 more of 150").click();
  await row.getByText("Show 50 more of 50").waitFor();
  // What is open stays open under the next value.
  say(tick("order", "shop.one", 2, `{"total":30.10,"lines":[{"sku":"C","qty":2}],"many":${long}}`));
  await row.locator(".tree").getByText("total: 30.10").waitFor();
  await row.locator(".tree").getByText('sku: "C"').waitFor();
  await opener.click();
  await row.locator(".tree").waitFor({ state: "detached" });
  await page.close();
});

test("columns are chosen, and the address keeps them; what has no room is told", async () => {
  const value = '{"price":"1.00","bid":"0.99","ask":"1.01","high":"2","low":"0.5","volume":7,"session":"open"}';
  const { page } = await openLive([tick("quote", "t.a", 1234, value)]);
  const head = (key) => page.locator(`tr.heads th[data-key="${key}"]`);
  await head("value").waitFor();
  assert.ok(await head("seq").isHidden());
  await page.setViewportSize({ width: 1920, height: 900 });
  await head("session").waitFor();
  await page.click(".table-tools >> text=Columns");
  await page.check('#columns input[name="seq"]');
  await page.uncheck('#columns input[name="bid"]');
  await rowOf(page, "t.a").getByText("1,234").waitFor();
  await head("bid").waitFor({ state: "hidden" });
  assert.match(page.url(), /cols=seq,-bid/);
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1200, height: 900 });
  await head("session").waitFor({ state: "hidden" });
  await page.click(".table-tools >> text=Columns");
  await page.locator("#columns label", { hasText: "Session" }).getByText("no room in some kinds").waitFor();
  const cut = await page.$$eval("tr.heads th:not(.blank), tr[data-topic] td.value", (cells) => cells.filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent));
  assert.deepEqual(cut, []);
  await page.close();
});

test("what is left of the table is saved as CSV, with the digits of the sources", async () => {
  const { page } = await openLive([
    tick("quote", "t.a", 1, '{"price":189.30,"note":"=HYPERLINK(1)"}', 1_767_225_600_123),
    tick("quote", "t.b", 1, '{"price":1.0,"note":"x"}', 1_767_225_600_123),
    tick("note", "t.c", 1, '"calm"', 1_767_225_600_123),
  ]);
  await rowOf(page, "t.c").waitFor();
  await page.fill("#filter", "kind=quote");
  await sees(page, "t.a", "t.b");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Export CSV")]);
  assert.match(download.suggestedFilename(), /^tickerd-\d{4}-\d\d-\d\dT\d{6}\.csv$/);
  assert.equal(
    await readFile(await download.path(), "utf8"),
    "topic,kind,time,price,note\r\nt.a,quote,2026-01-01T00:00:00.123Z,189.30,'=HYPERLINK(1)\r\nt.b,quote,2026-01-01T00:00:00.123Z,1.0,x\r\n",
  );
  await page.locator(".said").getByText(/Saved 2 topics as tickerd-/).waitFor();
  await page.close();
});

test("devices that do nothing are folded away, said to be, and come back when they do something", async () => {
  const net = (name, seq, rate) => tick("net", `host.net.${name}`, seq, `{"rx_bytes_per_s":${rate},"tx_bytes_per_s":0}`);
  const { page, say } = await openLive([net("lo", 1, 5), net("ifb0", 1, 0), net("ifb1", 1, 0), net("dummy0", 1, 0), net("eth0", 1, 0)]);
  await sees(page, "host.net.eth0", "host.net.lo");
  await page.locator('tbody[data-feed="host"] tr.feed').getByText("5 topics").waitFor();
  const more = page.getByRole("button", { name: "Show 3 quiet devices: dummy0, ifb0, ifb1" });
  await more.click();
  await sees(page, "host.net.dummy0", "host.net.eth0", "host.net.ifb0", "host.net.ifb1", "host.net.lo");
  await page.getByRole("button", { name: "Fold 3 quiet devices" }).click();
  say(net("ifb1", 2, 100));
  await sees(page, "host.net.eth0", "host.net.ifb1", "host.net.lo");
  await page.close();
});

test("a feed of which every sample was refused says so, though it is up", async () => {
  alone.feeds = { feeds: [{ feed: "mine", state: "up", since: 1, reason: "", topics: 0, stale: 0, samples: 0, refused: 120 }] };
  const { page } = await openLive();
  await page.locator('tbody[data-feed="mine"] tr.feed').getByText("all 120 samples refused").waitFor();
  alone.feeds = null;
  await page.close();
});

test("a topic whose kind changes goes where that kind is, and values of odd shapes harm nothing", async () => {
  const errors = [];
  const { page, say } = await openLive([quote("t.a", 1, "1.00")], { prepare: (page) => page.on("pageerror", (error) => errors.push(String(error))) });
  await rowOf(page, "t.a").waitFor();
  say(tick("note", "t.a", 2, '"calm"'));
  await page.locator('tr.heads[data-kind="note"] + .block > tr[data-topic="t.a"]').waitFor();
  assert.equal(await page.locator('tr.heads[data-kind="quote"]').count(), 0);
  const odd = ["null", "[]", "{}", "true", '""', "1e400", '{"price":{"deep":1}}', '{"price":null,"currency":{"a":1},"bid":[1]}', '{"__proto__":{"x":1},"constructor":2}', "[[[[[[[1]]]]]]]"];
  for (const kind of ["quote", "trade", "weather", "cpu", "x"]) odd.forEach((value, i) => say(tick(kind, `odd.${kind}${i}`, 1, value)));
  await rowOf(page, "odd.x9").waitFor();
  await page.fill("#filter", "price>0 -stale currency!=x");
  await page.fill("#filter", "");
  for (const opener of await page.$$('tr[data-topic^="odd.quote"] .open')) await opener.click();
  await page.waitForFunction(() => document.querySelectorAll("td.tree").length === 10);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.deepEqual(errors, []);
  await page.close();
});

test("the Tab key stops at the first row, whatever came first, and later where the reader was", async () => {
  const { page, say } = await openLive([quote("sim.B", 1, 5)]);
  const stops = (...wanted) =>
    page.waitForFunction(
      (wanted) => String([...document.querySelectorAll('tr[data-topic] .name[tabindex="0"]')].map((one) => one.closest("tr").dataset.topic)) === wanted,
      String(wanted),
    );
  await stops("sim.B");
  say(tick("cpu", "host.cpu", 1, '{"busy_pct":8.2}'));
  await stops("host.cpu");
  await rowOf(page, "sim.B").locator(".name").focus();
  say(tick("cpu", "host.another", 1, '{"busy_pct":8.2}'), quote("sim.A", 1, 5));
  await sees(page, "host.another", "host.cpu", "sim.A", "sim.B");
  await stops("sim.B");
  await page.fill("#filter", "host");
  await stops("host.another");
  await page.close();
});
