import { readFileSync } from "node:fs";
import { serveForeign } from "../../browser/foreign.js";
import { openBrowser, openPage } from "../../browser/browser.js";
const text = readFileSync(new URL("way.js", import.meta.url), "utf8");
const fn = /async function ratios[\s\S]*?\n}\n/.exec(text)[0];
const folder = new URL(process.env.CLIENT ?? "../../../dashboards/client/", import.meta.url);
const site = await serveForeign({ folder, pages: { "/p": "<!doctype html><title>x</title>" } });
const browser = await openBrowser();
const page = await openPage(browser.context, `${site.origin}/p`);
const cdp = await browser.context.newCDPSession(page);
const N = Number(process.env.N ?? 100000);
if (process.env.PROF) { await cdp.send("Profiler.enable"); await cdp.send("Profiler.setSamplingInterval", { interval: 200 }); await cdp.send("Profiler.start"); }
const found = await page.evaluate(`import("/src/index.js").then(({ connect }) => (${fn})({ connect, ticks: ${N}, turns: Number("${process.env.T ?? 80}") }))`);
found.sort((a,b)=>a-b); console.log("chromium median", found[found.length>>1].toFixed(3), found[found.length>>2].toFixed(3), found[(3*found.length)>>2].toFixed(3));
if (process.env.PROF) {
  const { profile } = await cdp.send("Profiler.stop"); const self = new Map(); const byId = new Map(profile.nodes.map((n) => [n.id, n]));
  profile.samples.forEach((id, i) => { const { callFrame: c } = byId.get(id); const k = `${c.functionName} ${c.url.split("/").pop()}:${c.lineNumber + 1}`; self.set(k, (self.get(k) ?? 0) + profile.timeDeltas[i] / 1000); });
  console.log([...self].sort((a, b) => b[1] - a[1]).slice(0, 14).map(([k, v]) => v.toFixed(0).padStart(7) + " " + k).join("\n"));
}
await browser.close(); site.close();
