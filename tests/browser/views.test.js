// The frame of the page: its views, kiosk, pace and look, all of them in the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { quote, serveAlone } from "./alone.js";
import { linkSays, rowOf } from "./view.js";

let alone, open;

before(async () => {
  alone = await serveAlone();
  open = alone.open;
});
after(() => alone?.close());

const view = (page) => page.evaluate(() => document.documentElement.dataset.view);
const viewIs = (page, name) =>
  page.waitForFunction((name) => document.documentElement.dataset.view === name, name);
const shown = (page) => page.$$eval("main", (all) => all.filter((main) => !main.hidden).map((main) => main.id));

test("each view is a link, the back button returns, and only one is shown", async () => {
  const page = await open(({ sayText }) => sayText(quote("sim.A", 1, "1.00")), { hash: "#topics=sim.A" });
  await rowOf(page, "sim.A").waitFor();
  assert.deepEqual([await view(page), await shown(page)], ["topics", ["view-topics"]]);
  for (const name of ["board", "feeds", "console"]) {
    await page.click(`#views a[data-view="${name}"]`);
    assert.deepEqual([await view(page), await shown(page)], [name, [`view-${name}`]]);
    assert.equal(await page.getAttribute("#views [aria-current]", "data-view"), name);
    assert.match(page.url(), new RegExp(`#.*view=${name}`));
    assert.match(page.url(), /topics=sim\.A/, "another room's part of the address is lost");
  }
  for (const name of ["feeds", "board", "topics"]) {
    await page.goBack();
    await viewIs(page, name);
  }
  await page.close();
});

test("the back button changes the view and keeps what was set since; another link changes all", async () => {
  const page = await open(({ sayText }) => sayText(quote("sim.A", 1, "1.00")), { hash: "#topics=sim.A" });
  await rowOf(page, "sim.A").waitFor();
  const values = () => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
  const shows = (view, rate) =>
    page.waitForFunction(([view, rate]) => document.documentElement.dataset.view === view && document.getElementById("pace").value === rate, [view, rate]);
  const set = { topics: "sim.A", rate: "1s", alerts: "sim.A > 0" };

  await page.click('#views a[data-view="board"]');
  await page.click("#alerts-open");
  await page.getByLabel("Rule", { exact: true }).fill("sim.A > 0");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.selectOption("#pace", "1s");
  await page.goBack();
  await shows("topics", "1s");
  assert.deepEqual(await values(), set);
  await page.goForward();
  await shows("board", "1s");
  assert.deepEqual(await values(), { ...set, view: "board" });

  await page.evaluate(() => (location.hash = "#view=feeds"));
  await shows("feeds", "");
  assert.deepEqual(await values(), { view: "feeds" });
  await page.goBack();
  await shows("board", "1s");
  assert.deepEqual(await values(), { ...set, view: "board" });
  await page.reload();
  await page.selectOption("#pace", "5s");
  await page.goBack();
  await shows("topics", "5s");
  assert.deepEqual(await values(), { ...set, rate: "5s" });
  await page.close();
});

test("a link opens its view, an unknown one the first, and keys alone reach the others", async () => {
  const page = await open(() => {}, { hash: "#view=feeds" });
  await viewIs(page, "feeds");
  await page.evaluate(() => (location.hash = "#view=__proto__"));
  await viewIs(page, "topics");
  await page.focus("#views a");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await viewIs(page, "board");
  await page.close();
});

test("who searches in another view is shown the topics", async () => {
  const page = await open(
    ({ sayText }) => ["sim.A", "sim.B"].forEach((name) => sayText(quote(name, 1, "1.00"))),
    { hash: "#view=console" },
  );
  await linkSays(page, "Live");
  await page.keyboard.press("/");
  await page.keyboard.type("sim.B");
  await viewIs(page, "topics");
  await rowOf(page, "sim.B").waitFor();
  await rowOf(page, "sim.A").waitFor({ state: "hidden" });
  await page.close();
});

test("a pause freezes what is drawn, counts what comes, and loses nothing", async () => {
  let talk;
  const page = await open((connection) => (talk = connection));
  await linkSays(page, "Live");
  talk.sayText(quote("sim.A", 1, "1.00"));
  const value = rowOf(page, "sim.A").locator(".value");
  await value.getByText("1.00").waitFor();
  await page.click("#pause");
  for (let seq = 2; seq <= 4; seq += 1) talk.sayText(quote("sim.A", seq, `${seq}.00`));
  await page.locator("#signs").getByText("Paused: 3 ticks not drawn").waitFor();
  assert.equal(await value.textContent(), "1.00");
  await page.click("#pause");
  await value.getByText("4.00").waitFor();
  await page.locator("#signs").getByText("Paused").waitFor({ state: "detached" });
  await page.close();
});

test("a slower rate is asked of the server, stands in the address, and is told", async () => {
  const asked = [];
  const page = await open(
    ({ socket }) =>
      socket.onMessage((text) => {
        const { event, data } = JSON.parse(text);
        if (event === "subscribe") asked.push(data.rate);
      }),
    { hash: "#rate=1s" },
  );
  await page.locator("#signs").getByText("Slowed to 1 s").waitFor();
  await page.waitForFunction(() => document.getElementById("link").textContent === "Live");
  await page.selectOption("#pace", "5s");
  await page.locator("#signs").getByText("Slowed to 5 s").waitFor();
  assert.match(page.url(), /rate=5s/);
  await page.selectOption("#pace", "");
  await page.locator("#signs").getByText("Slowed").waitFor({ state: "detached" });
  assert.doesNotMatch(page.url(), /rate/);
  while (asked.length < 3) await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.deepEqual(asked, ["1s", "5s", undefined]);
  await page.close();
});

for (const [how, link] of [
  ["a query", "?kiosk"],
  ["a fragment", "#kiosk"],
]) {
  test(`a kiosk, asked for by ${how}, has no controls and a resting pointer, and Escape leaves it`, async () => {
    const page = await open(({ sayText }) => sayText(quote("sim.A", 1, "1.00")), { hash: `${link}` });
    await rowOf(page, "sim.A").waitFor();
    for (const control of ["#views", "#filter", "footer", "#theme", "#pause"])
      assert.ok(await page.locator(control).isHidden(), `${control} is shown`);
    await page.waitForFunction(() => getComputedStyle(document.body).cursor === "none");
    await page.mouse.move(200, 200);
    await page.waitForFunction(() => getComputedStyle(document.body).cursor !== "none");
    await page.keyboard.press("Escape");
    await page.locator("#views").waitFor();
    assert.doesNotMatch(page.url(), /kiosk/);
    await page.close();
  });
}

test("the address brings a title and a theme, and the reader's own choice goes on without them", async () => {
  const page = await open(() => {}, { hash: "#title=Trading%20floor&theme=dark" });
  assert.equal(await page.title(), "Trading floor");
  assert.equal(await page.textContent("h1"), " Trading floor");
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "dark");
  await page.click("#theme");
  assert.equal(await theme(), "auto");
  assert.match(page.url(), /theme=auto/);
  await page.evaluate(() => (location.hash = "#"));
  await page.waitForFunction(() => document.title === "tickerd");
  await page.close();
});

test("who skips to the search keeps what the address says", async () => {
  const page = await open(() => {}, { hash: "#view=board&tiles=sim.A" });
  await viewIs(page, "board");
  const before = page.url();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "filter");
  assert.equal(page.url(), before);
  await page.close();
});

test("Share copies the link, and shows it where there is no clipboard", async () => {
  const page = await open(() => {}, { hash: "#view=board" });
  await page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => void (globalThis.copied = text);
  });
  await page.click("#share");
  await page.locator("#share").getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => globalThis.copied), page.url());
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("not here"));
  });
  await page.click("#share");
  await page.waitForFunction(() => document.activeElement.id === "shared");
  assert.equal(await page.inputValue("#shared"), page.url());
  await page.close();
});
