// The page as a whole, in all of its views: for everybody, on every screen, from a real daemon, and nothing leaves the origin.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { hasLine, linkSays } from "./view.js";

const OUT = new URL("out/", import.meta.url);
const AXE = new URL("node_modules/axe-core/axe.min.js", import.meta.url);
const REFUSED = `while echo '{"topic":"a","event":"Bad Event","data":1}'; do read order; done`;
/** The views, and the address of each with as much in it as a reader has. */
const VIEWS = {
  topics: "#topics=sim.AAPL,host.cpu",
  board: "#view=board",
  feeds: "#view=feeds",
  "a feed": "#view=feeds&feed=sim",
  "a refused feed": "#view=feeds&feed=odd",
  console: "#view=console",
  "a chart enlarged": "#topics=sim.AAPL~candles~full",
};
let folder, daemon, browser, page;

before(async () => {
  await mkdir(OUT, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), "tickerd-whole-"));
  const config = join(folder, "tickerd.toml");
  await writeFile(
    config,
    `[bars]\nkeep = { "1s" = "10m" }\n[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n[[feed]]\nname = "host"\nplugin = "tickerd_feed_host"
[[feed]]\nname = "odd"\nexec = ["/bin/sh", "-c", ${JSON.stringify(REFUSED)}]\ninterval = "100ms"\n`,
  );
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  await browser.context.addInitScript(() => {
    globalThis.reports = [];
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => globalThis.reports.push(`${violatedDirective} ${blockedURI}`));
  });
  page = await openPage(browser.context, daemon.url);
  await linkSays(page, "Live");
  await page.waitForSelector('tr[data-topic="sim.AAPL"]');
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Goes to a view by its address, and waits until it has something to show. */
async function go(name) {
  await page.evaluate((hash) => (location.hash = hash), VIEWS[name]);
  const view = name === "a chart enlarged" ? "topics" : name.endsWith(" feed") ? "feeds" : name;
  await page.waitForFunction((view) => document.documentElement.dataset.view === view, view);
  const there = {
    topics: 'tr[data-topic="sim.AAPL"]',
    board: "#board :is(h2, h3)",
    feeds: "#feed-list :is(h2, h3, tr)",
    "a feed": "#feed-page h2",
    "a refused feed": "#feed-page h2",
    console: "#console form",
    "a chart enlarged": ".chart[data-full] canvas",
  }[name];
  await page.locator(there).first().waitFor();
  if (view === "topics") await hasInk(name);
}

const hasInk = (name) => (name === "topics" ? hasLine(page, "sim.AAPL") : page.waitForFunction(() => document.querySelector(".chart[data-full] canvas").width > 0));

/** Waits for two frames, so that what follows a change of size has been drawn. */
const settle = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

test("axe-core finds nothing where charts are drawn or enlarged, nor where samples are refused", async () => {
  await page.evaluate(await readFile(AXE, "utf8"));
  const findings = [];
  const look = async (where) => {
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, nodes } of violations) {
      for (const { target, failureSummary, html } of nodes.slice(0, 3)) findings.push(`${where}: ${id} ${target} ${html.slice(0, 120)} ${failureSummary.split("\n").slice(1, 3)}`);
    }
  };
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const name of ["topics", "a chart enlarged", "a refused feed"]) {
      await go(name);
      await settle();
      await look(`${name}, ${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  assert.deepEqual(findings, []);
});

for (const [width, height] of [[390, 844], [3840, 2160]]) {
  test(`no view is wider than ${width} pixels`, async () => {
    await page.setViewportSize({ width, height });
    const wider = [];
    for (const name of Object.keys(VIEWS)) {
      await go(name);
      await settle();
      await page.screenshot({ path: new URL(`whole-${width}-${name.replaceAll(" ", "-")}.png`, OUT).pathname });
      const over = await page.evaluate(() => {
        if (document.documentElement.scrollWidth <= innerWidth) return [];
        const out = [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1);
        return [document.documentElement.scrollWidth, ...out.slice(0, 6).map((one) => `${one.tagName}#${one.id}.${one.className}`)];
      });
      if (over.length > 0) wider.push([name, ...over]);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
    assert.deepEqual(wider, []);
  });
}

test("on a wall the kiosk has no controls, large figures, and nothing that is cut", async () => {
  await page.setViewportSize({ width: 3840, height: 2160 });
  for (const view of ["topics", "board"]) {
    await go(view);
    await page.evaluate(() => (location.hash += "&kiosk"));
    await page.waitForFunction(() => document.documentElement.hasAttribute("data-kiosk"));
    await settle();
    await page.screenshot({ path: new URL(`whole-kiosk-${view}.png`, OUT).pathname });
    const controls = await page.$$eval("button, select, input, summary", (all) => {
      const isShown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && one.offsetWidth > 1;
      const others = all.filter((one) => isShown(one) && !one.closest("tr, #strip, .tile, .unseen"));
      return others.map((one) => `${one.id} ${one.textContent.trim()}`);
    });
    assert.deepEqual(controls, [], view);
    await page.waitForFunction(() => [...document.querySelectorAll(".topic .name")].every((name) => name.scrollWidth <= name.clientWidth + 1 || !name.checkVisibility()));
    assert.ok(await page.locator(".bar .low").isHidden(), "there are controls");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    const px = await page.evaluate(
      (view) => parseFloat(getComputedStyle(document.querySelector(view === "board" ? "#board .figure, #board [class*=figure], #board strong" : "td.value")).fontSize),
      view,
    );
    assert.ok(px >= 24, `${view}: figures of ${px} px`);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.documentElement.hasAttribute("data-kiosk"));
  }
  await page.setViewportSize({ width: 1360, height: 860 });
});

test("the CSV of the table has its topics, and a chart's PNG a picture", async () => {
  await go("topics");
  const save = async (press) => {
    const [download] = await Promise.all([page.waitForEvent("download"), press()]);
    return readFile(await download.path());
  };
  const csv = String(await save(() => page.getByRole("button", { name: "Export CSV" }).click()));
  const [head, ...rows] = csv.replace(/^\ufeff/, "").trimEnd().split("\r\n");
  assert.match(head, /^topic,/);
  const shown = await page.locator("tr[data-topic]").count();
  assert.ok(rows.length >= shown && rows.some((row) => row.startsWith("sim.AAPL,")), `${rows.length} rows of ${shown}`);

  await page.locator('.chart[data-topic="sim.AAPL"] [data-do="more"]').click();
  const png = await save(() => page.locator('.chart[data-topic="sim.AAPL"] [data-do="png"]').click());
  const { width, height, colors, part } = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    const counts = new Map();
    for (let i = 0; i < data.length; i += 4) {
      const color = `${data[i]},${data[i + 1]},${data[i + 2]},${data[i + 3]}`;
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
    return { width: picture.width, height: picture.height, colors: counts.size, part: Math.max(...counts.values()) / (data.length / 4) };
  }, png.toString("base64"));
  assert.ok(width > 200 && height > 150, `${width} × ${height}`);
  assert.ok(colors > 10 && part > 0.5 && part < 0.995, `${colors} colours, the commonest is ${part} of it`);
});

test("a feed whose samples are refused says so in the list and on its own page", async () => {
  await go("feeds");
  await page.locator("#feed-list tr", { hasText: "odd" }).getByText(/bad_event|refused/i).first().waitFor();
  await go("a refused feed");
  await page.locator("#feed-page").getByText(/refused/i).first().waitFor();
  assert.match(await page.innerText("#feed-page"), /bad_event/, "it does not say what was wrong");
});

test("keys alone go through the views, and what has the focus is seen", async () => {
  await page.evaluate(() => (location.hash = "#"));
  await page.waitForFunction(() => document.documentElement.dataset.view === "topics");
  await page.evaluate(() => document.activeElement?.blur());
  const focus = () =>
    page.evaluate(() => {
      const one = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
      const box = one.getBoundingClientRect();
      const hasMark = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
      const name = one.getAttribute("aria-label") ?? (one.labels?.[0]?.textContent || one.textContent || one.title).trim();
      return {
        view: one.dataset?.view,
        name,
        what: `${one.tagName}#${one.id}.${one.className} ${name.slice(0, 30)}`,
        isSeen: one === document.body || (hasMark && box.width > 0 && box.height > 0),
        isBody: one === document.body,
      };
    });
  const unseen = [];
  const nameless = [];
  for (const view of ["board", "feeds", "console", "topics"]) {
    let reached = false;
    // From the top of the page, as after a click on nothing.
    await page.evaluate(() => (document.activeElement?.blur(), document.getSelection().removeAllRanges(), scrollTo(0, 0)));
    await page.mouse.click(2, 2);
    for (let keys = 0; keys < 40 && !reached; keys += 1) {
      await page.keyboard.press("Tab");
      const now = await focus();
      if (!now.isSeen) unseen.push(now.what);
      if (!now.isBody && !now.name) nameless.push(now.what);
      reached = now.view === view;
    }
    assert.ok(reached, `no Tab reaches ${view}`);
    await page.keyboard.press("Enter");
    await page.waitForFunction((view) => document.documentElement.dataset.view === view, view);
    // And on, into the view itself.
    for (let keys = 0; keys < 25; keys += 1) {
      await page.keyboard.press("Tab");
      const now = await focus();
      if (!now.isSeen) unseen.push(`${view}: ${now.what}`);
      if (!now.isBody && !now.name) nameless.push(`${view}: ${now.what}`);
    }
  }
  assert.deepEqual([[...new Set(unseen)], [...new Set(nameless)]], [[], []]);
});

test("all the while no error was logged, no policy was broken, and no request went to another origin", async () => {
  assert.deepEqual(page.errors, []);
  assert.deepEqual(await page.evaluate(() => globalThis.reports), []);
  const { host } = new URL(daemon.url);
  assert.deepEqual(page.requests.filter((url) => !url.startsWith("blob:") && !url.startsWith("data:") && new URL(url).host !== host), []);
});
