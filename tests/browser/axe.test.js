// Every view, light and dark, at a desk, on a phone and on a wall: held to axe-core, without a console error or a request elsewhere.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { linkSays } from "./view.js";

const VIEWS = {
  topics: "#",
  board: "#view=board",
  feeds: "#view=feeds",
  "a feed": "#view=feeds&feed=sim",
  console: "#view=console",
  kiosk: "#kiosk&view=board",
};
/** What must be there before a view is looked at. */
const READY = {
  topics: "tr[data-topic='sim.AAPL']",
  board: ".tile .big",
  feeds: "#feed-list tbody tr",
  "a feed": "#feed-page h2",
  console: "#console select",
  kiosk: ".tile .big",
};
const CONTRAST = { runOnly: ["color-contrast"] };
const OTHERS = { rules: { "color-contrast": { enabled: false } } };
let daemon, browser, axe;

before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  daemon = await startDaemon();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

/** The findings of all rules, or of those that `options` leave, with where they are. */
async function findings(page, options = {}) {
  // By the debugger: the page's policy lets no script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate((options) => globalThis.axe.run({ resultTypes: ["violations"], ...options }), options);
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target} (${failureSummary.split("\n").at(-1).trim()})`).join("; ")}`);
}

for (const [name, hash] of Object.entries(VIEWS)) {
  test(`${name}: nothing for axe-core to find, no error, no word to another origin`, async () => {
    const page = await openPage(browser.context, `${daemon.url}${hash}`);
    await linkSays(page, "Live").catch(() => {}); // in a kiosk it is not shown
    await page.waitForSelector(READY[name]);
    assert.deepEqual(await findings(page), [], `${name}, light`);
    // The dark page is the same one in other colours, and a phone's has the dark one's colours in other places.
    await page.emulateMedia({ colorScheme: "dark" });
    assert.deepEqual(await findings(page, CONTRAST), [], `${name}, dark`);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${name} scrolls sideways on a phone`);
    assert.deepEqual(await findings(page, OTHERS), [], `${name}, phone`);
    await page.setViewportSize({ width: 3840, height: 2160 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 3840);
    assert.deepEqual(page.errors, []);
    const { host } = new URL(daemon.url);
    assert.deepEqual(page.requests.filter((url) => new URL(url).host !== host && !url.startsWith("data:")), []);
    await page.close();
  });
}
