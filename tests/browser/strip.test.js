// The ticker strip: it runs for eyes, stands still for who wants that, and is a plain list for who listens.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { quote, serveAlone, tick } from "./alone.js";

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

const day = (topic, price, change, percent) => tick("quote", topic, 1, `{"price":${price},"change":${change},"change_pct":${percent}}`);
const quotes = (n) => Array.from({ length: n }, (_, i) => day(`sim.Q${String(i).padStart(2, "0")}`, `"${100 + i}.50"`, "-0.5", "-0.4"));

async function open(hash, texts, { calm = false, width = 1360 } = {}) {
  const talk = ({ sayText }) => texts.forEach((text) => sayText(text));
  const prepare = async (page) => {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ reducedMotion: calm ? "reduce" : "no-preference" });
  };
  return alone.open(talk, { hash, prepare });
}

const left = (page) => page.$eval("#strip .track", (track) => track.getBoundingClientRect().left);
const runs = (page, how) => page.waitForSelector(`#strip[data-run="${how}"]`, { state: "attached" });
/** Whether the strip has another place some frames later. */
const moves = (page) =>
  page.evaluate(async () => {
    const track = document.querySelector("#strip .track");
    const before = track.getBoundingClientRect().left;
    const end = performance.now() + 5_000;
    const still = 30;
    for (let frames = 0; performance.now() < end && frames < still; frames += 1) {
      await new Promise(requestAnimationFrame);
      if (track.getBoundingClientRect().left !== before) return true;
    }
    return false;
  });

test("quotes run by, and rest while one points at them or pauses them", async () => {
  const page = await open("", quotes(20));
  await runs(page, "runs");
  assert.equal(await moves(page), true);
  await page.hover("#strip .window");
  await page.waitForFunction(() => getComputedStyle(document.querySelector("#strip .track")).animationPlayState === "paused");
  assert.equal(await moves(page), false);
  await page.mouse.move(600, 700);
  assert.equal(await moves(page), true);
  await page.getByRole("button", { name: "Pause the ticker strip" }).press("Enter");
  await runs(page, "still");
  assert.equal(await moves(page), false);
  await page.getByRole("button", { name: "Run the ticker strip" }).press("Enter");
  await page.evaluate(() => document.activeElement.blur());
  await runs(page, "runs");
  assert.equal(await moves(page), true);
  assert.ok((await left(page)) <= 200);
  await page.close();
});

test("who wants no motion has a list that stands still, once", async () => {
  const page = await open("", quotes(20), { calm: true });
  await runs(page, "still");
  assert.equal(await moves(page), false);
  assert.equal(await page.getByRole("button", { name: "Pause the ticker strip" }).count(), 0);
  assert.equal(await page.$$eval("#strip .symbol", (all) => all.filter((one) => one.checkVisibility()).length), 20);
  await page.close();
});

test("who listens has a plain list; the line that runs is not read", async () => {
  const page = await open("", [day("sim.A", '"189.30"', "0.5", "0.26"), tick("quote", "sim.B", 1, '{"price":"5","simulated":true}')]);
  await page.waitForFunction(() => document.querySelector("#strip ul li:nth-child(2)")?.textContent === "sim.B: 5, simulated");
  const items = await page.getByRole("list", { name: "Topics of the ticker strip" }).getByRole("listitem").allTextContents();
  assert.match(items[0], /^sim\.A: 189\.30, ▲ \+0\.5/);
  assert.equal(items[1], "sim.B: 5, simulated");
  assert.equal(await page.getAttribute("#strip .window", "aria-hidden"), "true");
  assert.equal(await page.$$eval("#strip .window :is(a, button, [tabindex])", (all) => all.length), 0);
  await page.close();
});

test("few symbols stand still; a new one comes by itself, and its figure is live", async () => {
  const page = await open("", [quote("sim.A", 1, 5)]);
  await runs(page, "fits");
  const line = await page.met;
  line.sayText(quote("sim.B", 1, 7));
  await page.waitForFunction(() => document.querySelectorAll("#strip .track > :first-child .symbol").length === 2);
  line.sayText(quote("sim.B", 2, 8));
  await page.waitForFunction(() => document.querySelector('#strip .symbol[title="sim.B"] span').textContent === "8");
  line.say("notice", { type: "stale", topics: ["sim.B"], since: Date.now() });
  await page.waitForFunction(() => document.querySelector('#strip .symbol[title="sim.B"] i').textContent.startsWith("stale since"));
  await page.close();
});

test("its room is kept while it is not known: nothing moves away from a pointer when the first symbols come", async () => {
  const page = await alone.open(() => {}, { hash: "#view=board" });
  const button = page.getByRole("button", { name: "Add tiles" });
  const before = await button.boundingBox();
  assert.equal(await page.isVisible("#strip"), false);
  (await page.met).sayText(quote("sim.A", 1, 5));
  await runs(page, "fits");
  assert.equal((await button.boundingBox()).y, before.y);
  await page.close();
});

test("no room is kept where no topic is for it, or none is wanted", async () => {
  const page = await open("#view=board", [tick("cpu", "host.cpu", 1, '{"busy_pct":8.25}')]);
  await page.waitForFunction(() => document.getElementById("strip").hidden);
  await page.close();
  const none = await open("#view=board&strip=none", []);
  await none.getByRole("button", { name: "Add tiles" }).waitFor();
  assert.equal(await none.$eval("#strip", (strip) => strip.hidden), true);
  await none.close();
});

test("the address says what is in it, or that it is not there", async () => {
  const texts = [quote("sim.A", 1, 5), tick("cpu", "host.cpu", 1, '{"busy_pct":8.25,"user_pct":3}')];
  const page = await open("#strip=host.*,host.cpu:user_pct,sim.A", texts);
  await page.waitForFunction(() => document.querySelectorAll("#strip .track > :first-child .symbol").length === 3);
  assert.deepEqual(await page.$$eval("#strip .track > :first-child .symbol b", (all) => all.map((one) => one.textContent)), ["cpu", "host.cpu:user_pct", "A"]);
  await page.evaluate(() => (location.hash = "strip=none"));
  await page.waitForFunction(() => document.getElementById("strip").hidden);
  await page.close();
});

test("a strip is never wider than the page", async () => {
  const page = await open("", quotes(20), { width: 390 });
  await runs(page, "runs");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.close();
});
