// Makes the pictures of the page for the documents, with the page of a daemon without any configuration: `make screenshots`.
import { stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";

const OUT = new URL("../../dashboards/", import.meta.url);
/** Larger pictures would make the repository slow. */
const BYTES_MAX = 150_000;
/** Time for lines and candles to grow. */
const GROW_MS = Number(process.env.GROW_MS ?? 150_000);

const PICTURES = [
  { name: "page", width: 1200, height: 680, scheme: "light", hash: "#topics=sim.AAPL,host.cpu", ready: ".chart canvas" },
  { name: "page-dark", width: 1200, height: 680, scheme: "dark", hash: "#topics=sim.AAPL,host.cpu", ready: ".chart canvas" },
  { name: "page-phone", width: 390, height: 844, scheme: "light", hash: "#view=board", ready: ".tile .big" },
  { name: "page-wall", width: 3840, height: 2160, scheme: "dark", hash: "#kiosk&view=board&title=Trading%20floor", ready: ".tile .big", scale: 0.333 },
  { name: "page-candles", width: 1200, height: 560, scheme: "light", hash: "#topics=sim.AAPL~candles~full&span=300", ready: ".chart canvas" },
  { name: "page-board", width: 1200, height: 760, scheme: "light", hash: "#view=board", ready: ".tile .big" },
];

/** A wall's picture is as large as the wall: it is drawn smaller by the browser itself. */
async function shrink(context, png, { width, height, scale }) {
  const page = await context.newPage();
  await page.setViewportSize({ width: Math.round(width * scale), height: Math.round(height * scale) });
  await page.setContent(`<body style="margin:0"><img style="width:100vw;display:block" src="data:image/png;base64,${png.toString("base64")}">`);
  await page.waitForFunction(() => document.querySelector("img").complete);
  const small = await page.screenshot();
  await page.close();
  return small;
}

const daemon = await startDaemon();
const browser = await openBrowser();
try {
  await wait(GROW_MS);
  for (const picture of PICTURES) {
    const { name, width, height, scheme, hash, ready, scale } = picture;
    const page = await openPage(browser.context, "about:blank");
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${daemon.url}${hash}`);
    await page.waitForSelector(ready);
    // Bars have come, and every tile has its line.
    await page.waitForLoadState("networkidle").catch(() => {});
    await wait(4_000);
    const whole = await page.screenshot();
    const path = fileURLToPath(new URL(`${name}.png`, OUT));
    await writeFile(path, scale ? await shrink(browser.context, whole, picture) : whole);
    const { size } = await stat(path);
    console.log(`${name}.png ${size} bytes`);
    if (size > BYTES_MAX) {
      await unlink(path);
      throw new Error(`${name}.png has ${size} bytes, and ${BYTES_MAX} are the most`);
    }
    await page.close();
  }
} finally {
  await browser.close();
  await daemon.stop();
}
