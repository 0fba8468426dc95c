// The examples that are web pages, each on a site of its own, against the real daemon.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { openBrowser, openPage } from "./browser.js";
import { startDaemon } from "./daemon.js";
import { serveForeign } from "./foreign.js";

const EXAMPLES = new URL("../../dashboards/examples/", import.meta.url);
const CLIENT = new URL("../../dashboards/client/src/", import.meta.url);
const OUT = new URL("out/", import.meta.url);
/** Where the examples say that the daemon is. */
const WRITTEN = "127.0.0.1:8425";
let folder, site, config, daemon, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-examples-"));
  site = await serveForeign({ folder: EXAMPLES });
  config = join(folder, "tickerd.toml");
  await writeFile(
    config,
    `
[server]
origins = ["${site.origin}"]
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
[[feed]]
name = "host"
plugin = "tickerd_feed_host"
`,
  );
  daemon = await startDaemon({ config });
  browser = await openBrowser();
  await mkdir(OUT, { recursive: true });
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

/** An example as it stands, with this test's daemon in place of the usual one. */
async function serve(name) {
  const text = await readFile(new URL(name, EXAMPLES), "utf8");
  assert.ok(text.includes(WRITTEN) || name === "react.html");
  site.pages[`/${name}`] = text.replaceAll(WRITTEN, new URL(daemon.url).host);
  return `${site.origin}/${name}`;
}

test("plain HTML: five lines of script show a price that lives", async () => {
  const page = await openPage(browser.context, await serve("plain.html"));
  const shows = (other) =>
    page.waitForFunction((other) => /^\d+\.\d\d$/.test(price.textContent) && price.textContent !== other, other);
  await shows("");
  await shows(await page.textContent("#price"));
  assert.deepEqual(page.errors, []);
  const [, script] = /<script type="module">\n([^]*?)<\/script>/.exec(
    await readFile(new URL("plain.html", EXAMPLES), "utf8"),
  );
  assert.equal(script.trim().split("\n").length, 5);
  await page.close();
});

test("the elements on another origin, under the policy in the page's own head", async () => {
  const page = await openPage(browser.context, await serve("widgets.html"));
  for (const name of ["tickerd-value", "tickerd-ticker", "tickerd-chart"]) {
    await page.waitForFunction(
      (name) => /\d/.test(document.querySelector(name).shadowRoot?.querySelector("[part=figure]")?.textContent),
      name,
    );
  }
  await page.waitForFunction(() =>
    /from \d/.test(
      document.querySelector("tickerd-chart").shadowRoot.querySelector("canvas")?.getAttribute("aria-label"),
    ),
  );
  await page.screenshot({ path: new URL("example-widgets.png", OUT).pathname });
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.deepEqual(page.errors, []);
  const sockets = page.requests.filter((url) => url.startsWith("ws:"));
  assert.equal(sockets.length, 1);
  await page.close();
});

test("React: one hook, one subscription for each topic, also where StrictMode mounts twice", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("react/app.jsx", EXAMPLES))],
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
    alias: { "@tickerd/client": fileURLToPath(new URL("index.js", CLIENT)) },
  });
  await serve("react.html");
  site.pages["/react/app.js"] = outputFiles[0].text.replaceAll(WRITTEN, new URL(daemon.url).host);
  const page = await browser.context.newPage();
  const sent = [];
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(JSON.parse(payload))));
  const named = (event) =>
    sent
      .filter((one) => one.event === event)
      .flatMap(({ data }) => data.topics)
      .sort();
  await page.goto(`${site.origin}/react.html`);
  await page
    .locator("li")
    .getByText(/^sim\.MSFT \d/)
    .waitFor();
  await page.locator("strong").getByText(/^\d/).waitFor();
  const first = await page.textContent("strong");
  await page.waitForFunction((first) => document.querySelector("strong").textContent !== first, first);
  assert.deepEqual(named("subscribe"), ["sim.AAPL", "sim.MSFT"]);
  assert.deepEqual(named("unsubscribe"), []);
  await page.click("button");
  await page.locator("li").first().waitFor({ state: "detached" });
  await until(() => named("unsubscribe").length > 0);
  assert.deepEqual(named("unsubscribe"), ["sim.MSFT"], "what another component shows stays subscribed");
  await page.click("button");
  await page
    .locator("li")
    .getByText(/^sim\.MSFT \d/)
    .waitFor();
  assert.deepEqual(named("subscribe"), ["sim.AAPL", "sim.MSFT", "sim.MSFT"]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("the overlay: transparent, as its address says, there before the daemon and after it", async () => {
  // A port that a daemon had, and that one will have again.
  let other = await startDaemon({ config });
  const { port } = other;
  await other.stop();
  const page = await browser.context.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  const tried = page.waitForEvent("requestfailed");
  await page.goto(
    `${site.origin}/overlay.html?topics=sim.AAPL,sim.MSFT&size=48&position=top&speed=0&theme=light&server=ws://127.0.0.1:${port}/ws`,
  );
  await tried;
  other = await startDaemon({ listen: `127.0.0.1:${port}`, config });
  const figures = () =>
    page.$$eval("tickerd-ticker", ([one]) =>
      [...one.shadowRoot.querySelectorAll("[part=strip]:first-child [part=figure]")]
        .map((figure) => figure.textContent)
        .join(),
    );
  const live = (before) =>
    page.waitForFunction((before) => {
      const all = [
        ...(document
          .querySelector("tickerd-ticker")
          ?.shadowRoot?.querySelectorAll("[part=strip]:first-child [part=figure]") ?? []),
      ].map((figure) => figure.textContent);
      return all.length === 2 && all.every((text) => /\d/.test(text)) && all.join() !== before;
    }, before);
  await live("");
  await live(await figures());
  const look = await page.$eval("tickerd-ticker", (one) => ({
    page: getComputedStyle(document.body).backgroundColor,
    size: getComputedStyle(one.shadowRoot.querySelector("[part=figure]")).fontSize,
    color: getComputedStyle(one.shadowRoot.querySelector("[part=figure]")).color,
    top: one.getBoundingClientRect().top,
  }));
  assert.deepEqual(look, { page: "rgba(0, 0, 0, 0)", size: "48px", color: "rgb(0, 0, 0)", top: 0 });
  await page.screenshot({ path: new URL("example-overlay.png", OUT).pathname, omitBackground: true });

  await other.kill();
  await page
    .locator("tickerd-ticker [part=state]")
    .getByText(/no connection/)
    .first()
    .waitFor();
  other = await startDaemon({ listen: `127.0.0.1:${port}`, config });
  await live(await figures());
  await page.waitForFunction(
    () =>
      document.querySelector("tickerd-ticker").shadowRoot.querySelector("[part=box] > [part=state]").textContent === "",
  );
  assert.deepEqual(
    requests.filter((url) => url.includes("/v1/sse")),
    [],
    "a server that was away has its WebSocket back",
  );
  await page.close();
  await other.stop();
});

/** Waits for what no page tells. */
async function until(isSo) {
  const deadline = Date.now() + 60_000;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, "it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
