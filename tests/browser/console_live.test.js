// The console with the real client and the real daemon: each command is answered, and what is copied works elsewhere.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";

const CONFIG = `
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
interval = "250ms"
poll = "250ms"

[[topic]]
name = "rooms.lobby"
publish = true
presence = true
`;

/** The page's own program: its modules joined, or the first of them where the daemon was built without esbuild. */
const PROGRAM = /\/(built\/page|src\/main)\.js$/;

const errors = [];
let folder, daemon, browser, page;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-console-"));
  await writeFile(join(folder, "tickerd.toml"), CONFIG);
  daemon = await startDaemon({ config: join(folder, "tickerd.toml") });
  browser = await openBrowser();
  // The daemon's own page without what it does by itself: a page that a test made up may not open a socket.
  page = await browser.context.newPage();
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.route(PROGRAM, (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
  await page.goto(daemon.url);
  await page.evaluate(async () => {
    const { src } = document.querySelector('script[type="module"]');
    const of = (path) => import(new URL(`../src/${path}`, src).href);
    const [{ connect }, { Console }, { Address }] = await Promise.all([import("/client.js"), of("console/console.js"), of("address.js")]);
    document.body.replaceChildren(document.createElement("main"));
    const client = connect(new URL("ws", location.href));
    const shell = new Console(document.querySelector("main"), { client, address: new Address() });
    client.subscribe("sim.AAPL", { rate: "1s" });
    shell.shown = true;
    globalThis.client = client;
    const draw = () => requestAnimationFrame((now) => (shell.paint(now), draw()));
    draw();
  });
  await page.waitForFunction(() => client.status.state === "live" && client.latest("sim.AAPL"));
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

const field = (key) => page.locator(`[data-key="${key}"]`);
const said = (text) => page.locator(".console-said").getByText(text).waitFor();

async function run(command, fields) {
  await page.selectOption("#console-command", command);
  for (const [key, value] of Object.entries(fields)) {
    if (key === "mode") await field(key).selectOption(value);
    else await field(key).fill(value);
  }
  await page.click("text=Clear");
  await page.click(".console-send button");
}

/** What `form` has of the command as it is written now. */
async function copied(form) {
  await page.selectOption("#console-copy", form);
  return page.textContent(".copy-text");
}

const sh = (text, timeout = 20_000) =>
  promisify(execFile)("sh", ["-c", text], { timeout }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => stdout,
  );

test("each command is answered by the daemon, and its answer is in the list", async () => {
  const commands = [
    ["subscriptions", {}, "subscriptions"],
    ["topics", { match: "sim.*" }, "topics"],
    ["get", { topics: "sim.AAPL sim.MSFT" }, "values"],
    ["history", { topic: "sim.AAPL", limit: "2" }, "history"],
    ["bars", { topic: "sim.AAPL", period: "10s", limit: "2", before: "" }, "history"],
    ["publish", { topic: "rooms.lobby", value: '{"text":"it\'s"}', to: "" }, "published"],
    ["presence", { topic: "rooms.lobby" }, "presence"],
    ["ping", { t: "7" }, "pong"],
  ];
  for (const [command, fields, answer] of commands) {
    await run(command, fields);
    await said(/: answered in \d+ ms\.$/);
    await page.locator('.frame[data-way="in"] b', { hasText: new RegExp(`^${answer}$`) }).first().waitFor();
  }
  await run("history", { topic: "sim.APPL", limit: "2" });
  await page.locator(".console-wrong").getByText(/^history: 404 .*/).waitFor();
  assert.deepEqual(errors, []);
});

test("a subscription of the console ends without the page's own", async () => {
  await run("subscribe", { topics: "sim.AAPL sim.MSFT", rate: "", mode: "all" });
  await said("subscribe: granted.");
  await page.waitForFunction(() => client.latest("sim.MSFT"));
  await run("unsubscribe", { topics: "sim.AAPL sim.MSFT" });
  await said("unsubscribe: ended sim.AAPL, sim.MSFT.");
  const left = await page.evaluate(async () => (await client.command("subscriptions")).topics);
  assert.deepEqual(left.map(({ topic, rate, mode }) => [topic, rate, mode]), [["sim.AAPL", "1s", "latest"]]);
});

test("the copied curl does the same over HTTP", async () => {
  await run("publish", { topic: "rooms.lobby", value: '{"text":"it\'s $HOME \\"x\\" %41 ü"}', to: "" });
  await said(/^publish: answered/);
  assert.match(await sh(await copied("curl")), /"topic":"rooms\.lobby","seq":\d+/);
  await run("history", { topic: "rooms.lobby", limit: "2" });
  await said(/^history: answered/);
  const { values } = JSON.parse(await sh(await copied("curl")));
  assert.deepEqual(values.map(({ data }) => data.value), Array(2).fill({ text: 'it\'s $HOME "x" %41 ü' }));
  await run("bars", { topic: "sim.AAPL", period: "10s", limit: "3", before: "" });
  assert.equal(JSON.parse(await sh(await copied("curl"))).period, "10s");
  await run("get", { topics: "sim.* rooms.lobby" });
  assert.ok(JSON.parse(await sh(await copied("curl"))).values.length > 2);
  await run("topics", { match: "sim.A*" });
  assert.equal(JSON.parse(await sh(await copied("curl"))).status, 422);
  await run("topics", { match: "sim.*" });
  assert.ok(JSON.parse(await sh(await copied("curl"))).topics.length > 2);
  await run("subscribe", { topics: "sim.AAPL", rate: "1s", mode: "" });
  const stream = await sh((await copied("curl")).replace("curl ", "curl --max-time 2 "));
  assert.match(stream, /data: \{"event":"subscribed".*"rate":"1s"[^]*"event":"quote"/);
});

test("the copied JavaScript runs in a page as it is", async () => {
  const runs = async (text) => {
    const other = await browser.context.newPage();
    const lines = [];
    other.on("console", (message) => lines.push(message.text()));
    other.on("pageerror", (error) => lines.push(String(error)));
    await other.route(PROGRAM, (route) => route.fulfill({ contentType: "text/javascript", body: text }));
    const said = other.waitForEvent("console", (message) => message.type() === "log");
    await other.goto(daemon.url);
    await said;
    await other.close();
    return lines.join("\n");
  };
  await run("subscribe", { topics: "sim.AAPL", rate: "1s", mode: "" });
  assert.match(await runs(await copied("javascript")), /^sim\.AAPL .*/);
  await run("history", { topic: "sim.AAPL", limit: "2" });
  assert.match(await runs(await copied("javascript")), /Object|\{/);
  await run("publish", { topic: "rooms.lobby", value: '"</script>"', to: "" });
  await runs(await copied("javascript"));
  const { data } = await page.evaluate(async () => (await client.command("history", { topic: "rooms.lobby", limit: 1 })).values[0]);
  assert.equal(data.value, "</script>");
});
