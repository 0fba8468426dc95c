// The board: tiles that show what is, that one arranges, and that a link brings back.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { quote, serveAlone, tick } from "./alone.js";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

const SLOT = 10_000;
let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

/** A server that has bars of 10 s, one for each close; the last is the bar that is open now. */
const withBars = (closes, more = {}) => async (page) => {
  const json = (body) => ({ contentType: "application/json", body: JSON.stringify(body) });
  await page.route("**/v1/asyncapi.json", (route) => route.fulfill(json({ "x-bars": [{ period: "10s", keep_ms: 3_600_000 }] })));
  await page.route("**/v1/bars?**", (route) => {
    const topics = new URL(route.request().url()).searchParams.get("topics").split(",");
    const now = Math.floor(Date.now() / SLOT) * SLOT;
    const bars = closes.map((close, i) => {
      const start = now - (closes.length - 1 - i) * SLOT;
      return { start, open: close, high: close, low: close, close, count: 1 };
    });
    const one = { period: "10s", field: "price", since: 0, bars, ...more };
    return route.fulfill(json({ topics: topics.map((topic) => ({ topic, ...one })), failed: [] }));
  });
};

/** Opens the board on a connection that says `texts`; `say` and `socket` are the test's afterwards. */
async function open(hash, texts, prepare) {
  const talk = ({ sayText }) => texts.forEach((text) => sayText(text));
  const page = await alone.open(talk, { hash: `#view=board${hash}`, prepare });
  return Object.assign(page, { line: await page.met });
}

const tile = (page, key) => page.locator(`.tile[data-key="${key}"]`);
const keys = (page) => page.$$eval(".tile", (tiles) => tiles.map(({ dataset }) => dataset.key));
const shows = (page, key, part, text) =>
  page.waitForFunction(
    ([key, part, text]) => {
      const one = document.querySelector(`.tile[data-key="${key}"] .${part}`);
      return one && !one.hidden && one.textContent.startsWith(text);
    },
    [key, part, text],
  );
const values = (page, name) => page.evaluate((name) => new URLSearchParams(location.hash.slice(1)).get(name), name);
const says = (page, text) =>
  page.waitForFunction((text) => [...document.querySelectorAll(".board [role=status]")].some((one) => one.textContent.includes(text)), text);
const day = (topic, price, change, percent) => tick("quote", topic, 1, `{"price":${price},"change":${change},"change_pct":${percent}}`);

test("a tile has figure, change of the day, field and age; a busier processor has no direction", async () => {
  const page = await open("&tiles=sim.A,sim.B*L,host.cpu,host.cpu:user_pct*S,no.value", [
    day("sim.A", '"189.30"', "0.50", "0.26"),
    day("sim.B", '"1,5"', "-1", "-0.1"),
    tick("cpu", "host.cpu", 1, '{"busy_pct":8.25,"user_pct":3}'),
  ]);
  await shows(page, "sim.A", "figure", "189.30");
  await shows(page, "sim.A", "change", "▲ +0.5");
  assert.equal(await tile(page, "sim.A").getAttribute("data-trend"), "up");
  assert.equal(await tile(page, "sim.A").locator(".field").textContent(), "price");
  assert.match(await tile(page, "sim.A").locator(".age").textContent(), /^\d+\.\d s$/);
  assert.equal(await tile(page, "sim.A").getAttribute("data-size"), "M");
  assert.equal(await tile(page, "sim.B").getAttribute("data-size"), "L");
  await shows(page, "host.cpu", "figure", "8.3");
  assert.equal(await tile(page, "host.cpu").locator(".unit").textContent(), " %");
  assert.equal(await tile(page, "host.cpu").getAttribute("data-trend"), "");
  await shows(page, "host.cpu:user_pct", "figure", "3");
  await shows(page, "no.value", "state", "no value yet");
  page.line.sayText(tick("cpu", "host.cpu", 2, '{"busy_pct":9.1,"user_pct":-4}'));
  await shows(page, "host.cpu", "figure", "9.1");
  await shows(page, "host.cpu:user_pct", "figure", "−4");
  assert.equal(await tile(page, "host.cpu").locator(".change").isHidden(), true, "a step is no change of the day");
  await page.close();
});

test("simulated, stale, down, not live: each is said in words", async () => {
  const page = await open("&tiles=sim.A,sim.B", [tick("quote", "sim.A", 1, '{"price":1,"simulated":true}'), quote("sim.B", 1, 2)]);
  await shows(page, "sim.A", "simulated", "simulated");
  page.line.say("notice", { type: "stale", topics: ["sim.A"], since: Date.now() });
  await shows(page, "sim.A", "state", "stale since ");
  assert.equal(await tile(page, "sim.A").getAttribute("data-state"), "old");
  assert.equal(await tile(page, "sim.B").getAttribute("data-state"), "live");
  page.line.say("notice", { type: "feed", feed: "sim", state: "down", reason: "it ended" });
  await shows(page, "sim.B", "state", "feed is down");
  page.line.socket.close();
  await shows(page, "sim.B", "state", "not live");
  await page.close();
});

test("a line is filled on load, live from then on, and empty where nothing is known", async () => {
  const closes = Array.from({ length: 20 }, (_, i) => String(100 + i));
  const page = await open("&tiles=sim.A*L", [quote("sim.A", 1, 119)], withBars(closes));
  await shows(page, "sim.A", "range", "15 min: 100");
  const path = () => tile(page, "sim.A").locator(".spark path").getAttribute("d");
  const box = await tile(page, "sim.A").locator(".spark").getAttribute("viewBox");
  const slots = Number(box.split(" ")[2]);
  assert.equal(slots, 90);
  const first = Number(/^M([\d.]+)/.exec(await path())[1]);
  assert.ok(first > slots - 23 && first < slots - 18, `the line begins where the bars do: ${first}`);
  assert.equal((await path()).match(/M/g).length, 1);
  const before = await path();
  page.line.sayText(quote("sim.A", 2, 140));
  await page.waitForFunction((before) => document.querySelector(".spark path").getAttribute("d") !== before, before);
  await shows(page, "sim.A", "range", "15 min: 100.00 – 140.00".replaceAll(".00", ""));
  await page.selectOption(".bar-tools select", "1h");
  await page.waitForFunction(() => document.querySelector(".spark").getAttribute("viewBox").split(" ")[2] === "360");
  await shows(page, "sim.A", "range", "1 h: 100");
  assert.equal(await values(page, "spark"), "1h");
  await page.close();
});

test("a board that the address does not name has quotes and the processor, and leaves the address as it is", async () => {
  const page = await open("", [
    ...["C", "A", "B"].map((name) => quote(`sim.${name}`, 1, 5)),
    tick("cpu", "host.cpu", 1, '{"busy_pct":8.2}'),
    tick("note", "host.note", 1, '"text"'),
  ]);
  await page.waitForSelector(".tile");
  assert.deepEqual(await keys(page), ["sim.A", "sim.B", "sim.C", "host.cpu"]);
  assert.equal(await values(page, "tiles"), null);
  await page.close();
});

test("tiles are added by search and by pattern, and a topic that comes later is there too", async () => {
  const page = await open("&tiles=", ["AB", "AC", "B"].map((name) => quote(`sim.${name}`, 1, 5)));
  await page.getByText("The board is empty").waitFor();
  await page.getByRole("button", { name: "Add tiles" }).click();
  const dialog = page.getByRole("dialog", { name: "Add tiles" });
  const search = dialog.getByRole("searchbox", { name: "Topic or pattern" });
  await search.fill("ab");
  await page.keyboard.press("Enter");
  assert.deepEqual(await keys(page), ["sim.AB"]);
  assert.equal(await dialog.getByRole("button", { name: "sim.AB: on the board" }).isDisabled(), true);
  await search.fill("sim.B*");
  await dialog.getByText("* stands for a whole part between dots").waitFor();
  await search.fill("sim.*");
  await dialog.getByRole("button", { name: "Add all that match sim.*, also those to come (now 3)" }).click();
  assert.deepEqual(await keys(page), ["sim.AB", "sim.AC", "sim.B"]);
  assert.equal(await values(page, "tiles"), "sim.AB,sim.*");
  await page.keyboard.press("Escape");
  page.line.sayText(quote("sim.ZZ", 1, 7));
  await shows(page, "sim.ZZ", "figure", "7");
  await page.close();
});

test("tiles are moved, resized and removed by keyboard, in words, and a link brings them back", async () => {
  const page = await open("&tiles=sim.*,host.cpu", [
    ...["A", "B", "C"].map((name) => quote(`sim.${name}`, 1, 5)),
    tick("cpu", "host.cpu", 1, '{"busy_pct":8.2,"user_pct":3}'),
  ]);
  await shows(page, "sim.C", "figure", "5");
  await page.getByRole("button", { name: "Edit" }).press("Enter");
  await page.getByRole("button", { name: "Move sim.C with the arrow keys, or drag it" }).focus();
  await page.keyboard.press("ArrowLeft");
  assert.deepEqual(await keys(page), ["sim.A", "sim.C", "sim.B", "host.cpu"]);
  await says(page, "sim.C is at place 2 of 4.");
  await page.keyboard.press("Home");
  assert.deepEqual(await keys(page), ["sim.C", "sim.A", "sim.B", "host.cpu"]);
  await page.keyboard.press("ArrowLeft");
  await says(page, "sim.C is at place 1 of 4.");
  assert.equal(await values(page, "tiles"), "sim.C,sim.A,sim.B,host.cpu");
  await page.getByRole("button", { name: "L: make sim.A large" }).press("Enter");
  assert.equal(await page.getByRole("button", { name: "L: make sim.A large" }).getAttribute("aria-pressed"), "true");
  await page.getByRole("combobox", { name: "Field of host.cpu" }).selectOption("user_pct");
  await shows(page, "host.cpu:user_pct", "figure", "3");
  await page.getByRole("button", { name: "Remove sim.B" }).press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Remove host.cpu:user_pct");
  const text = "sim.C,sim.A*L,host.cpu:user_pct";
  assert.equal(await values(page, "tiles"), text);
  await page.getByRole("button", { name: "Done" }).click();
  assert.equal(await page.locator(".tile .tools").count(), 0);
  const again = await open(`&tiles=${text}`, [quote("sim.A", 1, 5)]);
  await shows(again, "sim.A", "figure", "5");
  assert.deepEqual(await keys(again), ["sim.C", "sim.A", "host.cpu:user_pct"]);
  assert.equal(await tile(again, "sim.A").getAttribute("data-size"), "L");
  await again.close();
  await page.close();
});

test("tiles are dragged, while the board is edited and only then", async () => {
  const page = await open("&tiles=sim.*", ["A", "B", "C"].map((name) => quote(`sim.${name}`, 1, 5)));
  await shows(page, "sim.C", "figure", "5");
  const middle = async (key) => {
    const { x, y, width, height } = await tile(page, key).boundingBox();
    return [x + width / 2, y + height / 2];
  };
  const drag = async () => {
    const to = await middle("sim.A");
    await page.mouse.move(...(await middle("sim.C")));
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 8 });
    await page.mouse.up();
  };
  await drag();
  assert.deepEqual(await keys(page), ["sim.A", "sim.B", "sim.C"]);
  await page.getByRole("button", { name: "Edit" }).click();
  await drag();
  assert.deepEqual(await keys(page), ["sim.C", "sim.A", "sim.B"]);
  assert.equal(await values(page, "tiles"), "sim.C,sim.A,sim.B");
  await page.close();
});

test("what an address cannot mean is told beside the tiles", async () => {
  const page = await open("&tiles=sim.A,sim.*x", [quote("sim.A", 1, 5)]);
  await says(page, 'A tile of the address is left out: "sim.*x": * stands for a whole part');
  assert.deepEqual(await keys(page), ["sim.A"]);
  await page.close();
});

test("values of odd shapes are no harm", async () => {
  const page = await open("&tiles=odd.*", []);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const odd = ["null", "[]", "{}", '""', "true", "1e400", '{"a":{"b":{"c":[1,{"d":null}]}}}', '"text"', "-0", '{"price":"1e-9"}', `"${"x".repeat(5_000)}"`];
  odd.forEach((value, i) => page.line.sayText(tick("odd", `odd.T${i}`, 1, value)));
  await page.waitForFunction((n) => document.querySelectorAll(".tile").length === n, odd.length);
  odd.forEach((value, i) => page.line.sayText(tick("odd", `odd.T${i}`, 2, odd[(i + 1) % odd.length])));
  page.line.sayText(tick("odd", "odd.T0", 3, '"the end"'));
  await shows(page, "odd.T0", "figure", "the end");
  assert.deepEqual(errors, []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.close();
});

test("tiles out of sight are not drawn until they come into view", async () => {
  const texts = Array.from({ length: 90 }, (_, i) => quote(`sim.T${String(i).padStart(2, "0")}`, 1, 5));
  const page = await open("&tiles=sim.*", texts);
  await shows(page, "sim.T00", "figure", "5");
  const last = tile(page, "sim.T89");
  assert.equal(await last.locator(".figure").textContent(), "");
  await last.scrollIntoViewIfNeeded();
  await shows(page, "sim.T89", "figure", "5");
  await page.close();
});

test("the current values are exported", async () => {
  const page = await open("&tiles=sim.A,x.y", [day("sim.A", '"189.30"', '"0.50"', '"0.26"')]);
  await shows(page, "sim.A", "figure", "189.30");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export CSV" }).click()]);
  assert.match(download.suggestedFilename(), /^board-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.csv$/);
  const [head, first, second] = (await readFile(await download.path(), "utf8")).split("\r\n");
  assert.equal(head, "\uFEFFtopic,field,value,unit,change,change_pct,change_since,time,state,simulated,attribution");
  assert.match(first, /^sim\.A,price,189\.30,,\+0\.50,\+0\.26,,20\d\d-.*Z,live,,$/);
  assert.match(second, /^x\.y,.*no value yet/);
  await page.close();
});

for (const [width, height, what] of [[390, 844, "a phone"], [3840, 2160, "a wall"]]) {
  test(`${what} needs no sideways scrolling, and no figure is cut off`, async () => {
    const page = await open("&tiles=sim.A*L,sim.B,sim.C*S,sim.D*S,host.uptime,big.one", [
      day("sim.A", '"189.30"', "0.50", "0.26"),
      day("sim.B", '"67234.50"', "-1200.5", "-1.76"),
      day("sim.C", '"1.08542"', "0.0001", "0.01"),
      day("sim.D", '"9.5"', "0.0001", "0.01"),
      tick("uptime", "host.uptime", 1, '{"uptime_s":1234567}'),
      tick("big", "big.one", 1, "1234567890123.45"),
    ]);
    await page.setViewportSize({ width, height });
    await tile(page, "big.one").scrollIntoViewIfNeeded();
    await shows(page, "big.one", "figure", "1,234,567,890");
    await page.waitForFunction((width) => document.documentElement.scrollWidth <= width, width);
    const cut = await page.$$eval(".tile .big", (bigs) => bigs.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent));
    assert.deepEqual(cut, []);
    const size = await page.$eval(".tile[data-size=M] .big", (one) => parseFloat(getComputedStyle(one).fontSize));
    assert.ok(size >= (width > 3_000 ? 70 : 24), `${size} px`);
    await page.close();
  });
}

const FEED = fileURLToPath(new URL("feeds/board.mjs", import.meta.url));

// How much of the thread that takes is measured by `make bench`.
test("a board of 50 tiles at ten ticks a second each moves, all of it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tickerd-board-"));
  const config = join(folder, "tickerd.toml");
  await writeFile(config, `[[feed]]\nname = "b"\nexec = [${JSON.stringify(process.execPath)}, ${JSON.stringify(FEED)}]\ninterval = "100ms"\n`);
  let daemon, browser;
  try {
    daemon = await startDaemon({ config });
    browser = await openBrowser({ viewport: { width: 2560, height: 1440 } });
    const page = await openPage(browser.context, `${daemon.url}#view=board&tiles=b.**S&strip=none`);
    await page.waitForFunction(() => [...document.querySelectorAll(".tile .figure")].filter((one) => one.textContent).length === 50);
    // Whether it is still drawn, and how often, is the page's own word.
    await page.evaluate(() => {
      globalThis.changes = 0;
      new MutationObserver((all) => (globalThis.changes += all.length)).observe(document.querySelector(".tiles"), { subtree: true, characterData: true, attributes: true, attributeFilter: ["d"] });
    });
    await page.waitForFunction(() => globalThis.changes > 1_000);
    assert.deepEqual(page.errors, []);
  } finally {
    await browser?.close();
    await daemon?.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
